//! What goes out of a house in a turn, what was proved in it, and how another house may differ.

use callgate::engine::account::Whom;
use callgate::engine::question::{Answer, Question, Verdict};
use callgate::engine::turn::Turn;
use callgate::flow::level::Fact;
use callgate::flow::value::Value;
use jiff::Timestamp;

/// Something that is kept under a level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// A field of the first customer.
    Field(String),
    /// What a back end says of the first customer, or of nobody: the path it is asked, and the variable.
    Answer(String, String),
}

/// How it is something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Other,
    /// It is not there.
    Absent,
}

/// A proof that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Earned {
    pub(super) fact: Fact,
    pub(super) at: Timestamp,
    /// Whether it counts for its class.
    pub(super) counts: bool,
}

/// Another value of the same kind.
pub(super) fn another(value: &Value) -> Value {
    match value {
        Value::Flag(flag) => Value::Flag(!flag),
        Value::Number(number) => Value::Number(number / 4.0),
        Value::Text(text) if text.starts_with("20") => Value::Text("2027-01-15".into()),
        Value::Text(text) => Value::Text(format!("{text}x")),
    }
}

/// What a right entry proves.
pub(super) fn proved(question: &Question, answer: &Answer, at: Timestamp) -> Option<Earned> {
    let Question::Verify(verify) = question else { return None };
    let counts = match answer.verdict()? {
        Verdict::Right => true,
        Verdict::RightByOneFactor => false,
        _ => return None,
    };
    let real = matches!(verify.whom, Whom::Account(_));
    real.then_some(Earned { fact: verify.factor, at, counts })
}

/// What a question tells others than the house.
pub(super) fn told(question: &Question) -> String {
    match question {
        Question::LookUp(asked) => format!("{} {} {}\n", asked.backend, asked.path, asked.body()),
        Question::Vouch(voucher) => format!("{voucher:?}\n"),
        _ => String::new(),
    }
}

/// All that goes out of a turn.
pub(super) fn out(turn: &Turn, asked: String) -> [String; 3] {
    let effects: Vec<_> = turn.effects.iter().map(|(_, effect)| effect).collect();
    let effects = serde_json::to_string(&effects).unwrap();
    [serde_json::to_string(&*turn.reply).unwrap(), format!("{effects} {:?}", turn.noted), asked]
}
