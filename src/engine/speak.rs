//! Prompts become what is heard.

use std::collections::BTreeMap;

use super::audit::Hearer;
use super::disclosure::Guarded;
use super::machine::{Asks, Machine};
use super::reply::{Audible, Speech, Verb, Words};
use crate::flow::locale::Locale;
use crate::flow::prompt::{Piece, Prompt};
use crate::flow::template::{Filling, Template, Use};
use crate::flow::value::Value;
use crate::flow::wording::{self, Wording};
use crate::secret::Secret;

impl Machine<'_> {
    /// Speaks a prompt; `false`: it could not be filled in.
    pub(super) fn say(&mut self, prompt: &Prompt) -> Asks<bool> {
        let heard = self.audible(prompt)?;
        let spoken = heard.is_some();
        self.reply.verbs.extend(heard.unwrap_or_default().into_iter().map(Verb::Hear));
        self.told(Hearer::Caller);
        Ok(spoken)
    }

    /// What a prompt sounds like now; `None`: it could not be filled in.
    pub(super) fn audible(&mut self, prompt: &Prompt) -> Asks<Option<Vec<Audible>>> {
        let mut heard = Vec::new();
        let Some(flow) = self.flow() else { return Ok(None) };
        for piece in &prompt.pieces {
            match piece {
                Piece::Pause(seconds) => heard.push(Audible::Pause(*seconds)),
                Piece::Play(sounds) => {
                    let sound = sounds.pick(&self.call.locale, &flow.locale);
                    heard.extend(sound.map(|(_, address)| Audible::Play(address.clone())));
                }
                Piece::Text(texts) => {
                    let Some((written, template)) = texts.pick(&self.call.locale, &flow.locale)
                    else {
                        continue;
                    };
                    let locale = self.spoken_locale(written);
                    let Some(text) = self.fill(template, &locale, None)? else { return Ok(None) };
                    heard.push(self.speech(vec![Words::Text(text)], &locale));
                }
            }
        }
        Ok(Some(heard))
    }

    /// A text filled in to be heard. What may not be heard now is left out, whatever the checker said.
    pub(super) fn fill(
        &mut self,
        template: &Template,
        locale: &Locale,
        code: Option<&str>,
    ) -> Asks<Option<String>> {
        self.filled(template, locale, code, true)
    }

    /// A text filled in to become a variable: the variables in it bring their labels.
    pub(super) fn fill_unheard(
        &mut self,
        template: &Template,
        locale: &Locale,
    ) -> Asks<Option<String>> {
        self.filled(template, locale, None, false)
    }

    fn filled(
        &mut self,
        template: &Template,
        locale: &Locale,
        code: Option<&str>,
        is_told: bool,
    ) -> Asks<Option<String>> {
        let wants_account = template.uses.iter().any(|used| matches!(used, Use::Field(_)));
        let account = if wants_account { self.account()? } else { None };
        let Some(flow) = self.flow() else { return Ok(None) };
        let mut fields: BTreeMap<&str, &Value> = BTreeMap::new();
        let mut variables: BTreeMap<&str, Option<&Value>> = BTreeMap::new();
        let mut guarded = Vec::new();
        for used in &template.uses {
            match used {
                Use::Field(name) if self.may_use(name) => {
                    let value = account.as_ref().and_then(|a| a.fields.get(name.as_str()));
                    fields.extend(value.map(|value| (name.as_str(), value)));
                    guarded.extend(value.map(|_| used));
                }
                Use::Variable(name) => {
                    let variable = self.call.variables.get(name);
                    let heard = !is_told || self.may_hear(name);
                    let has_level = variable.is_some_and(|variable| !variable.label.is_empty());
                    guarded.extend((heard && has_level).then_some(used));
                    let value = variable.map(|it| heard.then_some(&it.value));
                    variables.extend(value.map(|value| (name.as_str(), value)));
                }
                Use::Field(_) | Use::Code => {}
            }
        }
        let currency = flow.currency_in(self.start_flow());
        let filling = Filling { fields, variables, code, locale, currency };
        let text = template.fill(&filling);
        if is_told {
            match text {
                Some(_) => guarded.into_iter().for_each(|used| self.fill_in(used)),
                None => self.filled_in = Guarded::default(),
            }
        }
        Ok(text)
    }

    /// Speaks words of callgate's own.
    pub(super) fn say_own(&mut self, words: impl Fn(&'static Wording) -> String) {
        let speech = self.own(words);
        self.reply.verbs.push(Verb::Hear(speech));
    }

    /// Words of callgate's own.
    pub(super) fn own(&self, words: impl Fn(&'static Wording) -> String) -> Audible {
        let locale = wording::spoken_in(&self.call.locale);
        let text = words(wording::of(&locale));
        self.speech(vec![Words::Text(text)], &locale)
    }

    /// Speaks a code, digit by digit.
    pub(super) fn say_code(&mut self, code: &Secret) {
        let locale = wording::spoken_in(&self.call.locale);
        let speech = self.speech(vec![Words::Digits(code.clone())], &locale);
        self.reply.verbs.push(Verb::Hear(speech));
    }

    /// The language of a text written in `written`, as spoken to this caller: the variety of the caller's
    /// country, if it is the same language.
    fn spoken_locale(&self, written: &Locale) -> Locale {
        let same = written.language() == self.call.locale.language();
        if same { self.call.locale.clone() } else { written.clone() }
    }

    fn speech(&self, words: Vec<Words>, locale: &Locale) -> Audible {
        let voices = self.flow().map(|flow| flow.voices_in(self.start_flow()));
        let voice = voices.and_then(|voices| {
            locale.chain().find_map(|tag| {
                voices.0.iter().find(|(known, _)| known.as_str() == tag).map(|(_, voice)| voice)
            })
        });
        Audible::Say(Speech { words, locale: locale.to_string(), voice: voice.cloned() })
    }
}
