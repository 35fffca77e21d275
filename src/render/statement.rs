//! The assurance statement of a flow: one page of Markdown that can be filed.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::odds::{asked, branches, expected, guarding_nothing, many, place, span, takes, who};
use crate::check::odds::words::chance;
use crate::check::odds::{Ask, Chances, Odds, Otherwise, Pins, StateOdds, WayIn};
use crate::diagnostic::{Finding, listed};
use crate::document::show_duration;
use crate::flow::level::{Class, Fact};
use crate::flow::{Flow, FlowSet};
use crate::hex::hex;

/// What a statement is made of.
#[derive(Debug)]
pub struct Statement<'s> {
    /// The flow in which calls begin, and all that it calls.
    pub flows: &'s FlowSet,
    /// What guessing is worth.
    pub odds: &'s Odds,
    /// The warnings that the checker still has.
    pub warnings: &'s [Finding],
    /// The day it was made, if it is to be said.
    pub date: Option<&'s str>,
}

/// The page.
pub fn render(statement: &Statement<'_>) -> String {
    let odds = statement.odds;
    let start = statement.flows.get(odds.flow.as_str());
    let business = start.map_or("", |flow| &flow.business);
    let mut text = format!("# Assurance statement: {business}, flow `{}`\n\n", odds.flow);
    let date = statement.date.map(|date| format!(" on {date}")).unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    let _ = write!(
        text,
        "Made by callgate {version}{date} from these files, and true of no others:\n\n{}",
        files(statement.flows)
    );
    text.push_str(
        "\n`callgate check` followed every way through them: keys, silence, time-outs, errors of the \
         provider, locks, sub-flows and loops. On none is a state that requires proof entered, or anything \
         that has a level told or shared, without the proof that is listed with it: a field of an account, \
         or a variable that holds one or a back end's answer. The server asks for the same proof again \
         whenever a state is entered and whenever such a thing is used.\n",
    );
    text.push_str("\n## What is protected\n");
    for state in &odds.states {
        text.push_str(&protected(statement.flows, odds, state));
    }
    if odds.states.is_empty() {
        text.push_str(
            "\nNothing: no state asks for proof, and none tells anything that has a level.\n",
        );
    }
    if let Some(proofs) = guarding_nothing(odds) {
        let _ = write!(
            text,
            "\nCallers can prove {proofs}. What becomes of those who do, and of those who do not, is not looked at here.\n"
        );
    }
    text.push_str(&clauses(statement));
    text.push_str(&denial(odds));
    text.push_str(&residual(statement));
    text
}

fn files(flows: &FlowSet) -> String {
    let mut flows: Vec<&Flow> = flows.iter().map(|flow| &**flow).collect();
    flows.sort_by_key(|flow| flow.name.as_str());
    let mut text = "| flow | SHA-256 of its file |\n|---|---|\n".to_owned();
    for flow in flows {
        let hash = hex(&Sha256::digest(flow.text.as_bytes()));
        let _ = writeln!(text, "| `{}` | `{hash}` |", flow.name);
    }
    text
}

fn protected(flows: &FlowSet, odds: &Odds, state: &StateOdds) -> String {
    let mut text =
        format!("\n### `{}` ({})\n\nIt {}.\n\n", place(odds, state), state.type_name, asked(state));
    if let Some(fresh) = fresh(flows, odds, state) {
        let _ = writeln!(text, "{fresh}\n");
    }
    text.push_str("| proof | kind | a shortest way |\n|---|---|---|\n");
    for way in &state.ways {
        let names: Vec<_> = way.proofs.iter().map(|fact| format!("`{fact}`")).collect();
        let kind = kind(way);
        let _ = writeln!(text, "| {} | {kind} | {} |", names.join(" and "), way.script.join("; "));
    }
    if state.ways.is_empty() {
        text.push_str("| none | | no caller gets in |\n");
    }
    let accounts = many(odds.siege.accounts, "account");
    let _ = write!(
        text,
        "\n| chance of a guesser, at most | a call | a day | a year | {accounts} tried for a year \
         |\n|---|---|---|---|---|\n"
    );
    for (pins, chances) in &state.chances {
        let of = pins.map_or("one account", Pins::words);
        let Chances { call, day, year, opened, .. } = *chances;
        let [call, day, year] = [call, day, year].map(chance);
        let _ = writeln!(text, "| {of} | {call} | {day} | {year} | {} |", expected(opened));
    }
    if let Some(effort) = &state.effort {
        let (median, worst) = (takes(effort.median), takes(effort.worst));
        let _ = write!(
            text,
            "\nA customer who is right at once needs {median} on the middle one of the ways. On the longest, right at the last try each time, it takes {worst}.\n"
        );
    }
    text
}

