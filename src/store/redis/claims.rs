//! Claiming in Redis: look what is due first in all partitions, then claim it under a lease, each in its
//! partition.

use std::collections::HashMap;

use ::redis::pipe;
use futures_util::future::join_all;

use super::super::{Claim, Due, DueWhat, StoreError, due_us, now_us};
use super::keys::{Member, OLDER_DUE, Partition};
use super::link::Again;
use super::told::unreadable;
use super::{RedisStore, call_of, text};
use crate::limits::{CLAIM_COUNT_MAX, CLAIM_ROUNDS_MAX, DEADLINES_AT_ONCE};

/// What was found due: each thing with its moment; the moment up to which all are known; and how many keys hold
/// something that callgate did not write.
struct Head {
    due: Vec<(Vec<u8>, f64)>,
    rest_from: f64,
    foreign: u64,
}

impl Head {
    fn read(found: Vec<Vec<u8>>) -> Option<Self> {
        fn number<T: std::str::FromStr>(text: Vec<u8>) -> Option<T> {
            String::from_utf8(text).ok()?.parse().ok()
        }
        let mut found = found.into_iter();
        let rest = found.next()?;
        let rest_from = if rest.is_empty() { f64::INFINITY } else { number(rest)? };
        let foreign = number(found.next()?)?;
        let mut due = Vec::with_capacity(found.len() / 2);
        while let Some(member) = found.next() {
            due.push((member, number(found.next()?)?));
        }
        Some(Self { due, rest_from, foreign })
    }
}

impl RedisStore {
    /// Claims what is due, round by round, until enough is claimed or nothing is left.
    pub(super) async fn claim_due(&self, claim: Claim) -> Result<Vec<Due>, StoreError> {
        let count_max = claim.count_max.min(CLAIM_COUNT_MAX);
        let mut due = Vec::new();
        for _ in 0..CLAIM_ROUNDS_MAX {
            let wanted = count_max.saturating_sub(due.len());
            if wanted == 0 {
                break;
            }
            match self.claim_round(claim, wanted).await {
                Ok((claimed, whole)) => {
                    due.extend(claimed);
                    if !whole {
                        break;
                    }
                }
                Err(error) if due.is_empty() => return Err(error),
                // What was claimed before is under a lease by now.
                Err(_) => break,
            }
        }
        Ok(due)
    }

    /// What is due in all partitions that answer, earliest first.
    async fn candidates(&self, claim: Claim, count_max: usize) -> Result<Vec<Member>, StoreError> {
        let partitions: Vec<Partition> = Partition::all().collect();
        let groups: Vec<&[Partition]> = self.link.together(&partitions).collect();
        // Where much is due, it is spread over all partitions, so that a few of each usually suffice.
        let few = count_max.min(count_max.div_ceil(groups.len()) + 1);
        let mut heads = join_all(groups.iter().map(|some| self.head(claim, some, few))).await;
        let last = last_of(&heads, count_max);
        let behind = groups.iter().zip(&mut heads).filter(|(_, head)| {
            few < count_max && head.as_ref().is_ok_and(|head| head.rest_from <= last)
        });
        join_all(behind.map(async |(some, head)| {
            if let Ok(more) = self.head(claim, some, count_max).await {
                *head = Ok(more);
            }
        }))
        .await;

        let (of, away) = (heads.len(), heads.iter().filter(|head| head.is_err()).count());
        if away == of {
            return Err(heads.into_iter().find_map(Result::err).unwrap_or_else(unreadable));
        }
        if away > 0 {
            tracing::warn!(away, of, "partitions of the store do not say what is due");
        }
        let foreign: u64 = heads.iter().flatten().map(|head| head.foreign).sum();
        let mut due: Vec<_> = heads.into_iter().flatten().flat_map(|head| head.due).collect();
        if foreign > 0 {
            if due.is_empty() {
                return Err(unreadable());
            }
            tracing::error!(
                foreign,
                "where the store has what is due, something else lies that callgate did not write"
            );
        }
        due.sort_by(|(a, at_a), (b, at_b)| at_a.total_cmp(at_b).then_with(|| a.cmp(b)));
        due.truncate(count_max);
        let mut damaged = Vec::new();
        let mut read = |(name, _): (Vec<u8>, f64)| {
            let member = std::str::from_utf8(&name).ok().and_then(Member::parse);
            if member.is_none() {
                damaged.push(name);
            }
            member
        };
        let members = due.into_iter().filter_map(&mut read).collect();
        if !damaged.is_empty() {
            self.drop_damaged(&damaged).await?;
        }
        Ok(members)
    }

