//! What an operator should know of this Redis before the first call.
//!
//! A Redis that is too old, that throws keys away when it is full, or that forgets everything when it
//! starts again works for a day, and then loses calls. It is said at the start.

use std::collections::HashMap;

use ::redis::{InfoDict, Value, cmd, from_redis_value};

use super::super::StoreError;
use super::link::{Again, Link, Question, unreadable};

/// `HSET` of many fields at once and `EXISTS`, `PTTL` in scripts came earlier; older ones are kept by
/// nobody.
const OLDEST: (u32, u32) = (6, 2);

pub(super) async fn of(link: &Link) -> Result<Vec<String>, StoreError> {
    let info: Vec<Value> = link.ask(Question::Everywhere(&cmd("INFO")), Again::May).await?;
    let mut save = cmd("CONFIG");
    save.arg("GET").arg("save");
    // A user that may not read the configuration is no reason not to start.
    let saves: Vec<Value> =
        link.ask(Question::Everywhere(&save), Again::May).await.unwrap_or_default();
    let mut told = Vec::new();
    for (at, info) in info.into_iter().enumerate() {
        let info: InfoDict = from_redis_value(info).map_err(|_| unreadable())?;
        let save = saves.get(at).cloned().and_then(|save| from_redis_value(save).ok());
        let never = |save: &HashMap<String, String>| save.get("save").is_some_and(String::is_empty);
        let snapshots = !save.as_ref().is_some_and(never);
        about(&info, snapshots, &mut told);
    }
    told.dedup();
    Ok(told)
}

fn about(info: &InfoDict, snapshots: bool, told: &mut Vec<String>) {
    // Valkey says the Redis that it is like in `redis_version`.
    if let Some(version) = info.get::<String>("redis_version") {
        let mut parts = version.split('.').map_while(|part| part.parse::<u32>().ok());
        let known = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        if known < OLDEST {
            let (major, minor) = OLDEST;
            told.push(format!("Redis {version} is too old: take {major}.{minor} or newer"));
        }
    }
    let policy: Option<String> = info.get("maxmemory_policy");
    let bounded = info.get::<u64>("maxmemory").is_some_and(|bytes| bytes > 0);
    if let Some(policy) = policy.filter(|policy| bounded && policy != "noeviction") {
        told.push(format!(
            "Redis throws keys away when its memory is full (`maxmemory-policy {policy}`), calls in \
             progress among them: set it to `noeviction`"
        ));
    }
    if info.get::<u8>("aof_enabled") == Some(0) {
        told.push(if snapshots {
            "Redis keeps snapshots only: a restart forgets the last minutes; set `appendonly yes`".into()
        } else {
            "Redis keeps nothing on disk: a restart forgets every call, every lock and every count of \
             failures; set `appendonly yes`"
                .into()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(info: &str, snapshots: bool) -> Vec<String> {
        let mut told = Vec::new();
        about(&InfoDict::new(info), snapshots, &mut told);
        told
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        for old in ["2.8.24", "5.0.14", "6.0.20"] {
            let told = told(&format!("redis_version:{old}\r\naof_enabled:1\r\n"), true);
            assert_eq!(told, [format!("Redis {old} is too old: take 6.2 or newer")]);
        }
        for good in ["6.2.0", "7.0.15", "8.4.0", "10.1.0", "255.255.255"] {
            let told = told(&format!("redis_version:{good}\r\naof_enabled:1\r\n"), true);
            assert_eq!(told, Vec::<String>::new(), "{good}");
        }
    }

    #[test]
    fn a_policy_throws_nothing_away_where_memory_is_not_bounded() {
        let info = |bytes: u64| {
            format!("maxmemory:{bytes}\nmaxmemory_policy:volatile-ttl\naof_enabled:1\n")
        };
        assert!(told(&info(0), true).is_empty());
        assert!(told(&info(1), true)[0].contains("`maxmemory-policy volatile-ttl`"));
    }
}
