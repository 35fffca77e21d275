//! Odds: a table for people, and JSON for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::check::odds::words::{chance, grouped};
use crate::check::odds::{
    Ask, Chances, Effort, FactorLockout, Odds, Pins, StateOdds, Told, WayIn, What,
};
use crate::diagnostic::listed;
use crate::flow::level::Fact;

/// The odds for people.
pub fn human(odds: &Odds) -> String {
    let siege = &odds.siege;
    let mut text = format!(
        "{}: what guessing is worth, with {} of {} a day\n",
        odds.flow,
        many(siege.lines, "line"),
        many(siege.calls_per_day, "call")
    );
    for state in &odds.states {
        text.push_str(&of_state(odds, state));
    }
    if odds.states.is_empty() {
        text.push_str(&match guarding_nothing(odds) {
            None => "\nNo state asks for any proof, so there is nothing to guess.\n".to_owned(),
            Some(proofs) => format!(
                "\nNo state requires a level or tells anything that has one, so what guessing opens is not \
                 known, though {proofs} can be proved: say with `requires` what only such callers may come to.\n"
            ),
        });
    }
    let branches = branches(odds);
    if !branches.is_empty() {
        let _ = writeln!(
            text,
            "\nWhat was proved decides which way a call goes at {}. What guessing opens there is counted only as far as it \
             is listed above: say with `requires` what only such callers may come to.",
            listed(&branches)
        );
    }
    text.push_str(&lockouts(odds));
    text.push_str("\nTaken for granted\n");
    for assumption in &odds.assumptions {
        let _ = writeln!(text, "  - {assumption}");
    }
    text
}

/// The proofs that callers can give, where nothing asks for any.
pub(super) fn guarding_nothing(odds: &Odds) -> Option<String> {
    let proofs: Vec<_> = odds.guesses.keys().map(|fact| format!("`{fact}`")).collect();
    (odds.states.is_empty() && !proofs.is_empty()).then(|| listed(&proofs))
}

/// The branches that go by what was proved.
pub(super) fn branches(odds: &Odds) -> Vec<String> {
    odds.branches.iter().map(|(flow, state)| format!("`{state}` of `{flow}`")).collect()
}

fn of_state(odds: &Odds, state: &StateOdds) -> String {
    let mut text = format!("\n{}  {}\n", place(odds, state), asked(state));
    let _ = writeln!(text, "  enough      {}", ways(&state.ways));
    if let Some(effort) = &state.effort {
        let _ = writeln!(
            text,
            "  a customer  {}; at worst {}",
            takes(effort.median),
            takes(effort.worst)
        );
    }
    let spread = format!("{} tried, a year", many(odds.siege.accounts, "account"));
    let mut rows = vec![["", "a call", "a day", "a year", &spread].map(str::to_owned)];
    rows.extend(state.chances.iter().map(|(pins, chances)| row(*pins, chances)));
    text.push_str(&table(&rows));
    text
}

fn row(pins: Option<Pins>, chances: &Chances) -> [String; 5] {
    let opened = match chances.opened {
        none if none <= 0.0 => "none opened".to_owned(),
        few if few < 0.5 => format!("one opened: {}", chance(chances.any)),
        some => expected(some),
    };
    [
        pins.map_or("one account", Pins::words).to_owned(),
        chance(chances.call),
        chance(chances.day),
        chance(chances.year),
        opened,
    ]
}

/// Accounts opened on average, of few with the part that is not whole: it is a bound, and is not rounded
/// down by half.
pub(super) fn expected(opened: f64) -> String {
    match opened {
        none if none <= 0.0 => "none opened".to_owned(),
        few if few < 0.95 => format!("{few:.2} opened").replace("0.00", "under 0.01"),
        few if few < 9.95 => format!("{few:.1} opened").replace(".0 ", " "),
        some => format!("{} opened", grouped(some)),
    }
}

fn lockouts(odds: &Odds) -> String {
    if odds.lockouts.is_empty() {
        return String::new();
    }
    let titles = ["", "wrong entries, for a while", "for good, until lifted", "who can try"];
    let mut rows = vec![titles.map(str::to_owned)];
    rows.extend(odds.lockouts.iter().map(|of| {
        let lockout = &of.lockout;
        [
            of.factor.to_string(),
            format!(
                "{} in {}: {}",
                lockout.soft_entries,
                many(lockout.soft_calls, "call"),
                span(lockout.soft_lock_s)
            ),
            match lockout.hard_s {
                Some(seconds) => format!(
                    "{} in {}, {}",
                    lockout.hard_entries,
                    many(lockout.hard_calls, "call"),
                    if seconds == 0 {
                        "at once".into()
                    } else {
                        format!("{} at least", span(seconds))
                    }
                ),
                None => "not within a year".to_owned(),
            },
            who(of),
        ]
    }));
    format!("\nTo lock a customer out\n{}", table(&rows))
}

pub(super) fn who(of: &FactorLockout) -> String {
    if of.before.is_empty() {
        return "nobody".to_owned();
    }
    if of.factor == Fact::Callback {
        return "who answers the number on file".to_owned();
    }
    if of.before.iter().any(std::collections::BTreeSet::is_empty) {
        return "who knows the account number".to_owned();
    }
    let sets = of.before.iter().map(|proofs| proofs.iter().copied().collect());
    format!("who has proved {}", alternatives(sets))
}

/// Where a state is, and of which flow if that is not the one in which calls begin.
pub(super) fn place(odds: &Odds, state: &StateOdds) -> String {
    let (flow, name) = &state.at;
    if *flow == odds.flow { name.to_string() } else { format!("{flow}.{name}") }
}

