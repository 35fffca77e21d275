//! Rings under way, by the number that is rung and the line that rings.
//!
//! The provider's list of calls bears no mark of ours: two rings from one line to one number look alike there. So
//! they are placed one at a time, the next one only when we know what became of the last. Then a call that has
//! appeared in the list since, and is none of those whose names we know, can only be the one that was placed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Exchange, ExchangeError};
use crate::engine::effect::PlaceCall;
use crate::engine::id::{EffectId, Sid};
use crate::engine::turn::later;
use crate::limits;
use crate::store::RecordKey;

const RECORD: &str = "ring";

/// What we know of a line's rings to a number.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Rings {
    /// The one that is being placed.
    #[serde(default)]
    placing: Option<Placing>,
    /// Those placed before, as long as they could be mistaken for another one.
    #[serde(default)]
    placed: Vec<Placed>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Placing {
    effect: EffectId,
    /// When it was first tried.
    since: Timestamp,
    /// Until when no other ring is placed, unless we learn earlier what became of this one.
    until: Timestamp,
    /// Until when the provider may still place it, unless we have heard from it since it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    late_until: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Placed {
    effect: EffectId,
    sid: Sid,
    at: Timestamp,
}

/// Whether a ring may be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leave {
    /// It may.
    Given {
        /// When it was first tried.
        since: Timestamp,
        /// Other calls of the line to the number.
        others: Vec<Sid>,
        /// Whether the provider may still place it: then it is only looked for.
        late: bool,
    },
    /// It was, and this is the provider's name for it.
    Placed(Sid),
    /// Not yet: nobody knows what became of another ring.
    NotYet,
}

impl Rings {
    /// `asked_at`: when it may first have been tried, if it was tried and this record is lost.
    fn begin(&mut self, effect: EffectId, asked_at: Timestamp, now: Timestamp) -> Leave {
        self.placed.retain(|placed| {
            now.duration_since(placed.at).unsigned_abs() <= limits::RING_UNTOLD_FOR * 2
        });
        if let Some(placed) = self.placed.iter().find(|placed| placed.effect == effect) {
            return Leave::Placed(placed.sid.clone());
        }
        let under_way = self.placing.as_ref().filter(|placing| placing.until > now);
        if under_way.is_some_and(|placing| placing.effect != effect) {
            return Leave::NotYet;
        }
        let before = self.placing.take().filter(|placing| placing.effect == effect);
        let since = before.as_ref().map_or(asked_at, |placing| placing.since);
        let late_until = before.and_then(|placing| placing.late_until).filter(|until| now < *until);
        let until = later(now, limits::RING_UNTOLD_FOR);
        // Whoever dies once the provider was asked can tell nobody, so this stands there before it is.
        let asked_until = Some(later(now, limits::RING_LATE_FOR));
        self.placing =
            Some(Placing { effect, since, until, late_until: late_until.or(asked_until) });
        let others = self.placed.iter().map(|placed| placed.sid.clone()).collect();
        Leave::Given { since, others, late: late_until.is_some() }
    }

    fn be_late(&mut self, effect: EffectId, tried_at: Timestamp) {
        if let Some(placing) = self.placing.as_mut().filter(|placing| placing.effect == effect) {
            placing.late_until = Some(later(tried_at, limits::RING_LATE_FOR));
        }
    }

    fn be_heard_of(&mut self, effect: EffectId) {
        if let Some(placing) = self.placing.as_mut().filter(|placing| placing.effect == effect) {
            placing.late_until = None;
        }
    }

    fn end(&mut self, effect: EffectId, placed: Option<&Sid>, now: Timestamp) {
        if let Some(placing) = self.placing.as_mut().filter(|placing| placing.effect == effect) {
            placing.until = placing.until.min(now);
            placing.late_until = None;
        }
        if let Some(sid) = placed
            && !self.placed.iter().any(|placed| placed.sid == *sid)
        {
            self.placed.push(Placed { effect, sid: sid.clone(), at: now });
        }
    }
}

impl Exchange {
    /// Asks for leave to ring this number from this line, before ringing. `again`: it may already have been rung.
    pub async fn begin_ring(
        &self,
        effect: EffectId,
        call: &PlaceCall,
        again: bool,
    ) -> Result<Leave, ExchangeError> {
        let now = self.now();
        let asked_at = if again { call.asked_at.min(now) } else { now };
        let begin = |rings: &mut Rings| rings.begin(effect, asked_at, now);
        self.begin_record(&self.ring_key(call), limits::RING_UNTOLD_FOR * 2, now, begin).await
    }

    /// Reports what became of a ring: the provider's name for it, or that it was certainly not placed this time.
    pub async fn end_ring(
        &self,
        effect: EffectId,
        call: &PlaceCall,
        placed: Option<&Sid>,
    ) -> Result<(), ExchangeError> {
        let now = self.now();
        let end = |rings: &mut Rings| rings.end(effect, placed, now);
        self.change_record(&self.ring_key(call), limits::RING_UNTOLD_FOR * 2, now, end).await
    }

