//! What a call that shows a way uses up: messages, rings and entries. Whether each step ends as it does on the way
//! hangs on what is left then, in this call and after an earlier one like it.

use crate::flow::level::Fact;
use crate::flow::outcome::Outcome;
use crate::limits;

/// Seconds that no way takes between two codes one of which comes too soon.
const LONG_S: u32 = 600;
/// Messages that an account gets at once, and rings, where the policy says nothing of them.
const SENDS: u32 = 5;
const RINGS: u32 = 3;

/// Who is claimed: whose messages and entries are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Whom {
    /// Nobody.
    #[default]
    Nobody,
    /// A number of so many digits that is no account's.
    Stranger(u32),
    /// The account whose number has so many digits.
    Customer(u32),
}

/// How something goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    Text,
    Mail,
    Ring,
}

/// What becomes of something that is to go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It goes out.
    Went,
    /// There is nowhere for it to go; whether nobody is to hear of that, so that it counts like one that went.
    Nowhere(bool),
    /// Too many went before.
    Limited,
}

/// Something that is to go out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Out {
    pub(super) whom: Whom,
    pub(super) means: Means,
    /// Whether it carries a code, after which the next has to wait.
    pub(super) code: bool,
    pub(super) end: End,
}

/// What an entry that is not looked at takes.
pub(super) enum Lock {
    /// The call has had its entries, or has found the lock before.
    Here,
    /// An earlier call has set the lock.
    Earlier,
}

/// What a call uses up on its way.
#[derive(Debug, Default)]
pub(super) struct Spent {
    outs: Vec<Out>,
    /// Of how many of them an earlier call has had as well.
    earlier: Option<usize>,
    /// No call ends each step so.
    fails: bool,
    /// Texts, and as many mails, to one account, after which there are none.
    sends_max: Option<u32>,
    /// Messages after which the next code of the call would have to wait for long.
    waits_after: Option<usize>,
    rings_max: Option<u32>,
    /// Wrong entries of one call.
    pub(super) entries_max: Option<u32>,
    /// Failures that lock a factor.
    pub(super) soft_limit: Option<u32>,
    right: Vec<Fact>,
    /// Of what is known, and of codes from the web.
    wrong: [u32; 2],
    locked: Vec<Fact>,
}

impl Spent {
    /// Whether a call can end each step as the way does.
    pub(super) fn holds(&self) -> bool {
        !self.fails && self.one_contact() && self.is_left_as_needed()
    }

    /// How long each code of the call waits for the one before; `None`: there are no two.
    pub(super) fn backoff_s(&self) -> Option<String> {
        if let Some(messages) = self.waits_after {
            let waits = std::iter::repeat_n("0, ", messages.saturating_sub(1));
            return Some(format!("[{}{LONG_S}]", waits.collect::<String>()));
        }
        let codes = self.outs.iter().filter(|out| out.code && out.counts());
        (codes.count() > 1).then(|| "[]".into())
    }

    /// How many messages of a kind an account gets at once; `None`: as many as anyway.
    pub(super) fn sends_allowed(&self) -> Option<u32> {
        let most = [Means::Text, Means::Mail].map(|means| self.most_of(means));
        self.sends_max.or(most.into_iter().max().filter(|most| *most > SENDS))
    }

    /// How often an account is rung in an hour.
    pub(super) fn rings_allowed(&self) -> Option<u32> {
        self.rings_max.or(Some(self.most_of(Means::Ring)).filter(|most| *most > RINGS))
    }

    /// How many of this kind go to whoever gets the most, with those of an earlier call.
    fn most_of(&self, means: Means) -> u32 {
        let of = |whom: Whom, outs: &[Out]| {
            outs.iter().filter(|out| out.counts() && out.whom == whom && out.means == means).count()
        };
        let earlier = self.outs.get(..self.earlier.unwrap_or_default()).unwrap_or_default();
        let most = self.outs.iter().map(|out| of(out.whom, &self.outs) + of(out.whom, earlier));
        u32::try_from(most.max().unwrap_or_default()).unwrap_or(u32::MAX)
    }

    /// Something is to go out; whether an earlier call must have used up what there is.
    pub(super) fn goes_out(&mut self, out: Out) -> bool {
        let (whom, means) = (out.whom, out.means);
        let went = || self.outs.iter().filter(|out| out.counts());
        let before = went().filter(|it| it.whom == whom && it.means == means).count();
        let messages = went().filter(|out| out.means != Means::Ring).count();
        let was_sent = went().any(|out| out.code);
        let is_new = !self
            .outs
            .iter()
            .any(|it| it.whom == whom && it.means == means && it.end == End::Limited);
        self.outs.push(out);
        if out.end != End::Limited || !is_new {
            return false;
        }
        let most = Some(u32::try_from(before).unwrap_or(u32::MAX).max(1));
        match means {
            Means::Ring => self.rings_max = self.rings_max.or(most),
            // It comes too soon after one that went elsewhere.
            Means::Text | Means::Mail if before == 0 && out.code && was_sent => {
                self.waits_after = self.waits_after.or(Some(messages));
                return false;
            }
            Means::Text | Means::Mail => self.sends_max = self.sends_max.or(most),
        }
        before == 0 && self.has_earlier()
    }

