//! An answer that tells a stranger whether an account exists, or is locked.
//!
//! To an account that does not exist everything is sent, as far as anybody can hear, and nobody is ever
//! reached. So looked at are, of callers who have proved nothing:
//!
//! - `found` and `unknown` of an `identify` that lead to different states, and one that asks for nothing
//!   where it knows the number that calls;
//! - `failed` and `locked` of a proof that lead apart;
//! - an `unavailable` that does not lead where the sending does, or the ringing of nobody;
//! - an `undelivered` that does not lead where the wrong code does, for only what was sent can come back;
//! - a `failed` of a `callback` that does not lead where `no_answer` does, for only a telephone that there is
//!   can be answered; and the `callback` itself, for who shows the number on file is asked to hang up, and
//!   an answer, an engaged tone or a mailbox takes another time than nobody does;
//! - a `lookup` that tells the back end whose account is claimed, where `ok` and `failed` lead apart, or
//!   anyone may hear what it gives: `account = false` keeps it from knowing.
//!
//! Who has proved anything may hear all of it.
//!
//! ## Why
//!
//! Who can tell known account numbers from unknown ones collects the known, and tries one PIN on each.
//! Who hears that an account is locked knows that it is there, and when to come back.
//!
//! ## How to fix it
//!
//! Lead both the same way. After an unknown account every proof fails, after the same words. Where it
//! is meant so, accept it by name: `accept = ["enumeration"]`.
//!
//! ## Before
//!
//! ```toml
//! [states.who]
//! type = "identify"
//! by = ["digits"]
//! prompt = "Your account number, please."
//! on = { found = "pin", unknown = "bye" }
//! ```
//!
//! ## After
//!
//! ```toml
//! [states.who]
//! type = "identify"
//! by = ["digits"]
//! prompt = "Your account number, please."
//! on = { found = "pin", unknown = "pin" }
//! ```

use std::collections::HashSet;

use super::{Report, Rule, Subject};
use crate::check::proof::Walks;
use crate::diagnostic::Severity;
use crate::flow::name::{FlowName, StateName};
use crate::flow::outcome::Outcome;
use crate::flow::state::Kind;

