//! Listening: what was heard, what is asked again, and when a state gives up.

use super::audit::Hearer;
use super::event::Heard;
use super::machine::{Asks, Machine, Next};
use super::reply::{Audible, Gather, Input, Verb};
use super::turn::Remark;
use crate::flow::outcome::Outcome;
use crate::flow::prompt::Prompt;
use crate::flow::state::Listen;
use crate::limits;

/// What a state listens for.
#[derive(Clone, Debug)]
pub(super) struct Expect {
    pub(super) input: Input,
    /// How many keys, if that is known.
    pub(super) digits: Option<u32>,
    /// Whether `#` ends the entry.
    pub(super) hash_ends: bool,
    /// Words likely to be said.
    pub(super) hints: Vec<String>,
}

impl Expect {
    /// Keys, and speech if the state takes it.
    pub(super) fn keys(digits: Option<u32>, speech: bool) -> Self {
        let input = if speech { Input::DtmfSpeech } else { Input::Dtmf };
        Self { input, digits, hash_ends: true, hints: Vec::new() }
    }
}

/// What a caller gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// Nothing.
    Silence,
    /// The star key alone.
    Star,
    /// Keys.
    Keys(String),
    /// Speech.
    Said(String),
}

impl Given {
    pub(super) fn of(heard: &Heard) -> Self {
        let (keys, said) = (heard.digits.expose(), heard.speech.expose().trim());
        match (keys, said) {
            ("*", _) => Self::Star,
            ("", "") => Self::Silence,
            ("", said) => Self::Said(said.to_owned()),
            (keys, _) => Self::Keys(keys.to_owned()),
        }
    }
}

/// Whether these are only digits, and as many as there must be if that is known.
pub(super) fn are_digits(keys: &str, count: Option<u32>) -> bool {
    let is_as_long = count.is_none_or(|count| usize::try_from(count) == Ok(keys.len()));
    is_as_long && keys.bytes().all(|b| b.is_ascii_digit())
}

/// How a state ends when its tries are used up.
#[derive(Clone, Debug)]
pub(super) struct GivesUp {
    /// The last try was silent.
    pub(super) silent: Outcome,
    /// The last try was not what was asked for.
    pub(super) otherwise: Outcome,
}

impl GivesUp {
    /// With the same outcome either way.
    pub(super) fn with(outcome: Outcome) -> Self {
        Self { silent: outcome.clone(), otherwise: outcome }
    }
}

impl Machine<'_> {
    /// Asks, in the wording of the present try.
    pub(super) fn listen(&mut self, listen: &Listen, expect: &Expect) -> Asks<Next> {
        self.listen_as(listen.wording(self.call.visit.tries), listen, expect)
    }

    fn listen_as(&mut self, wording: &Prompt, listen: &Listen, expect: &Expect) -> Asks<Next> {
        let Some(prompt) = self.audible(wording)? else {
            return Ok(Next::Fault(Remark::Unspeakable));
        };
        let timeout_s = u32::try_from(listen.timeout.as_secs()).unwrap_or(5).max(1);
        self.gather(prompt, expect, timeout_s, listen.barge_in);
        self.told(Hearer::Caller);
        Ok(Next::Wait)
    }

    /// Listens on the leg spoken to.
    pub(super) fn gather(
        &mut self,
        prompt: Vec<Audible>,
        expect: &Expect,
        timeout_s: u32,
        barge_in: bool,
    ) {
        self.reply.verbs.push(Verb::Gather(Gather {
            prompt,
            input: expect.input,
            digits: expect.digits,
            hash_ends: expect.hash_ends,
            timeout_s,
            action: self.nonce,
            locale: self.call.locale.to_string(),
            hints: expect.hints.clone(),
            barge_in,
        }));
    }

    /// Nothing was given, or nothing usable: asks again, or gives up. A call that has had as many of these as are
    /// allowed is no caller who makes mistakes, and each state gives up at once.
    pub(super) fn missed(
        &mut self,
        listen: &Listen,
        expect: &Expect,
        silent: bool,
        gives_up: &GivesUp,
    ) -> Asks<Next> {
        self.unusable = true;
        self.call.input_errors = self.call.input_errors.saturating_add(1);
        self.failed(listen, expect, silent, gives_up)
    }

    /// The try has failed: asks again, or gives up.
    pub(super) fn failed(
        &mut self,
        listen: &Listen,
        expect: &Expect,
        silent: bool,
        gives_up: &GivesUp,
    ) -> Asks<Next> {
        self.call.visit.tries = self.call.visit.tries.saturating_add(1);
        let too_many = self.call.input_errors > self.setting.policy.shared.input_errors_per_call;
        if too_many || self.call.visit.tries >= listen.tries {
            let outcome = if silent { &gives_up.silent } else { &gives_up.otherwise };
            return Ok(Next::Take(outcome.clone()));
        }
        self.listen(listen, expect)
    }

    /// The caller wants to hear it again: a few times this costs no try.
    pub(super) fn repeat(
        &mut self,
        listen: &Listen,
        expect: &Expect,
        gives_up: &GivesUp,
    ) -> Asks<Next> {
        if self.too_many_repeats() {
            return self.missed(listen, expect, false, gives_up);
        }
        self.listen(listen, expect)
    }

    /// The same, in the wording of the first try: for an entry that begins again. The tries already used stay
    /// used.
    pub(super) fn begin_again(
        &mut self,
        listen: &Listen,
        expect: &Expect,
        gives_up: &GivesUp,
    ) -> Asks<Next> {
        if self.too_many_repeats() {
            return self.missed(listen, expect, false, gives_up);
        }
        self.listen_as(&listen.prompt, listen, expect)
    }

    fn too_many_repeats(&mut self) -> bool {
        self.call.visit.repeats = self.call.visit.repeats.saturating_add(1);
        self.call.visit.repeats > limits::REPEATS_MAX
    }
}