    /// There is an earlier call: there is one at most, which knows nothing of what a later step needs.
    fn has_earlier(&mut self) -> bool {
        self.fails |= self.earlier.is_some();
        self.earlier = Some(self.outs.len());
        true
    }

    /// A step ends so in no call that can be played.
    pub(super) fn fail(&mut self) {
        self.fails = true;
    }

    /// An entry is right.
    pub(super) fn is_right(&mut self, fact: Fact) {
        self.fails |= self.is_locked(fact);
        self.right.push(fact);
    }

    /// An entry is wrong, or is not looked at, and the caller does not hear of it.
    pub(super) fn is_wrong(&mut self, fact: Fact) {
        if let Some(wrong) = self.wrong.get_mut(group(fact)) {
            *wrong += 1;
        }
    }

    /// Entries that are as many as may be wrong end with one that is not looked at; whose they count as.
    pub(super) fn locks(&mut self, fact: Fact, tries: u8, whom: Whom) -> Lock {
        if self.is_locked(fact) {
            return Lock::Here;
        }
        let wrong = self.wrong.get(group(fact)).copied().unwrap_or_default();
        self.locked.push(fact);
        if tries > 1 || wrong > 0 {
            let most = wrong.max(1);
            self.fails |= self.entries_max.is_some_and(|max| max != most);
            self.entries_max = Some(most);
            return Lock::Here;
        }
        // The call's own entries are no other call's.
        self.fails |= whom == Whom::Nobody || self.right.contains(&fact);
        self.soft_limit = Some(1);
        self.has_earlier();
        Lock::Earlier
    }

    fn is_locked(&self, fact: Fact) -> bool {
        let alike =
            |it: &Fact| *it == fact || self.entries_max.is_some() && group(*it) == group(fact);
        self.locked.iter().any(alike)
    }

    /// Whether what is on file is the same at each step.
    fn one_contact(&self) -> bool {
        let of_customers = || self.outs.iter().filter(|out| matches!(out.whom, Whom::Customer(_)));
        [Means::Text, Means::Mail, Means::Ring].into_iter().all(|means| {
            let nowhere = |out: &Out| out.means == means && matches!(out.end, End::Nowhere(_));
            let reached = |out: &Out| out.means == means && !matches!(out.end, End::Nowhere(_));
            !(of_customers().any(nowhere) && of_customers().any(reached))
        })
    }

    /// Whether of each budget there is as much left at each step as it takes to end so.
    fn is_left_as_needed(&self) -> bool {
        let earlier = self.outs.iter().take(self.earlier.unwrap_or_default());
        // A call in which nobody is claimed leaves all to the next one.
        let earlier = earlier
            .filter(|out| out.whom != Whom::Nobody && out.end != End::Nowhere(false))
            .map(|out| (out.whom, out.means));
        let mut spent: Vec<(Whom, Means)> = earlier.collect();
        let mut messages = 0;
        self.outs.iter().all(|out| {
            let of = (out.whom, out.means);
            let own = spent.iter().filter(|it| **it == of).count();
            let is_ring = out.means == Means::Ring;
            let most = if is_ring { self.rings_max } else { self.sends_max };
            let waits = out.code && self.waits_after.is_some_and(|after| messages >= after);
            let is_over = messages >= usize::from(limits::SENDS_PER_CALL_MAX);
            let is_left = most.is_none_or(|most| u32::try_from(own).is_ok_and(|own| own < most))
                && (is_ring || !waits && !is_over);
            if out.counts() {
                spent.push(of);
                messages += usize::from(!is_ring);
            }
            out.end == End::Nowhere(false) || is_left == (out.end != End::Limited)
        })
    }
}

impl End {
    /// Of a state that sends or rings; `hides`: whether nobody is to hear that there is nowhere to.
    pub(super) fn of(outcome: &Outcome, hides: bool) -> Self {
        match outcome {
            Outcome::Unavailable => Self::Nowhere(hides),
            Outcome::Limited => Self::Limited,
            _ => Self::Went,
        }
    }
}

impl Out {
    /// Whether it is taken out of the budgets.
    fn counts(&self) -> bool {
        matches!(self.end, End::Went | End::Nowhere(true))
    }
}

/// What is known has its entries together.
fn group(fact: Fact) -> usize {
    usize::from(!matches!(fact, Fact::Pin | Fact::Passcode))
}