    /// Removes names that callgate did not write from the due lists, wherever they stand: they would be looked at
    /// again and again, and what follows them would have to wait.
    async fn drop_damaged(&self, names: &[Vec<u8>]) -> Result<(), StoreError> {
        let count = names.len();
        tracing::error!(
            count,
            "what is due has names that callgate did not write; they are dropped"
        );
        let mut off = pipe();
        for partition in Partition::all() {
            off.cmd("ZREM").arg(partition.due()).arg(names);
        }
        match self.query::<()>(off.ignore()).await {
            // One key holds no such list; the others were asked all the same.
            Err(StoreError::Corrupt(_)) => Ok(()),
            done => done,
        }
    }

    /// What is due first in these partitions.
    async fn head(
        &self,
        claim: Claim,
        partitions: &[Partition],
        count_max: usize,
    ) -> Result<Head, StoreError> {
        let mut keys: Vec<String> = partitions.iter().map(|one| one.due()).collect();
        for older in OLDER_DUE {
            keys.extend(partitions.iter().map(|one| one.older_due(older)));
        }
        let mut call = call_of(&self.due, &keys);
        call.arg(now_us(claim.now)).arg(count_max).arg(DEADLINES_AT_ONCE);
        let found: Vec<Vec<u8>> = self.run(&self.due, &call, Again::May).await?;
        Head::read(found).ok_or_else(unreadable)
    }

    /// Claims what is due unless others are quicker, and says whether there may be more.
    async fn claim_round(
        &self,
        claim: Claim,
        count_max: usize,
    ) -> Result<(Vec<Due>, bool), StoreError> {
        let candidates = self.candidates(claim, count_max).await?;
        if candidates.is_empty() {
            return Ok((Vec::new(), false));
        }
        let claimed = self.take(claim, &candidates).await?;
        Ok((claimed, candidates.len() == count_max))
    }

    /// Claims those candidates that still exist and are still due. If a partition fails, what was claimed in the
    /// others is returned all the same: it is under a lease by now.
    async fn take(&self, claim: Claim, candidates: &[Member]) -> Result<Vec<Due>, StoreError> {
        let claims = self.link.together(candidates).map(async |members| {
            let due = |member: &Member| [Partition::of(member.call()).due(), member.home()];
            let mut call = call_of(&self.claim, &members.iter().flat_map(due).collect::<Vec<_>>());
            call.arg(now_us(claim.now)).arg(due_us(claim.until)).arg(text(claim.lease.0));
            for member in members {
                call.arg(member.to_string());
            }
            self.run::<Vec<(String, u32, Vec<u8>)>>(&self.claim, &call, Again::MustNot).await
        });
        let mut claimed: HashMap<String, (u32, Vec<u8>)> = HashMap::new();
        let mut failed = None;
        for answer in join_all(claims).await {
            match answer {
                Ok(some) => claimed.extend(
                    some.into_iter().map(|(member, attempt, body)| (member, (attempt, body))),
                ),
                Err(error) => {
                    tracing::warn!(%error, "a partition of the store could not be claimed from");
                    failed = Some(error);
                }
            }
        }
        if let Some(error) = failed.filter(|_| claimed.is_empty()) {
            return Err(error);
        }

        let in_order = candidates.iter().filter_map(|member| {
            let (attempt, body) = claimed.remove(&member.to_string())?;
            let what = match *member {
                Member::Deadline(_) => DueWhat::Deadline,
                Member::Effect(_, id) => DueWhat::Effect { id, body, attempt },
            };
            Some(Due { call: member.call(), lease: claim.lease, what })
        });
        Ok(in_order.collect())
    }
}

/// The moment of the last of so many that are wanted; infinity, if there are fewer.
fn last_of(heads: &[Result<Head, StoreError>], count_max: usize) -> f64 {
    let due = heads.iter().flatten().flat_map(|head| &head.due);
    let mut moments: Vec<f64> = due.map(|(_, at)| *at).collect();
    moments.sort_by(f64::total_cmp);
    count_max.checked_sub(1).and_then(|last| moments.get(last).copied()).unwrap_or(f64::INFINITY)
}