/// What is said of a state whose proof must be fresh: no way through the flow can tell how long a caller
/// takes.
fn fresh(flows: &FlowSet, odds: &Odds, state: &StateOdds) -> Option<String> {
    let start = flows.get(odds.flow.as_str())?;
    let own = flows.get(state.at.0.as_str())?;
    let ages = state.asks.iter().filter_map(|Ask { level: name, .. }| {
        let level = start.levels.get(name.as_str()).or_else(|| own.levels.get(name.as_str()))?;
        // What a risk adds is asked of few calls.
        Some(format!("`{name}` no older than {}", show_duration(level.within?)))
    });
    let mut ages: Vec<_> = ages.collect();
    ages.dedup();
    let then = match state.otherwise {
        Otherwise::TurnedAway => {
            "whenever the state is entered, and for the proof again where it is too old"
        }
        Otherwise::NotShared => {
            "when the fields are to be shared, and shares none of them where it is too old"
        }
        Otherwise::NotVouched => {
            "when a specialist asks, and for the proof again where it is too old"
        }
    };
    (!ages.is_empty()).then(|| {
        format!(
            "The proof must be fresh, of {}. How old it is when a caller gets here only the running call \
             can tell: the server asks for its age {then}.",
            listed(&ages)
        )
    })
}

/// Whether the proofs are something known, and something had.
fn classes(way: &WayIn) -> (bool, bool) {
    let counts = |fact: &&Fact| **fact != Fact::ServiceCode || !way.one_factor_code;
    let has = |class| way.proofs.iter().filter(counts).any(|fact| fact.class() == Some(class));
    (has(Class::Knowledge), has(Class::Possession))
}

fn kind(way: &WayIn) -> String {
    let kind = match classes(way) {
        (true, true) => "knowledge and possession",
        (true, false) => "knowledge",
        (false, true) => "possession",
        (false, false) => "neither",
    };
    let weak = "; the code may be of a session with one factor";
    format!("{kind}{}", if way.one_factor_code { weak } else { "" })
}

/// The clauses that this answers, and how far.
fn clauses(statement: &Statement<'_>) -> String {
    let odds = statement.odds;
    let ways = || odds.states.iter().flat_map(|state| &state.ways);
    let proves = |fact| ways().any(|way| way.proofs.contains(&fact));
    let telephone = proves(Fact::SmsOtp) || proves(Fact::Callback);
    let two = ways().any(|way| classes(way) == (true, true));
    let any = !odds.lockouts.is_empty();
    let short =
        if odds.pin_digits < 8 { "Shorter than eight characters, and keyed" } else { "Keyed" };
    let pin = format!(
        "`pin`: limited tries; kept as Argon2id over a keyed hash. {short} over a line that is no \
         protected channel"
    );
    let alike = format!(
        "a wrong element, a locked one and an unknown account sound the same{}; a lock after at most \
         five failures with the default limits",
        told_apart(statement)
    );
    let rows = [
        (
            proves(Fact::Pin),
            "NIST SP 800-63B (revision 3), 5.1.1 (memorized secrets)",
            pin.as_str(),
        ),
        (
            telephone,
            "NIST SP 800-63B (revision 3), 5.1.3 (out-of-band devices)",
            "codes of at least six digits, good for ten minutes at most, accepted once; the telephone network is a restricted authenticator (5.1.3.3, 5.2.10)",
        ),
        (
            two,
            "NIST SP 800-63B (revision 3), 4.2 (AAL2)",
            "aligned where knowledge and possession are both proved; conformance is not claimed",
        ),
        (
            any,
            "NIST SP 800-63B (revision 3), 5.2.2 (rate limiting)",
            "failures count by account and factor; a fresh code does not refill them",
        ),
        (
            two,
            "PSD2 RTS (EU) 2018/389, Art. 4(1) and 9",
            "two independent elements; a message to and a call to one number are one",
        ),
        (any, "PSD2 RTS (EU) 2018/389, Art. 4(3)(a) and (b)", &alike),
        (
            telephone,
            "47 CFR 64.2010(b)",
            "codes go, and calls are placed, only to numbers of record",
        ),
        (
            telephone,
            "47 CFR 64.2003 (address of record)",
            "a number counts after 30 days on file with the default limits",
        ),
        (
            any,
            "OWASP ASVS 5.0, 6.3.1",
            "the limits, and what it takes to lock a customer out, are below",
        ),
        (
            telephone,
            "OWASP ASVS 5.0, 6.6.2",
            "codes are bound to the call, the account and the purpose",
        ),
    ];
    if !rows.iter().any(|(applies, ..)| *applies) {
        return String::new();
    }
    let mut text = "\n## Clauses it answers\n\n| clause | how far |\n|---|---|\n".to_owned();
    for (_, clause, how) in rows.iter().filter(|(applies, ..)| *applies) {
        let _ = writeln!(text, "| {clause} | {how} |");
    }
    text
}

