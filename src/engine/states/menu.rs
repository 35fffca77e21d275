//! `menu`: one key or phrase.

use super::super::event::Heard;
use super::super::listen::{Expect, Given, GivesUp};
use super::super::machine::{Asks, Machine, Next};
use super::super::reply::Input;
use super::super::spoken;
use crate::flow::outcome::Outcome;
use crate::flow::states::menu::Menu;

pub(super) fn enter(m: &mut Machine<'_>, menu: &Menu) -> Asks<Next> {
    m.listen(&menu.listen, &expect(menu))
}

pub(super) fn resume(m: &mut Machine<'_>, menu: &Menu, heard: &Heard) -> Asks<Next> {
    let gives_up = GivesUp { silent: Outcome::NoInput, otherwise: Outcome::NoMatch };
    let expect = expect(menu);
    let given = Given::of(heard);
    let chosen = match &given {
        Given::Silence => return m.missed(&menu.listen, &expect, true, &gives_up),
        Given::Star => match menu.keys.get(&'*') {
            Some(target) => Some(target),
            None => return m.repeat(&menu.listen, &expect, &gives_up),
        },
        Given::Keys(keys) => {
            let mut keys = keys.chars();
            let key = keys.next().filter(|_| keys.next().is_none());
            key.and_then(|key| menu.keys.get(&key))
        }
        // The longest phrase that was said: "new card" goes before "card".
        Given::Said(said) => menu
            .phrases
            .iter()
            .filter(|(phrase, _)| spoken::contains(said, phrase))
            .max_by_key(|(phrase, _)| phrase.chars().count())
            .map(|(_, target)| target),
    };
    match chosen {
        Some(target) => Ok(Next::Goto(target.state.clone())),
        None => m.missed(&menu.listen, &expect, false, &gives_up),
    }
}

fn expect(menu: &Menu) -> Expect {
    let input = match (menu.keys.is_empty(), menu.phrases.is_empty()) {
        (true, _) => Input::Speech,
        (false, true) => Input::Dtmf,
        (false, false) => Input::DtmfSpeech,
    };
    Expect {
        input,
        digits: Some(1),
        hash_ends: !menu.keys.contains_key(&'#'),
        hints: menu.phrases.keys().cloned().collect(),
    }
}