    /// Reports that the provider was asked for a ring then, and that nothing has been heard of it since.
    pub async fn leave_ring(
        &self,
        effect: EffectId,
        call: &PlaceCall,
        tried_at: Timestamp,
    ) -> Result<(), ExchangeError> {
        let late = |rings: &mut Rings| rings.be_late(effect, tried_at);
        let kept_for = limits::RING_UNTOLD_FOR * 2;
        self.change_record(&self.ring_key(call), kept_for, self.now(), late).await
    }

    /// Reports that the provider has been heard from, though it did not say whether it placed the ring: it will not
    /// do so later.
    pub async fn hear_of_ring(
        &self,
        effect: EffectId,
        call: &PlaceCall,
    ) -> Result<(), ExchangeError> {
        let heard = |rings: &mut Rings| rings.be_heard_of(effect);
        let kept_for = limits::RING_UNTOLD_FOR * 2;
        self.change_record(&self.ring_key(call), kept_for, self.now(), heard).await
    }

    fn ring_key(&self, call: &PlaceCall) -> RecordKey {
        let of = [call.to.as_e164().as_bytes(), call.from.as_bytes()];
        RecordKey { kind: RECORD, id: self.vault.keyed_hex(RECORD, &of) }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn given(since: i64, others: &[&str]) -> Leave {
        let others = others.iter().map(|sid| Sid((*sid).into())).collect();
        Leave::Given { since: at(since), others, late: false }
    }

    #[test]
    fn one_is_placed_at_a_time_and_the_next_when_it_is_known_what_became_of_it() {
        let [one, two] = [1, 2].map(|n| EffectId(Uuid::from_u128(n)));
        let mut rings = Rings::default();
        assert_eq!(rings.begin(one, at(0), at(0)), given(0, &[]));
        assert_eq!(rings.begin(two, at(1), at(1)), Leave::NotYet);
        rings.be_heard_of(one);
        assert_eq!(rings.begin(one, at(9), at(9)), given(0, &[]), "tried again");
        let sid = Sid("CA1".into());
        rings.end(one, Some(&sid), at(10));
        assert_eq!(rings.begin(one, at(11), at(11)), Leave::Placed(sid.clone()));
        assert_eq!(rings.begin(two, at(11), at(11)), given(11, &["CA1"]));
        rings.end(one, Some(&sid), at(12));
        rings.end(two, None, at(12));
        assert_eq!(rings.placed.len(), 1, "{rings:?}");
        let three = EffectId(Uuid::from_u128(3));
        assert_eq!(
            rings.clone().begin(two, at(13), at(13)),
            given(11, &["CA1"]),
            "not placed that time"
        );
        assert_eq!(rings.begin(three, at(13), at(13)), given(13, &["CA1"]), "nor is it waited for");
        assert_eq!(rings.begin(two, at(14), at(14)), Leave::NotYet);
    }

    /// Whoever asked may have died: then nobody has said that the provider was silent.
    #[test]
    fn a_ring_of_which_nothing_is_heard_may_come_for_a_while() {
        let one = EffectId(Uuid::from_u128(1));
        let late = |since, late| Leave::Given { since: at(since), others: Vec::new(), late };
        let over = i64::try_from(limits::RING_LATE_FOR.as_secs()).unwrap();
        let mut rings = Rings::default();
        assert_eq!(rings.begin(one, at(0), at(0)), late(0, false));
        assert_eq!(rings.begin(one, at(1), at(1)), late(0, true), "it is only looked for");
        assert_eq!(rings.begin(one, at(over - 1), at(over - 1)), late(0, true), "not for longer");
        assert_eq!(rings.begin(one, at(over), at(over)), late(0, false), "and is asked for again");
        assert_eq!(rings.begin(one, at(over + 1), at(over + 1)), late(0, true));
        rings.be_late(one, at(over + 9));
        assert_eq!(
            rings.begin(one, at(over * 2 + 8), at(over * 2 + 8)),
            late(0, true),
            "asked late"
        );
        rings.end(one, None, at(over + 2));
        assert_eq!(rings.begin(one, at(over + 2), at(over + 2)), late(0, false), "it was refused");
    }

    #[test]
    fn nobody_waits_for_ever_for_a_ring_of_which_nothing_is_heard() {
        let [one, two] = [1, 2].map(|n| EffectId(Uuid::from_u128(n)));
        let mut rings = Rings::default();
        let over = i64::try_from(limits::RING_UNTOLD_FOR.as_secs()).unwrap();
        rings.begin(one, at(0), at(0));
        assert_eq!(rings.begin(two, at(over - 1), at(over - 1)), Leave::NotYet);
        assert_eq!(rings.begin(two, at(over), at(over)), given(over, &[]));
        assert_eq!(
            rings.begin(one, at(over + 1), at(over + 1)),
            Leave::NotYet,
            "the leave is another's"
        );
    }
}