/// What a state asks for, in words.
pub(super) fn asked(state: &StateOdds) -> String {
    let asks = state.asks.iter().map(|Ask { what, level }| match what {
        What::Entry => format!("requires `{level}`"),
        What::Told(Told::Field(field)) => {
            let verb = if state.type_name == "transfer" { "shares" } else { "uses" };
            format!("{verb} `{field}` at `{level}`")
        }
        What::Told(Told::Variable(variable)) => {
            format!("uses the variable `{variable}` at `{level}`")
        }
        What::Specialist => format!("lets a specialist ask for `{level}`"),
    });
    let behind = state.behind.iter().map(|(flow, branch)| {
        format!("is where `{branch}` of `{flow}` leads only those who have proved something")
    });
    let asks: Vec<_> = asks.chain(behind).collect();
    format!("{}: {}", asks.join(", "), state.demand)
}

/// Ways in, in words: `pin, or sms_otp then callback`.
fn ways(ways: &[WayIn]) -> String {
    if ways.is_empty() {
        return "nothing: no way of this flow proves it".to_owned();
    }
    alternatives(ways.iter().map(|way| way.proofs.clone()))
}

fn alternatives(sets: impl Iterator<Item = Vec<Fact>>) -> String {
    let one = |set: Vec<Fact>| set.iter().map(|f| f.as_str()).collect::<Vec<_>>().join(" then ");
    let all: Vec<_> = sets.map(one).collect();
    match all.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{}, or {last}", first.join(", ")),
        all => all.concat(),
    }
}

fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<_> = (0..N).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("  {}", cells.collect::<Vec<_>>().join("  ")).trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// What a customer has to do: `9 keys, 40 s`.
pub(super) fn takes(effort: Effort) -> String {
    format!("{}, {}", many(effort.keys, "key"), span(effort.seconds))
}

pub(super) fn many(count: u32, of: &str) -> String {
    format!("{} {of}{}", grouped(count.into()), if count == 1 { "" } else { "s" })
}

/// A span of time: `30 min`.
pub(super) fn span(seconds: u32) -> String {
    match seconds {
        s if s < 120 => format!("{s} s"),
        s if s < 7_200 => format!("{} min", s.div_ceil(60)),
        s if s < 172_800 => format!("{} h", s.div_ceil(3_600)),
        s => format!("{} days", s.div_ceil(86_400)),
    }
}

/// The odds for programs.
pub fn json(odds: &Odds) -> String {
    let siege = &odds.siege;
    let guesses: serde_json::Map<_, _> = odds
        .guesses
        .iter()
        .map(|(fact, of)| {
            (fact.to_string(), json!({"call": of.call, "day": of.day, "year": of.year}))
        })
        .collect();
    let lockouts: serde_json::Map<_, _> =
        odds.lockouts.iter().map(|of| (of.factor.to_string(), lockout_json(of))).collect();
    let document = json!({
        "version": 1,
        "flow": odds.flow.as_str(),
        "terms": {
            "accounts": siege.accounts,
            "lines": siege.lines,
            "calls_per_day": siege.calls_per_day,
            "owner_calls_per_year": siege.owner_calls,
            "pin_digits": odds.pin_digits,
        },
        "guesses": guesses,
        "states": odds.states.iter().map(state_json).collect::<Vec<_>>(),
        "branches": odds.branches.iter().map(|(flow, state)| json!({"flow": flow.as_str(), "state": state.as_str()})).collect::<Vec<_>>(),
        "lockouts": lockouts,
        "assumptions": odds.assumptions,
    });
    format!("{document:#}\n")
}

fn state_json(state: &StateOdds) -> Value {
    let asks = state.asks.iter().map(|Ask { what, level }| {
        let (field, variable) = match what {
            What::Entry | What::Specialist => (None, None),
            What::Told(Told::Field(field)) => (Some(field), None),
            What::Told(Told::Variable(variable)) => (None, Some(variable)),
        };
        let specialist = *what == What::Specialist;
        json!({"field": field, "variable": variable, "specialist": specialist, "level": level})
    });
    let ways =
        state.ways.iter().map(|way| way.proofs.iter().map(|f| f.as_str()).collect::<Vec<_>>());
    let chances = state.chances.iter().map(|(pins, of)| {
        json!({
            "pins": pins.map(Pins::as_str),
            "call": of.call,
            "day": of.day,
            "year": of.year,
            "accounts_opened": of.opened,
            "any_account": of.any,
        })
    });
    let effort = |effort: Effort| json!({"keys": effort.keys, "seconds": effort.seconds});
    json!({
        "flow": state.at.0.as_str(),
        "state": state.at.1.as_str(),
        "asks": asks.collect::<Vec<_>>(),
        "behind": state.behind.as_ref().map(|(flow, state)| json!({"flow": flow, "state": state})),
        "demand": state.demand,
        "ways": ways.collect::<Vec<_>>(),
        "chances": chances.collect::<Vec<_>>(),
        "effort": state.effort.as_ref().map(|of| {
            json!({"median": effort(of.median), "worst": effort(of.worst)})
        }),
    })
}

fn lockout_json(of: &FactorLockout) -> Value {
    let before = of.before.iter().map(|set| set.iter().map(|f| f.as_str()).collect::<Vec<_>>());
    let lockout = &of.lockout;
    json!({
        "before": before.collect::<Vec<_>>(),
        "soft": {"entries": lockout.soft_entries, "calls": lockout.soft_calls, "seconds": lockout.soft_lock_s},
        "hard": {"entries": lockout.hard_entries, "calls": lockout.hard_calls, "after_seconds": lockout.hard_s},
    })
}
