//! Odds, statements and the reference of codes: what the commands print, exactly.

use std::path::Path;

use expect_test::expect_file;

use crate::support::house::command_in;

fn run(args: &[&str]) -> (i32, String, String) {
    let output = command_in(Path::new(env!("CARGO_MANIFEST_DIR"))).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn printed(args: &[&str]) -> String {
    let (code, stdout, stderr) = run(args);
    assert_eq!((code, stderr.as_str()), (0, ""));
    stdout
}

#[test]
fn the_odds_of_the_shipped_flows_are_printed_as_a_table() {
    for flow in ["bank", "clinic"] {
        expect_file![format!("odds/{flow}.txt")].assert_eq(&printed(&["odds", flow]));
    }
}

#[test]
fn the_statement_of_the_shipped_flows_is_a_page() {
    for flow in ["bank", "clinic"] {
        let page = printed(&["statement", flow]);
        // A hash stands for the text of the moment: it has a test of its own.
        let mut stable = String::new();
        for line in page.lines() {
            let hash = line.split('`').find(|part| part.len() == 64);
            stable += &hash.map_or(line.to_owned(), |hash| line.replace(hash, "…"));
            stable.push('\n');
        }
        expect_file![format!("odds/{flow}.md")].assert_eq(&stable);
        assert_eq!(page, printed(&["statement", flow]));
    }
}

#[test]
fn a_statement_names_the_very_text_it_is_about() {
    use sha2::{Digest as _, Sha256};
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("flows/verify.toml");
    let digest = Sha256::digest(std::fs::read(path).unwrap());
    let hex = digest.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let page = printed(&["statement", "bank", "--date", "2026-11-30"]);
    assert!(page.contains(&hex) && page.contains(" on 2026-11-30 "));
}

#[test]
fn programs_get_every_number() {
    let text = printed(&["odds", "bank", "--format", "json", "--accounts", "1000"]);
    let odds: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(odds["terms"]["accounts"], 1_000);
    assert_eq!(odds["guesses"]["pin"], serde_json::json!({"call": 3, "day": 10, "year": 50}));
    let card = odds["states"].as_array().unwrap().iter().find(|s| s["state"] == "new_card");
    let card = card.unwrap();
    let ways =
        serde_json::json!([["sms_otp", "pin"], ["callback", "pin"], ["pin", "service_code"]]);
    assert_eq!(card["ways"], ways);
    let year = |pins: usize| card["chances"][pins]["year"].as_f64().unwrap();
    // Three ways, each a code of fifty guesses and a PIN of fifty.
    assert!((year(0) - 3.0 * 5e-5 * 5e-5).abs() < 1e-12, "{}", year(0));
    assert!(year(1) > year(2) && year(2) > year(3) && year(3) > year(0));
    let opened = card["chances"][1]["accounts_opened"].as_f64().unwrap();
    assert!((opened - 1_000.0 * year(1)).abs() < 1e-9);
}

#[test]
fn a_code_by_mail_is_guessed_as_one_by_message_is() {
    let text = printed(&["odds", "fixtures/calls/flows/mail.toml", "--format", "json"]);
    let odds: serde_json::Value = serde_json::from_str(&text).unwrap();
    let guesses = odds["guesses"].as_object().unwrap();
    assert_eq!(guesses.keys().collect::<Vec<_>>(), ["email_otp"]);
    let visit = &odds["states"][0]["chances"][0];
    // Fifty guesses at codes of six digits, whatever few of them each code takes.
    let year = visit["year"].as_f64().unwrap();
    assert!((year - 5e-5).abs() < 1e-6, "{year}");
    assert_eq!(odds["lockouts"].as_object().unwrap().keys().collect::<Vec<_>>(), ["email_otp"]);
}

#[test]
fn fewer_tries_are_worth_less() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("callgate.toml");
    std::fs::write(&policy, "[policy.pin]\nhard_cap = 5\nyear_budget = 5\n").unwrap();
    let policy = policy.to_str().unwrap();
    let text = printed(&["odds", "bank", "--policy", policy, "--format", "json"]);
    let odds: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(odds["guesses"]["pin"]["year"], 5);
    std::fs::write(policy, "[policy.pin]\nhard_cap = 5000\n").unwrap();
    let (code, _, stderr) = run(&["odds", "bank", "--policy", policy]);
    assert!(code == 2 && stderr.contains("hard_cap"), "{stderr}");
}

#[test]
fn what_has_no_odds_says_so() {
    for (args, wanted, words) in [
        (["odds", "nowhere"], 2, "there is no `nowhere`"),
        (["odds", "verify"], 2, "no call begins in `verify`"),
        (["odds", "fixtures/flows/bad/unknown-state.toml"], 1, "the flow has errors"),
        (["statement", "fixtures/flows/bad/unproved.toml"], 1, "nothing to state"),
    ] {
        let (code, stdout, stderr) = run(&args);
        assert_eq!((code, stdout.as_str()), (wanted, ""), "{stderr}");
        assert!(stderr.contains(words), "{stderr}");
    }
}

#[test]
fn the_reference_of_codes_is_what_explain_prints() {
    expect_file!["../../docs/rules.md"].assert_eq(&printed(&["explain", "--all"]));
}