pub(super) const RULE: Rule = Rule {
    code: "enumeration",
    title: "an answer that tells whether an account exists or is locked",
    severity: Severity::Warning,
    source: include_str!("enumeration.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    let strangers = strangers(subject);
    for (walk, state) in subject.states() {
        let stranger = strangers.contains(&(&walk.flow.name, &state.name));
        if !stranger && !matches!(state.kind, Kind::Identify(_)) {
            continue;
        }
        for (one, other, what) in told(&state.kind) {
            let ways = state.routes.get(&one).zip(state.routes.get(&other));
            let Some((first, second)) = ways.filter(|(first, second)| first.state != second.state)
            else {
                continue;
            };
            let message = format!("`{}` tells a stranger {what}", state.name);
            let finding = report
                .finding(message, &second.place)
                .label(format!("`{one}` leads elsewhere"), first.place.clone())
                .help(format!(
                    "lead `{one}` and `{other}` the same way, or accept = [\"enumeration\"]"
                ));
            report.add_at(state, finding);
        }
        let apart = match &state.kind {
            Kind::Identify(identify) if identify.caller_id && identify.listen.is_some() => Some((
                "asks callers whose number is unknown alone",
                "ask everybody, or accept that a number shown tells of a customer",
            )),
            Kind::Callback(_) => Some((
                "asks a stranger to hang up who shows the number on file",
                "have something proved before, or accept that a number shown tells of a customer",
            )),
            // What is not answered of nobody is missed where anybody may hear it.
            Kind::Lookup(lookup)
                if lookup.account && lookup.give.iter().any(|given| given.label.is_none()) =>
            {
                Some((
                    "takes for anyone what a back end says of an account",
                    "say which level may hear it, or keep from it whose account is claimed: account = false",
                ))
            }
            _ => None,
        };
        if let Some((what, help)) = apart {
            let message = format!("`{}` {what}", state.name);
            report.add_at(state, report.finding(message, &state.place).help(help));
        }
    }
}

/// Outcomes of which a stranger can tell one from the other where they lead apart, and what that tells.
fn told(kind: &Kind) -> Vec<(Outcome, Outcome, &'static str)> {
    use Outcome::{Failed, Found, Locked, NoAnswer, Ok, Sent, Unavailable, Undelivered, Unknown};
    let no_telephone = "that an account exists, without a telephone";
    match kind {
        // A locked one leads on like a right one.
        kind if kind.is_combined() => vec![],
        Kind::Identify(_) => vec![(Found, Unknown, "whether an account exists")],
        Kind::GatherPin(_) | Kind::GatherPasscode(_) | Kind::GatherServiceCode(_) => {
            vec![(Failed, Locked, "whether an account is locked")]
        }
        Kind::SendSmsOtp(_) | Kind::SendLink(_) => vec![(Sent, Unavailable, no_telephone)],
        Kind::SendEmailOtp(_) => {
            vec![(Sent, Unavailable, "that an account exists, without an e-mail address")]
        }
        Kind::GatherOtp(_) => {
            vec![(Failed, Undelivered, "that an account exists, whose message came back")]
        }
        Kind::Callback(_) => vec![
            (NoAnswer, Unavailable, no_telephone),
            (NoAnswer, Failed, "that an account exists, whose telephone was answered"),
        ],
        // What a back end makes of an account that nobody has is its own affair.
        Kind::Lookup(lookup) if lookup.account => {
            vec![(Ok, Failed, "what a back end knows of an account")]
        }
        _ => vec![],
    }
}

/// The states that a caller gets into who claims a customer and has proved nothing.
pub(super) fn strangers<'f>(subject: &Subject<'f>) -> HashSet<(&'f FlowName, &'f StateName)> {
    let insiders = subject.proofs.iter().flat_map(Walks::insiders);
    let stranger = insiders.filter(|(_, _, known)| known.real && known.facts().next().is_none());
    stranger.map(|(flow, state, _)| (&flow.name, &state.name)).collect()
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::findings;

    /// What a state tells that strangers come to, whose ways out are these.
    fn told(state: &str, on: &str) -> Vec<String> {
        let head = "name = \"f\"\nstart = \"who\"\n[levels]\nl = { any = [\"pin\"] }\n\
            [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
            on = { found = \"s\", unknown = \"s\" }\n[states.a]\ntype = \"hangup\"\nprompt = \"A.\"\n\
            [states.b]\ntype = \"hangup\"\nprompt = \"B.\"\n";
        let mut found = findings(&[&format!("{head}[states.s]\n{state}\non = {{ {on} }}\n")]);
        found.retain(|finding| finding.contains(": enumeration: "));
        found.iter().map(|f| f.split(": enumeration: ").nth(1).unwrap().to_owned()).collect()
    }

    #[test]
    fn what_happens_to_customers_alone_must_lead_where_it_leads_anybody() {
        let sent = |unavailable: &str| {
            format!("sent = \"a\", unavailable = \"{unavailable}\", limited = \"b\"")
        };
        for (send, of) in [
            ("type = \"send_sms_otp\"", "a telephone"),
            ("type = \"send_link\"\nmessage = \"Here.\"", "a telephone"),
            ("type = \"send_email_otp\"", "an e-mail address"),
        ] {
            assert_eq!(told(send, &sent("a")), [""; 0]);
            let tells = format!("`s` tells a stranger that an account exists, without {of}");
            assert_eq!(told(send, &sent("b")), [tells]);
        }
        let code = "type = \"gather_otp\"\nprompt = \"Code?\"";
        let keyed = |undelivered: &str| {
            format!("ok = \"a\", failed = \"b\", expired = \"a\", undelivered = \"{undelivered}\"")
        };
        assert_eq!(told(code, &keyed("b")), [""; 0]);
        let tells = "`s` tells a stranger that an account exists, whose message came back";
        assert_eq!(told(code, &keyed("a")), [tells]);
    }

    #[test]
    fn a_callback_tells_who_shows_the_number_on_file() {
        let shown = "`s` asks a stranger to hang up who shows the number on file";
        let rung = |failed: &str| {
            format!(
                "ok = \"a\", failed = \"{failed}\", no_answer = \"b\", unavailable = \"b\", limited = \"b\""
            )
        };
        assert_eq!(told("type = \"callback\"", &rung("b")), [shown]);
        let answered = "`s` tells a stranger that an account exists, whose telephone was answered";
        assert_eq!(told("type = \"callback\"", &rung("a")), [shown, answered]);
    }

    #[test]
    fn what_a_back_end_says_of_an_account_is_for_nobody_who_has_proved_nothing() {
        let asked = |more: &str, label: &str| {
            format!(
                "type = \"lookup\"\nbackend = \"b\"\n{more}give = {{ v = {{ type = \"text\", label = \"{label}\" }} }}"
            )
        };
        let on = "ok = \"a\", failed = \"a\"";
        let tells = "`s` takes for anyone what a back end says of an account";
        assert_eq!(told(&asked("", "anyone"), on), [tells]);
        assert_eq!(told(&asked("", "l"), on), [""; 0]);
        assert_eq!(told(&asked("account = false\n", "anyone"), on), [""; 0]);
    }

    /// A verdict that is given with the next one tells of none; what a back end finds or not tells only where it is
    /// told whose account is claimed.
    #[test]
    fn what_is_the_same_for_everybody_may_lead_apart() {
        let pin = |verdict: &str| format!("type = \"gather_pin\"\n{verdict}prompt = \"PIN?\"");
        let on = "ok = \"a\", failed = \"a\", locked = \"b\"";
        assert_eq!(told(&pin(""), on), ["`s` tells a stranger whether an account is locked"]);
        assert_eq!(told(&pin("verdict = \"combined\"\n"), on), [""; 0]);
        let asked = |more: &str| format!("type = \"lookup\"\nbackend = \"b\"{more}");
        let on = "ok = \"a\", failed = \"b\"";
        let tells = "`s` tells a stranger what a back end knows of an account";
        assert_eq!(told(&asked(""), on), [tells]);
        assert_eq!(told(&asked("\naccount = false"), on), [""; 0]);
    }
}
