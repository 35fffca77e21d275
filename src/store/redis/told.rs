//! What is said of a question that was not answered: never a value, nor what was asked.

use std::error::Error as _;

use ::redis::{ErrorKind, RedisError};

use super::super::StoreError;
use super::rights::RIGHTS;

pub(super) fn late() -> StoreError {
    StoreError::Unavailable("no answer in time".into())
}

pub(super) fn unreadable() -> StoreError {
    StoreError::Corrupt("not the kind of value that callgate writes there".into())
}

pub(super) fn told(error: &RedisError) -> StoreError {
    let code = code(error);
    match (error.kind(), code.as_deref()) {
        _ if error.is_timeout() => late(),
        (ErrorKind::Io, _) if is_of_tls(error) => StoreError::Refused(error.to_string()),
        (ErrorKind::Io, _) => StoreError::Unavailable(at_its_host(&error.to_string())),
        (ErrorKind::Parse | ErrorKind::UnexpectedReturnType, _) | (_, Some("WRONGTYPE")) => {
            unreadable()
        }
        // The code alone: what follows it may quote what was sent.
        (_, Some(code)) if lets_nobody_in(code, error.detail().unwrap_or_default()) => {
            StoreError::Refused(format!("Redis refused with {code}{}", meaning(code)))
        }
        (_, Some(code)) => {
            StoreError::Unavailable(format!("Redis refused with {code}{}", meaning(code)))
        }
        (_, None) => StoreError::Unavailable(error.category().to_owned()),
    }
}

/// What the system says of a connection; if a name leads to no address, in words that say so.
fn at_its_host(error: &str) -> String {
    const OF_NAMES: &str = "failed to lookup address information: ";
    error.strip_prefix(OF_NAMES).map_or_else(
        || error.to_owned(),
        |why| format!("the name of its host leads to no address ({why})"),
    )
}

/// Whether the other side's certificate does not fit, or it speaks no TLS.
fn is_of_tls(error: &RedisError) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<std::io::Error>());
    cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::InvalidData)
}

/// Whether Redis refuses us as we are: our name, password or rights, our address, or that database.
fn lets_nobody_in(code: &str, detail: &str) -> bool {
    matches!(code, "WRONGPASS" | "NOAUTH" | "NOPERM" | "DENIED")
        || code == "ERR" && detail.starts_with("DB index")
}

/// How Redis up to 7.0 says, under no word of its own, that a user lacks a right to what is in a script.
const LACKS_A_RIGHT: &str = "The user executing the script can't";

/// The first word of Redis's answer, to a command or to one in a pipeline.
pub(super) fn code(error: &RedisError) -> Option<String> {
    let of_pipeline = || {
        let errors = error.clone().into_server_errors()?;
        errors.first().map(|(_, error)| {
            let detail = error.details().unwrap_or_default();
            (error.code().to_owned(), detail.to_owned())
        })
    };
    let own = || Some((error.code()?.to_owned(), error.detail().unwrap_or_default().to_owned()));
    let (code, detail) = own().or_else(of_pipeline)?;
    Some(if detail.contains(LACKS_A_RIGHT) { "NOPERM".into() } else { code })
}

/// What the word means to an operator.
fn meaning(code: &str) -> String {
    let known = match code {
        "WRONGPASS" | "NOAUTH" => " (the user or the password is wrong)",
        "NOPERM" => {
            return format!(
                " (the user lacks a right: `ACL LOG` there says which, and `ACL SETUSER <user> {RIGHTS}` \
                 gives all that is needed)"
            );
        }
        "DENIED" => " (it takes no connections from other machines: give it a password)",
        "READONLY" => " (it is a replica: name its primary, or the Sentinels that know it)",
        "OOM" => " (its memory is full)",
        "MISCONF" => " (it cannot write to its disk)",
        "LOADING" => " (it still reads its disk)",
        "NOREPLICAS" => " (it lacks the replicas of its `min-replicas-to-write`)",
        "CLUSTERDOWN" => " (a part of the cluster is served by nobody)",
        _ => "",
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use std::net::ToSocketAddrs as _;

    use super::*;

    /// The system's own words would tell nobody that a name is misspelt.
    #[test]
    fn a_name_that_leads_nowhere_is_told_as_such() {
        let error = "nosuch.invalid:6379".to_socket_addrs().unwrap_err();
        let told = told(&RedisError::from(error)).to_string();
        assert!(told.contains("the name of its host leads to no address ("), "{told}");
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let told = super::told(&RedisError::from(refused)).to_string();
        assert!(told.contains("refused") && !told.contains("name"), "{told}");
    }
}
