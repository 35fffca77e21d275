//! What an operator should know of this Redis before the first call.
//!
//! A Redis that is too old, that throws keys away when it is full, or that forgets everything when it restarts
//! will work for a day, and then lose calls. So this is said at the start.

use std::collections::HashMap;

use ::redis::{InfoDict, Value, cmd, from_redis_value};
use jiff::{SignedDuration, Timestamp};

use super::super::StoreError;
use super::certificate;
use super::link::{Again, Link, Question};
use super::told::unreadable;
use crate::limits::STORE_CLOCK_APART_MAX;

/// Setting many fields with one `HSET`, and `EXISTS` and `PTTL` in scripts, came earlier; nobody maintains older
/// versions.
const OLDEST: (u32, u32) = (6, 2);

pub(super) async fn of(link: &Link, now: Timestamp) -> Result<Vec<String>, StoreError> {
    let info: Vec<Value> = link.ask(Question::Everywhere(&cmd("INFO")), Again::May).await?;
    let mut save = cmd("CONFIG");
    save.arg("GET").arg("save");
    // A user may lack the right to read the configuration, which contains passwords.
    let saves: Vec<Value> =
        link.ask(Question::Everywhere(&save), Again::May).await.unwrap_or_default();
    let mut told = Vec::new();
    for (at, info) in info.into_iter().enumerate() {
        let info: InfoDict = from_redis_value(info).map_err(|_| unreadable())?;
        let save = saves.get(at).cloned().and_then(|save| from_redis_value(save).ok());
        let some = |save: HashMap<String, String>| save.get("save").map(|when| !when.is_empty());
        about(&info, save.and_then(some), &mut told);
        told.extend(about_the_clock(&info, now));
    }
    told.dedup();
    told.extend(link.our_certificates().and_then(|chain| certificate::about(chain, now)));
    Ok(told)
}

/// The time by the median of all primaries' clocks; `None`: none of them tells.
pub(super) async fn time(link: &Link) -> Result<Option<Timestamp>, StoreError> {
    // `TIME` would be shorter, but needs a right of its own.
    let mut info = cmd("INFO");
    info.arg("server");
    let told: Vec<Value> = link.ask(Question::Everywhere(&info), Again::May).await?;
    let told = told.into_iter().filter_map(|info| time_of(&from_redis_value(info).ok()?));
    let mut times: Vec<_> = told.collect();
    times.sort_unstable();
    Ok(times.get(times.len() / 2).copied())
}

fn time_of(info: &InfoDict) -> Option<Timestamp> {
    Timestamp::from_microsecond(info.get("server_time_usec")?).ok()
}

/// `snapshots`: whether it takes any; `None`: it does not say.
fn about(info: &InfoDict, snapshots: Option<bool>, told: &mut Vec<String>) {
    // Valkey puts the version of Redis that it resembles into `redis_version`.
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
        let kept = match snapshots {
            Some(true) => "snapshots only: a restart forgets the last minutes",
            Some(false) => {
                "nothing on disk: a restart forgets every call, every lock and every count of failures"
            }
            None => "snapshots at most: a restart forgets the last minutes, or everything",
        };
        told.push(format!("Redis keeps {kept}; set `appendonly yes`"));
    }
}

/// By its own clock, each server decides whether another one's lease has ended.
fn about_the_clock(info: &InfoDict, now: Timestamp) -> Option<String> {
    let apart = time_of(info)?.duration_since(now).abs();
    let most = SignedDuration::try_from(STORE_CLOCK_APART_MAX).ok()?;
    (apart > most).then(|| {
        let seconds = apart.as_secs();
        format!(
            "the clocks of Redis and of this machine are {seconds} seconds apart: where servers' are, messages go \
             out twice and late; keep all of them in step (NTP)"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(info: &str) -> Vec<String> {
        let mut told = Vec::new();
        about(&InfoDict::new(info), None, &mut told);
        told
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        for old in ["2.8.24", "5.0.14", "6.0.20"] {
            let told = told(&format!("redis_version:{old}\r\naof_enabled:1\r\n"));
            assert_eq!(told, [format!("Redis {old} is too old: take 6.2 or newer")]);
        }
        for good in ["6.2.0", "7.0.15", "8.4.0", "10.1.0", "255.255.255"] {
            let told = told(&format!("redis_version:{good}\r\naof_enabled:1\r\n"));
            assert_eq!(told, Vec::<String>::new(), "{good}");
        }
    }

    #[test]
    fn a_policy_throws_nothing_away_where_memory_is_not_bounded() {
        let info = |bytes: u64| {
            format!("maxmemory:{bytes}\nmaxmemory_policy:volatile-ttl\naof_enabled:1\n")
        };
        assert!(told(&info(0)).is_empty());
        assert!(told(&info(1))[0].contains("`maxmemory-policy volatile-ttl`"));
    }

    #[test]
    fn a_clock_that_is_not_ours_is_told_of_in_either_direction() {
        let told = |second| {
            let info = InfoDict::new("server_time_usec:1795731789013778\r\n");
            about_the_clock(&info, Timestamp::from_second(second).unwrap())
        };
        assert_eq!([told(1_795_731_785), told(1_795_731_794)], [None, None]);
        let ahead = told(1_795_731_759).unwrap();
        assert!(ahead.starts_with("the clocks of Redis and of this machine are 30 seconds apart"));
        assert!(told(1_795_735_389).unwrap().contains(" 3599 seconds apart"));
        assert_eq!(about_the_clock(&InfoDict::new("redis_version:6.2.0"), Timestamp::MAX), None);
    }
}