/// Where, by its own residual risks, something does not sound the same.
fn told_apart(statement: &Statement<'_>) -> String {
    let states = statement.flows.iter().flat_map(|flow| flow.states.values());
    let accepted = states.flat_map(|state| &state.accept).map(|(code, _)| code.as_str());
    let named: BTreeSet<_> =
        accepted.chain(statement.warnings.iter().map(|warning| warning.code)).collect();
    let told = ["enumeration", "first-proof-told"].into_iter().filter(|code| named.contains(code));
    let told: Vec<_> = told.map(|code| format!("`{code}`")).collect();
    if told.is_empty() {
        return String::new();
    }
    format!(", but for what {} stands for under the residual risks", told.join(" and "))
}

fn denial(odds: &Odds) -> String {
    let mut text =
        "\n## Locking a customer out\n\n| factor | for a while | until lifted | who can \
                    try |\n|---|---|---|---|\n"
            .to_owned();
    for of in &odds.lockouts {
        let lockout = &of.lockout;
        let hard = match lockout.hard_s {
            Some(seconds) => {
                format!("{} wrong entries, {} at least", lockout.hard_entries, span(seconds))
            }
            None => "not within a year".to_owned(),
        };
        let _ = writeln!(
            text,
            "| `{}` | {} wrong entries: {} | {hard} | {} |",
            of.factor,
            lockout.soft_entries,
            span(lockout.soft_lock_s),
            who(of)
        );
    }
    if odds.lockouts.is_empty() {
        return String::new();
    }
    text
}

fn residual(statement: &Statement<'_>) -> String {
    let mut text = "\n## Residual risks\n\n".to_owned();
    let proves = |fact| statement.odds.guesses.contains_key(&fact);
    if proves(Fact::SmsOtp) || proves(Fact::Callback) {
        text.push_str(
            "- A telephone number can be taken over (SIM swap, call forwarding): whoever holds it \
             passes for its owner. Offer a way that needs no telephone network.\n",
        );
    }
    if proves(Fact::EmailOtp) {
        text.push_str(
            "- Whoever reads a customer's mail has the codes that go there: they are no possession.\n",
        );
    }
    let codes = [Fact::SmsOtp, Fact::EmailOtp, Fact::ServiceCode, Fact::Callback];
    if codes.into_iter().any(proves) {
        text.push_str(
            "- A customer can be talked into passing on a code. Nothing here resists phishing.\n",
        );
    }
    text.push_str(
        "- Specialists to whom calls are transferred are outside of this statement, and so are the \
         directory of accounts and the provider of the telephone line.\n",
    );
    let branches = branches(statement.odds);
    if !branches.is_empty() {
        let _ = writeln!(
            text,
            "- What was proved decides which way a call goes at {}. Where that leads is protected only as far as it is \
             listed above.",
            listed(&branches)
        );
    }
    for flow in statement.flows.iter() {
        for state in flow.states.values() {
            for (code, _) in &state.accept {
                let _ = writeln!(
                    text,
                    "- Accepted by the designer at `{}` of `{}`: `{code}` (`callgate explain {code}`).",
                    state.name, flow.name
                );
            }
        }
    }
    for warning in statement.warnings {
        let _ = writeln!(text, "- Open: {} (`{}`).", warning.message, warning.code);
    }
    text.push_str("\nThe chances take for granted:\n\n");
    for assumption in &statement.odds.assumptions {
        let _ = writeln!(text, "- {assumption}");
    }
    text
}
