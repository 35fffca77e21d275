//! Two editions of a flow in one picture: what was added, removed and changed.

use toml::{Table, Value};

use super::{Card, Mark, Picture, Way, of};
use crate::flow::Flow;

/// The picture of the new edition, with what is no more of the old one in it.
///
/// A state is changed if what is written in it is: comments and layout do not count. Its remark names
/// the keys.
pub fn between(old: &Flow, new: &Flow) -> Picture {
    let (before, mut picture) = (of(old), of(new));
    let (old_text, new_text) = (table(old), table(new));
    for card in &mut picture.cards {
        let keys = changed_keys(&state(&old_text, &card.name), &state(&new_text, &card.name));
        if !before.cards.iter().any(|other| other.name == card.name) {
            card.mark = Mark::Added;
        } else if !keys.is_empty() {
            card.mark = Mark::Changed;
            card.remark = keys.join(", ");
        }
    }
    for card in &before.cards {
        if number(&picture, &card.name).is_none() {
            picture.cards.push(Card { mark: Mark::Removed, starts: false, ..card.clone() });
        }
    }
    mark_ways(&before, &mut picture);
    let settings = changed_keys(&old_text, &new_text);
    let settings = settings.iter().filter(|key| !matches!(key.as_str(), "name" | "states"));
    picture.notes.extend(settings.map(|key| format!("`{key}` is changed")));
    picture.title = if old.name == new.name {
        format!("{}: what changed", new.name)
    } else {
        format!("{} → {}", old.name, new.name)
    };
    picture.marks = vec![Mark::Added, Mark::Removed, Mark::Changed];
    picture
}

/// Marks each label of each way: one that both have stays plain.
fn mark_ways(before: &Picture, picture: &mut Picture) {
    let old: Vec<_> =
        before.ways.iter().filter_map(|way| renumbered(before, picture, way)).collect();
    let mut ways = Vec::new();
    for way in &picture.ways {
        let twin = old.iter().find(|other| same(other, way));
        let kept = |label: &String| twin.is_some_and(|twin| twin.labels.contains(label));
        ways.extend(part(way, Mark::Plain, kept));
        ways.extend(part(way, Mark::Added, |label| !kept(label)));
    }
    for way in &old {
        let twin = picture.ways.iter().find(|other| same(other, way));
        let gone = |label: &String| twin.is_none_or(|twin| !twin.labels.contains(label));
        ways.extend(part(way, Mark::Removed, gone));
    }
    picture.ways = ways;
}

fn part(way: &Way, mark: Mark, keep: impl Fn(&String) -> bool) -> Option<Way> {
    let labels: Vec<_> = way.labels.iter().filter(|label| keep(label)).cloned().collect();
    (!labels.is_empty()).then(|| Way { labels, mark, ..way.clone() })
}

fn same(one: &Way, other: &Way) -> bool {
    (one.from, one.to, one.sort) == (other.from, other.to, other.sort)
}

fn renumbered(before: &Picture, picture: &Picture, way: &Way) -> Option<Way> {
    let find = |index: usize| number(picture, &before.cards.get(index)?.name);
    Some(Way { from: find(way.from)?, to: find(way.to)?, ..way.clone() })
}

fn number(picture: &Picture, name: &str) -> Option<usize> {
    picture.cards.iter().position(|card| card.name == name)
}

fn table(flow: &Flow) -> Table {
    flow.text.parse().unwrap_or_default()
}

fn state(text: &Table, name: &str) -> Table {
    let state = text.get("states").and_then(|states| states.get(name));
    state.and_then(Value::as_table).cloned().unwrap_or_default()
}

fn changed_keys(old: &Table, new: &Table) -> Vec<String> {
    let both = new.keys().chain(old.keys().filter(|key| !new.contains_key(*key)));
    both.filter(|key| old.get(*key) != new.get(*key)).cloned().collect()
}
