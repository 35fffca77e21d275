//! `replay --bless` writes what was named, and nothing else.

use std::fs;

use crate::support::house::command_in;
use crate::support::process::Ran as _;
use crate::support::tree::root;

#[test]
fn what_is_not_named_is_not_written_though_it_differs() {
    let folder = tempfile::tempdir().unwrap();
    for made in ["flows", "calls"] {
        fs::create_dir(folder.path().join(made)).unwrap();
    }
    for flow in ["flows/bank.toml", "flows/verify.toml"] {
        let text = fs::read_to_string(root().join(flow)).unwrap();
        let other = text.replace("Your balance is {{", "Your present balance is {{");
        fs::write(folder.path().join(flow), other).unwrap();
    }
    let calls = ["bank.balance.toml", "bank.verify.toml"];
    let before = calls.map(|call| {
        let text = fs::read_to_string(root().join("fixtures/calls").join(call)).unwrap();
        fs::write(folder.path().join("calls").join(call), &text).unwrap();
        text
    });
    let written = |arguments: &[&str]| {
        let output = command_in(folder.path()).args(["replay", "--bless"]).args(arguments).ran();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let now = calls.map(|call| fs::read_to_string(folder.path().join("calls").join(call)));
        now.into_iter()
            .zip(&before)
            .map(|(now, before)| now.unwrap() != *before)
            .collect::<Vec<_>>()
    };
    assert_eq!(written(&["calls", "--filter", "bank.balance."]), [true, false]);
    assert_eq!(written(&["calls/bank.balance.toml"]), [true, false]);
    assert_eq!(written(&["calls"]), [true, true]);
}
