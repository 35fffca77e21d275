//! What a user of Redis must be allowed, and whether it is.
//!
//! A right that only some turn needs would be missed by a caller, perhaps days later. So all of them are tried, on
//! keys of their own.

use std::collections::BTreeSet;

use ::redis::{Value, cmd};
use futures_util::future::join_all;

use super::super::StoreError;
use super::keys::Partition;
use super::link::{Again, Question};
use super::told::told;
use super::{RedisStore, call_of};

/// What a user of Redis must be allowed, as `ACL SETUSER` takes it: our keys, and the commands that we use.
pub const RIGHTS: &str =
    "~cg:* +@read +@write +@connection -@dangerous -@scripting +evalsha +script|load +info +wait";

/// The script that tries them.
pub(super) const TRIES: &str = include_str!("../lua/rights.lua");

impl RedisStore {
    /// Tries every command, in a cluster in each partition. Where a part does not answer, what others lack is told; if
    /// that is nothing, nothing is known.
    pub(super) async fn check_rights(&self) -> Result<(), StoreError> {
        // Scripts are loaded when Redis has been started anew: that would be late to learn that we may not. This one is
        // short, because Redis up to 6.2 hands each on to its replicas, however often it is loaded.
        let mut load = cmd("SCRIPT");
        load.arg("LOAD").arg("return 0");
        // Without this one we are not told by which clock a server is far ahead.
        let mut info = cmd("INFO");
        info.arg("server");
        let everywhere = [&load, &info].map(async |one| {
            match self.link.ask::<Vec<Value>>(Question::Everywhere(one), Again::May).await {
                Ok(answers) => answers.into_iter().map(answered_there).collect(),
                Err(error) => vec![Err(error)],
            }
        });
        let everywhere = join_all(everywhere).await.into_iter().flatten();
        let partitions: Vec<Partition> = Partition::all().collect();
        let tried = self.link.together(&partitions).map(async |some| {
            let Some(one) = some.first() else { return Ok(Vec::new()) };
            let call = call_of(&self.rights, &one.rights());
            self.run::<Vec<String>>(&self.rights, &call, Again::May).await
        });
        let (mut lacking, mut unknown) = (BTreeSet::new(), None);
        for answer in everywhere.chain(join_all(tried).await) {
            match answer {
                Ok(commands) => lacking.extend(commands),
                Err(refused @ StoreError::Refused(_)) => return Err(refused),
                Err(error) => unknown = Some(error),
            }
        }
        if lacking.is_empty() { unknown.map_or(Ok(()), Err) } else { Err(told_of(&lacking)) }
    }
}

/// What is lacking where this was asked.
fn answered_there(answer: Value) -> Result<Vec<String>, StoreError> {
    answer.extract_error().map(|_| Vec::new()).map_err(|error| told(&error))
}

fn told_of(lacking: &BTreeSet<String>) -> StoreError {
    let commands: Vec<String> = lacking.iter().map(|command| format!("`{command}`")).collect();
    let commands = commands.join(", ");
    StoreError::Refused(format!(
        "Redis does not let the user use {commands} on our keys; `ACL SETUSER <user> {RIGHTS}` gives all that is needed"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a script is asked to do, or a pipeline: the words that follow this.
    fn commands<'a>(text: &'a str, after: &'a str) -> impl Iterator<Item = String> + 'a {
        let words = text.split(after).skip(1);
        let word = words.map(|rest| rest.split(|it: char| !it.is_ascii_uppercase()).next());
        word.flatten().filter(|word| !word.is_empty()).map(str::to_owned)
    }

    /// What is needed is tried: a script or a pipeline that uses another command is found here.
    #[test]
    fn all_that_is_asked_of_redis_is_tried() {
        let tried: BTreeSet<_> =
            ["\n  { '", "try('"].iter().flat_map(|after| commands(TRIES, after)).collect();
        let scripts = [
            include_str!("../lua/commit.lua"),
            include_str!("../lua/due.lua"),
            include_str!("../lua/claim.lua"),
            include_str!("../lua/settle.lua"),
            include_str!("../lua/put_off.lua"),
            include_str!("../lua/swap.lua"),
            include_str!("../lua/swap_small.lua"),
        ];
        let in_scripts = scripts.iter().flat_map(|script| {
            ["call('", "ask('"].iter().flat_map(|after| commands(script, after))
        });
        let sources =
            [include_str!("../redis.rs"), include_str!("claims.rs"), include_str!("records.rs")];
        let in_pipelines = sources.iter().flat_map(|source| commands(source, "cmd(\""));
        // Whoever may not do these is told so when the server starts.
        let apart = ["PING", "EVALSHA"].map(str::to_owned);
        let needed: BTreeSet<_> =
            in_scripts.chain(in_pipelines).filter(|word| !apart.contains(word)).collect();
        let untried: Vec<_> = needed.difference(&tried).collect();
        assert!(untried.is_empty(), "{untried:?}");
        assert!(needed.len() > 20, "{needed:?}");
    }
}
