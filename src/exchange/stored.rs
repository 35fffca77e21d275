//! What is stored, by its fields and variants, held to a list: it outlives a release, and servers of two releases
//! share it while one replaces the other.

mod outline;

use outline::Outline;
use serde::de::DeserializeOwned;

use super::turn::Posted;
use crate::audit::{CallAudit, Head, Link};
use crate::engine::budget::Budget;
use crate::engine::call::Call;
use crate::engine::effect::Effect;
use crate::engine::fuse::Fuse;
use crate::engine::ledger::Ledger;
use crate::engine::spread::Spread;
use crate::engine::turn;
use crate::store::envelope::{Kind, Opened, VERSION, Vault};

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
    outline.of::<super::fleet::Servers>();
    outline.of::<super::turn::edition::Texts>();
    outline.of::<CallAudit>();
    outline.of::<Head>();
    outline.of::<Link>();
    let path = format!("{}/fixtures/state/v{VERSION}/outline.txt", env!("CARGO_MANIFEST_DIR"));
    let head = "What this version stores. See \"What is stored\" in CONTRIBUTING.md before you change it.\n\n";
    expect_test::expect_file![path].assert_eq(&format!("{head}{outline}"));
}

/// The seal of a record binds its id, and not what kind of record it is. Nearly all ids are made of their kind. For the
/// others, a copy of one kind in the place of another is worth no more than to delete what was there: it does not
/// open as one, or is as if nothing had ever been written.
#[test]
fn a_record_in_the_place_of_another_kind_is_none() {
    const ID: &str = "00";
    let vault = Vault::new(&[7; 32]);
    let outline = Outline::default();
    let mut sealed = Vec::new();
    for _ in 0..200 {
        sealed.extend([
            ("audit-head", outline.one_sealed::<Head>(&vault, ID)),
            ("fuse", outline.one_sealed::<Fuse>(&vault, ID)),
            ("dead", outline.one_sealed::<super::desk::dead::Letters>(&vault, ID)),
            ("store", outline.one_sealed::<super::probe::StoreName>(&vault, ID)),
            ("servers", outline.one_sealed::<super::fleet::Servers>(&vault, ID)),
        ]);
    }
    sealed.push(("probe", vault.seal(Kind::Record, ID, &(), [0; 12])));
    for (kind, sealed) in &sealed {
        let opened = vault.open(Kind::Record, ID, sealed).unwrap();
        assert!(*kind == "audit-head" || is_none::<Head>(&opened), "{kind}");
        assert!(*kind == "fuse" || is_none::<Fuse>(&opened), "{kind}");
        assert!(*kind == "dead" || is_none::<super::desk::dead::Letters>(&opened), "{kind}");
        assert!(*kind == "store" || is_none::<super::probe::StoreName>(&opened), "{kind}");
        assert!(*kind == "servers" || is_none::<super::fleet::Servers>(&opened), "{kind}");
    }
}

fn is_none<T: Default + PartialEq + DeserializeOwned>(opened: &Opened) -> bool {
    opened.read::<T>().is_none_or(|read| read == T::default())
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
