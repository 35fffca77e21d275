//! A state that leaves words to callgate in a flow of a language in which callgate has none.
//!
//! callgate has words of its own in English, French, German and Spanish. Where a state of a flow in another language
//! gives none, customers get the English ones: in a message with a code or a notice, or in an English voice before the
//! code of a `callback`.
//!
//! ## Why
//!
//! Who gets a message in a foreign language that asks them to key in a code takes it for fraud, or cannot read it.
//!
//! ## How to fix it
//!
//! Give the words. Where a provider words the codes (`[otp] backend = "verify"`), and `message` has to be left out,
//! accept the warning by name.
//!
//! ## Before
//!
//! ```toml
//! locale = "it-IT"
//!
//! [states.send]
//! type = "send_sms_otp"
//! ```
//!
//! ## After
//!
//! ```toml
//! locale = "it-IT"
//!
//! [states.send]
//! type = "send_sms_otp"
//! message = "Banca Acme: digiti {{ code }} sul telefono. Nessuno le chiederà di dirlo. Non ha chiamato? Ignori questo messaggio."
//! ```

use super::missing_locale::spoken;
use super::{Report, Rule, Subject};
use crate::diagnostic::Severity;
use crate::flow::state::{Kind, Notify, State};
use crate::flow::wording;
use crate::limits;

pub(super) const RULE: Rule = Rule {
    code: "missing-words",
    title: "words left to callgate in a language in which it has none",
    severity: Severity::Warning,
    source: include_str!("missing_words.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    for walk in subject.walks() {
        let mut foreign: Vec<_> =
            spoken(walk.flow).into_values().map(|(locale, _)| locale).collect();
        if foreign.iter().all(|locale| locale.language() != walk.flow.locale.language()) {
            foreign.push(&walk.flow.locale);
        }
        foreign.retain(|locale| !wording::has_words(locale));
        if foreign.is_empty() {
            continue;
        }
        for state in walk.flow.states.values() {
            let left_out = left_out(state);
            if left_out.is_empty() {
                continue;
            }
            report.tell(state, &state.place, |report| {
                let listed = foreign.iter().take(limits::NAMES_LISTED_MAX);
                let listed: Vec<_> = listed.map(|locale| format!("`{locale}`")).collect();
                let message = format!(
                    "`{}` leaves words to callgate, which has none in {}: they are English ones",
                    state.name,
                    listed.join(", ")
                );
                let give: Vec<_> = left_out.iter().map(|key| format!("`{key}`")).collect();
                let help = format!("give the state words of yours: {}", give.join(", "));
                report.finding(message, &state.place).help(help)
            });
        }
    }
}

/// The keys for words that a state could give and does not.
fn left_out(state: &State) -> Vec<&'static str> {
    let mut keys = Vec::new();
    let mut key = |name, is_left_out: bool| keys.extend(is_left_out.then_some(name));
    match &state.kind {
        Kind::SendSmsOtp(send) => key("message", send.message.is_none()),
        Kind::SendEmailOtp(send) => key("message", send.message.is_none()),
        Kind::Callback(callback) => {
            key("prompt", callback.prompt.is_none());
            key("hang_up_prompt", callback.hang_up_prompt.is_none());
        }
        _ => {}
    }
    key("notify", matches!(state.notify, Some(Notify::Own)));
    keys
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::{ENDS, findings_of_whoever};

    fn found(head: &str, state: &str) -> Vec<String> {
        let text = format!(
            "name = \"f\"\nstart = \"ask\"\n{head}\nlevels = {{ p = {{ any = [\"pin\"] }} }}\n[states.it]\n{state}\n{ENDS}"
        );
        let text = text.replace("keys = { 1 = \"bye\" }", "keys = { 1 = \"bye\", 2 = \"it\" }");
        let found = findings_of_whoever(&[&text]);
        found.into_iter().filter(|finding| finding.contains("missing-words")).collect()
    }

    const SMS: &str = "type = \"send_sms_otp\"\n\
        on = { sent = \"bye\", unavailable = \"bye\", limited = \"bye\" }\n";
    const RING: &str = "type = \"callback\"\non = { ok = \"bye\", failed = \"bye\", no_answer = \"bye\", \
        unavailable = \"bye\", limited = \"bye\" }\n";
    const TOLD: &str = "5: missing-words: `it` leaves words to callgate, which has none in `it-IT`: they are English ones";

    #[test]
    fn words_are_given_where_callgate_has_none() {
        let italian = "locale = \"it-IT\"";
        let mail = SMS.replace("sms", "email");
        let said = "prompt = \"Digiti\"\n";
        let say = format!(
            "type = \"say\"\n{said}next = \"bye\"\nrequires = \"p\"\non = {{ denied = \"bye\" }}\n"
        );
        let message = "message = \"Digiti {{ code }}.\"\n";
        let told = [
            SMS.to_owned(),
            mail.clone(),
            RING.to_owned(),
            format!("{RING}{said}"),
            format!("{say}notify = true\n"),
        ];
        for state in told {
            assert_eq!(found(italian, &state), [TOLD], "{state}");
            for known in ["en-GB", "de", "fr-CA", "es-MX"] {
                let head = format!("locale = \"{known}\"");
                assert_eq!(found(&head, &state), [""; 0], "{known}: {state}");
            }
        }
        let well = [
            format!("{SMS}{message}"),
            format!("{mail}{message}"),
            format!("{RING}{said}hang_up_prompt = \"Riagganci\"\n"),
            format!("{say}notify = \"Banca Acme\"\n"),
            format!("{SMS}accept = [\"missing-words\"]\n"),
            say,
        ];
        for state in well {
            assert_eq!(found(italian, &state), [""; 0], "{state}");
        }
    }

    /// The flow's own language is one of several.
    #[test]
    fn every_language_that_a_flow_speaks_counts() {
        let say = "[states.two]\ntype = \"say\"\nnext = \"bye\"\n\
            prompt = { en-US = \"Hello\", it-IT = \"Pronto\" }\n";
        assert_eq!(found("locale = \"en-US\"", &format!("{SMS}{say}")), [TOLD]);
    }
}
