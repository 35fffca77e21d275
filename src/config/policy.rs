//! `[policy]`: a table of its knobs, from which it is read, written and explained.

mod knobs;

use std::fmt::Write as _;

use crate::diagnostic::Finding;
use crate::document::{Item, Reader};
use crate::engine::account::Line;
use crate::engine::policy::Policy;
use crate::phone;

pub(super) use knobs::SECTIONS;

/// A section of the policy.
pub(super) struct Section {
    /// Its name, without `policy.`.
    pub(super) name: &'static str,
    /// What it is about.
    pub(super) doc: &'static str,
    /// What may stand in it.
    pub(super) knobs: &'static [Knob],
}

/// A key of the policy.
pub(super) struct Knob {
    /// Its name.
    pub(super) name: &'static str,
    /// What it holds, and where.
    pub(super) of: Of,
    /// What it does.
    pub(super) doc: &'static str,
}

/// What a knob holds, and its place in a policy.
pub(super) enum Of {
    /// A number of these, from and to.
    Small(&'static str, u64, u64, fn(&mut Policy) -> &mut u8),
    /// The same.
    Number(&'static str, u64, u64, fn(&mut Policy) -> &mut u32),
    /// Seconds, each to at most so many.
    Waits(u64, fn(&mut Policy) -> &mut Vec<u32>),
    /// Kinds of lines.
    Lines(fn(&mut Policy) -> &mut Vec<Line>),
    /// Countries, by their two letters.
    Countries(fn(&mut Policy) -> &mut Vec<String>),
}

/// Reads `[policy]`.
pub fn read_policy(item: &Item<'_>) -> Option<Policy> {
    let table = item.table("`policy`")?;
    let mut policy = Policy::default();
    for section in SECTIONS {
        let what = || format!("`policy.{}`", section.name);
        let Some(table) = table.item(section.name).and_then(|item| item.table(what())) else {
            continue;
        };
        for knob in section.knobs {
            if let Some(item) = table.item(knob.name) {
                knob.read(&item, &mut policy);
            }
        }
        if section.name == "service_code" {
            bound_service_codes(&table, &policy);
        }
        table.finish();
    }
    table.finish();
    Some(policy)
}

/// A code of which nobody says how long it is good must be one that may be issued.
fn bound_service_codes(table: &Reader<'_>, policy: &Policy) {
    let code = &policy.service_code;
    if code.ttl_s > code.ttl_max_s {
        let message = "`ttl_s` is longer than `ttl_max_s`";
        table.report(
            Finding::error("out-of-range", message, table.place())
                .help(format!("write at most {} s, or raise `ttl_max_s`", code.ttl_max_s)),
        );
    }
}

/// The sections, every knob in them.
pub fn write_policy(policy: &Policy) -> String {
    let mut text = String::new();
    for (name, knobs) in policy_sections(policy) {
        let _ = write!(text, "\n[policy.{name}]\n{knobs}");
    }
    text
}

/// The name of each section, and every knob in it.
pub fn policy_sections(policy: &Policy) -> impl Iterator<Item = (&'static str, String)> {
    let mut policy = policy.clone();
    SECTIONS.iter().map(move |section| {
        let mut text = String::new();
        for knob in section.knobs {
            let _ = writeln!(text, "{} = {}", knob.name, knob.written(&mut policy));
        }
        (section.name, text)
    })
}

impl Knob {
    fn read(&self, item: &Item<'_>, policy: &mut Policy) {
        match self.of {
            Of::Small(_, min, max, at) => set(item, (min, max), at(policy)),
            Of::Number(_, min, max, at) => set(item, (min, max), at(policy)),
            Of::Waits(max, at) => {
                let Some(waits) = item.list() else { return };
                let waits = waits.iter().filter_map(|wait| wait.integer(0, max));
                *at(policy) = waits.filter_map(|wait| u32::try_from(wait).ok()).collect();
            }
            Of::Lines(at) => {
                let Some(lines) = item.list() else { return };
                *at(policy) = lines.iter().filter_map(|line| line.choice(&Line::ALL)).collect();
            }
            Of::Countries(at) => {
                let Some(countries) = item.list() else { return };
                *at(policy) = countries.iter().filter_map(country).collect();
            }
        }
    }

    /// What it holds in a policy, as it is written in a file.
    pub(super) fn written(&self, policy: &mut Policy) -> String {
        match self.of {
            Of::Small(_, _, _, at) => at(policy).to_string(),
            Of::Number(_, _, _, at) => at(policy).to_string(),
            Of::Waits(_, at) => format!("{:?}", at(policy)),
            Of::Lines(at) => {
                let word = |line: &Line| Line::ALL.iter().find(|(_, of)| of == line).map(|it| it.0);
                format!("{:?}", at(policy).iter().filter_map(word).collect::<Vec<_>>())
            }
            Of::Countries(at) => format!("{:?}", at(policy)),
        }
    }
}

fn set<T: TryFrom<u64>>(item: &Item<'_>, (min, max): (u64, u64), to: &mut T) {
    let read = item.integer(min, max);
    if let Some(value) = read.and_then(|value| T::try_from(value).ok()) {
        *to = value;
    }
}

fn country(item: &Item<'_>) -> Option<String> {
    let name = item.name()?;
    if phone::countries().iter().any(|country| country == name) {
        return Some(name.to_owned());
    }
    let message = format!("`{name}` is no country that numbers can be told by");
    item.report(
        Finding::error("unknown-country", message, item.place())
            .help("write its two letters as in ISO 3166: \"US\", \"CA\", \"GB\""),
    );
    None
}
