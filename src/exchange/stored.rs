//! What is stored, by its fields and variants, held to a list: it outlives a release, and servers of two releases
//! share it while one replaces the other.

mod outline;

use outline::Outline;

use super::turn::Posted;
use crate::audit::{CallAudit, Head, Link};
use crate::engine::budget::Budget;
use crate::engine::call::Call;
use crate::engine::effect::Effect;
use crate::engine::fuse::Fuse;
use crate::engine::ledger::Ledger;
use crate::engine::spread::Spread;
use crate::engine::turn;
use crate::store::envelope::VERSION;

/// Whoever changes the list has changed what servers of another release read: CONTRIBUTING.md, "What is stored", says
/// what to do beside it.
#[test]
fn what_is_stored_is_as_it_was_in_this_format() {
    let mut outline = Outline::default();
    outline.of::<Call>();
    outline.of::<Effect>();
    outline.add("Posted", posted());
    outline.of::<turn::Entry>();
    outline.of::<Ledger>();
    outline.of::<Budget>();
    outline.of::<Fuse>();
    outline.of::<Spread>();
    outline.of::<super::answers::shared::Caller>();
    outline.of::<super::rings::Rings>();
    outline.of::<super::answers::verification::Asked>();
    outline.of::<super::answers::eligible::Judged>();
    outline.of::<super::answers::eligible::Signalled>();
    outline.of::<super::answers::look_up::Record>();
    outline.of::<super::answers::service_code::Record>();
    outline.of::<super::desk::dead::Letters>();
    outline.of::<super::probe::StoreName>();
    outline.of::<super::turn::edition::Texts>();
    outline.of::<CallAudit>();
    outline.of::<Head>();
    outline.of::<Link>();
    let path = format!("{}/fixtures/state/v{VERSION}/outline.txt", env!("CARGO_MANIFEST_DIR"));
    let head = "What this version stores. See \"What is stored\" in CONTRIBUTING.md before you change it.\n\n";
    expect_test::expect_file![path].assert_eq(&format!("{head}{outline}"));
}

/// The fields of an effect as it lies in the outbox, among which stand the effect's own.
fn posted() -> Vec<String> {
    let traceparent = Some(String::new());
    let posted = Posted { effect: (), turn: 1, line: String::new(), passed_over: 1, traceparent };
    let spelled = serde_json::to_value(&posted).unwrap();
    spelled.as_object().unwrap().keys().cloned().collect()
}

/// The hashes of an audit are over what it says, spelled anew: what somebody passed over, because they do not know it,
/// would be altered to everybody who does.
#[test]
fn nothing_that_an_audit_hashes_is_passed_over() {
    let mut outline = Outline::default();
    outline.of::<CallAudit>();
    outline.of::<Link>();
    for place in outline.places() {
        let of_calls = Outline::passes_over::<CallAudit>(&place);
        let (given, passed) = Outline::passes_over::<Link>(&place);
        assert_ne!(given + of_calls.0, 0, "{place}");
        assert_eq!(passed + of_calls.1, 0, "{place}");
    }
    // Elsewhere it is.
    assert_ne!(Outline::passes_over::<Effect>("Sms").1, 0);
}
