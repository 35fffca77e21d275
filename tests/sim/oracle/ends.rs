//! What is left when everything is over: no call that goes on, no effect that was lost, nothing done more
//! often than it may be.

use std::collections::{BTreeMap, HashSet};

use callgate::engine::effect::Effect;
use callgate::engine::id::CallId;
use callgate::engine::policy::Policy;
use jiff::Timestamp;

use super::{Books, Oracle};
use crate::sim::world::World;

/// What somebody is sent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Code,
    Notice,
    Ring,
}

impl Oracle {
    /// Looks at what is left when everything is over.
    pub(crate) async fn is_over(&self, world: &World) {
        let calls = callgate::store::Store::calls(world.ground.as_ref(), 1_000).await.unwrap();
        let mut stands = HashSet::new();
        for id in calls {
            let call = world.watcher.load(id).await.unwrap().unwrap().call;
            if call.end.is_none() {
                let at = &call.at;
                self.violated(format!("{id}: has not ended, in {}.{}", at.flow, at.state));
            }
            for entry in world.watcher.journal(id).await.unwrap() {
                stands.extend(entry.effects);
            }
        }
        let mut books = self.0.lock().unwrap();
        let lost: Vec<_> = books
            .effects
            .iter()
            .filter(|(id, _)| stands.contains(id) && !books.settled.contains(id))
            .map(|(_, (call, effect, _))| format!("{call}: {} was lost", effect.name()))
            .collect();
        for lost in lost {
            books.violated(lost);
        }
        books.bounds(world);
    }
}

impl Books {
    /// What is bounded is within its bounds; a fail-over adds what it has lost.
    fn bounds(&mut self, world: &World) {
        let policy = Policy::default();
        let lost = usize::try_from(self.tally.writes_lost).unwrap();
        let mut found = Vec::new();
        for ((account, factor), attempts) in &self.attempts {
            let wrong: Vec<_> =
                attempts.iter().filter(|(_, right)| !right).map(|(at, _)| *at).collect();
            let right = attempts.len() - wrong.len();
            let limit = usize::try_from(policy.pin.soft_limit).unwrap() * (1 + right) + lost;
            let span = i64::from(policy.pin.soft_lock_s);
            if most_within(&wrong, span) > limit {
                let count = wrong.len();
                found.push(format!("{account}: {count} attempts at {factor}, over {limit}"));
            }
        }
        let mut sends: BTreeMap<(String, Kind), Vec<Timestamp>> = BTreeMap::new();
        for (_, effect, at) in self.effects.values() {
            let (to, kind) = match effect {
                Effect::SendSms(sms) if sms.code_until.is_none() => {
                    (sms.to.as_e164(), Kind::Notice)
                }
                Effect::SendSms(sms) => (sms.to.as_e164(), Kind::Code),
                Effect::BeginVerification(begin) => (begin.to.as_e164(), Kind::Code),
                Effect::SendEmail(mail) if mail.code_until.is_none() => {
                    (mail.to.expose(), Kind::Notice)
                }
                Effect::PlaceCall(place) => (place.to.as_e164(), Kind::Ring),
                _ => continue,
            };
            sends.entry((to.to_owned(), kind)).or_default().push(*at);
        }
        for ((to, kind), mut at) in sends {
            at.sort_unstable();
            let (limit, span) = match kind {
                Kind::Code => (policy.otp.sends_per_10min, 600),
                Kind::Notice => (policy.notices.per_day, 86_400),
                Kind::Ring => (policy.callback.per_account_h, 3_600),
            };
            if most_within(&at, span) > usize::try_from(limit).unwrap() + lost {
                found.push(format!("{to}: more messages or rings than {limit} in {span} s"));
            }
        }
        let mut rung: BTreeMap<(CallId, u16), u64> = BTreeMap::new();
        for placed in world.telco.all_placed() {
            *rung.entry((placed.call, placed.leg.0)).or_default() += 1;
        }
        for ((call, leg), times) in rung.into_iter().filter(|(_, times)| *times > 1) {
            self.tally.rung_again += times - 1;
            if times - 1 > self.tally.fail_overs {
                found.push(format!("{call}: leg {leg} was rung twice or more: {times} times"));
            }
        }
        let mut again: BTreeMap<&str, u32> = BTreeMap::new();
        let messages = world.telco.messages();
        for message in messages.values() {
            self.tally.sent_again += u64::from(message.times - 1);
            // One without a code is like others, and is sent again unasked; the provider's own it knows itself.
            if message.code.len() == 6 && !world.codes_by_provider {
                *again.entry(&message.to).or_default() += message.times - 1;
            }
        }
        for (to, times) in again {
            if times > world.telco.unsaid(to) && self.tally.fail_overs == 0 {
                found.push(format!(
                    "{to}: a message was sent again that the provider would have told of"
                ));
            }
        }
        for ((to, entry), times) in world.others.asked() {
            let keyed = self.keyed.values().filter(|keyed| keyed.contains(&entry)).count();
            if times as usize > keyed && self.tally.fail_overs == 0 {
                found.push(format!(
                    "{to}: an entry was asked about {times} times, and keyed {keyed} times"
                ));
            }
        }
        self.tally.looked_for = world.telco.looked_for();
        self.tally.mails = world.others.mails();
        self.tally.look_ups = world.others.look_ups();
        for it in found {
            self.violated(it);
        }
    }
}

/// The most moments, in order, within so many seconds.
fn most_within(at: &[Timestamp], span_s: i64) -> usize {
    let within = |(n, from): (usize, &Timestamp)| {
        at[n..].iter().take_while(|to| to.as_second() - from.as_second() < span_s - 5).count()
    };
    at.iter().enumerate().map(within).max().unwrap_or_default()
}
