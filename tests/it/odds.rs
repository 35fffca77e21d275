//! Odds, statements and the reference of codes: what the commands print, exactly.

mod behind;
mod worth;

use expect_test::expect_file;

use crate::support::house::command_in;
use crate::support::process::Ran as _;
use crate::support::tree::root;

fn run(args: &[&str]) -> (i32, String, String) {
    let output = command_in(root()).args(args).ran();
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
    let path = root().join("flows/verify.toml");
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

/// As `simulate` rings them: whoever has the program alone has its flows.
#[test]
fn where_there_is_no_folder_of_flows_the_shipped_ones_are_meant() {
    let nowhere = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let output = command_in(nowhere.path()).args(args).ran();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    for args in [
        &["odds", "bank"][..],
        &["statement", "clinic"],
        &["graph", "bank"],
        &["graph", "verify", "--format", "dot"],
    ] {
        assert_eq!(run(args), (Some(0), printed(args), String::new()), "{args:?}");
    }
    for names in [&["bank"][..], &["clinic", "verify"]] {
        let (code, found, said) = run(&[&["check"], names].concat());
        assert_eq!((code, found.as_str()), (Some(0), ""), "{said}");
    }
    for command in ["odds", "check"] {
        let (code, _, said) = run(&[command, "nowhere"]);
        assert!(code == Some(2) && said.contains("there is no `nowhere`"), "{said}");
    }
    // What is there is not passed over for want of a folder: that would be a build that checks nothing.
    let (code, _, said) = run(&["check"]);
    assert!(code == Some(2) && said.contains("there is no `flows`"), "{said}");
    let flows = nowhere.path().join("flows");
    std::fs::create_dir(&flows).unwrap();
    for command in ["odds", "check"] {
        let (code, _, said) = run(&[command, "bank"]);
        assert!(
            code == Some(2) && said.contains("there is no `bank`"),
            "there is a folder: {said}"
        );
    }
    std::fs::write(flows.join("own.toml"), "name=\"own\"\n").unwrap();
    let (code, found, said) = run(&["check", "own"]);
    assert!(code == Some(1) && found.contains("flows/own.toml"), "{found}{said}");
    let (code, changed, said) = run(&["fmt", "own"]);
    assert_eq!((code, changed.as_str()), (Some(0), "flows/own.toml\n"), "{said}");
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

/// A flow of our own, on disk, with what is printed of it.
fn of_flow(text: &str, args: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let flow = folder.path().join("desk.toml");
    std::fs::write(&flow, text).unwrap();
    let (command, rest) = args.split_first().unwrap();
    printed(&[&[*command, flow.to_str().unwrap()], rest].concat())
}

/// A claim and a PIN, and a code to the mobile for the specialist's field.
const DESK: &str = r#"
name  = "desk"
start = "who"

[levels]
known  = { any = ["pin"] }
strong = { any = ["sms_otp"] }

[disclose]
first_name = "known"
results    = "strong"

[states.who]
type   = "identify"
by     = ["digits"]
digits = 8
prompt = "Your number?"
on     = { found = "desk", unknown = "desk" }

[states.desk]
type     = "transfer"
requires = "known"
step_up  = "send"
to       = { number = "+12175550100" }
share    = ["first_name", "results"]
on       = { completed = "bye", busy = "bye", no_answer = "bye", failed = "bye", declined = "bye", denied = "bye" }

[states.send]
type = "send_sms_otp"
on   = { sent = "code", unavailable = "code", limited = "code" }

[states.code]
type   = "gather_otp"
prompt = "The code?"
on     = { ok = "pin", failed = "pin", expired = "pin", undelivered = "pin" }

[states.pin]
type   = "gather_pin"
digits = 4
prompt = "Your PIN?"
on     = { ok = "back", failed = "back", locked = "back" }

[states.back]
type = "return"

[states.bye]
type   = "hangup"
prompt = "Goodbye."
"#;

#[test]
fn what_a_specialist_is_shown_is_told_apart_from_what_lets_a_caller_in() {
    let text = of_flow(DESK, &["odds", "--format", "json"]);
    let odds: serde_json::Value = serde_json::from_str(&text).unwrap();
    let states = odds["states"].as_array().unwrap();
    let told: Vec<_> = states.iter().map(|s| (s["asks"].clone(), s["ways"].clone())).collect();
    let ask = |field: Option<&str>, level: &str| serde_json::json!({"field": field, "variable": null, "specialist": false, "level": level});
    let wanted = [
        (
            serde_json::json!([ask(None, "known"), ask(Some("first_name"), "known")]),
            serde_json::json!([["pin"]]),
        ),
        (
            serde_json::json!([ask(None, "known"), ask(Some("results"), "strong")]),
            serde_json::json!([["sms_otp", "pin"]]),
        ),
    ];
    assert_eq!(told, wanted);
    let page = of_flow(DESK, &["statement"]);
    assert!(
        page.contains("### `desk` (transfer)\n\nIt requires `known`, shares `first_name`"),
        "{page}"
    );
    assert!(
        page.contains("It requires `known`, shares `results` at `strong`: pin and sms_otp."),
        "{page}"
    );
}

/// What a back end answers is told behind a PIN, by a state that requires nothing of its own.
const BALANCE: &str = r#"
name  = "desk"
start = "who"

[levels]
known = { any = ["pin"] }

[budget]
per_year = 0.9

[states.who]
type   = "identify"
by     = ["digits"]
digits = 8
prompt = "Your number?"
on     = { found = "pin", unknown = "pin" }

[states.pin]
type   = "gather_pin"
digits = 4
prompt = "Your PIN?"
on     = { ok = "ask", failed = "bye", locked = "bye" }

[states.ask]
type    = "lookup"
backend = "billing"
on      = { ok = "say", failed = "bye" }
give    = { balance = { type = "number", label = "known" }, branch = { type = "text", label = "anyone" } }

[states.say]
type   = "say"
prompt = "{{ branch }} keeps {{ balance | money }} of yours."
next   = "bye"

[states.bye]
type   = "hangup"
prompt = "Goodbye."
"#;

#[test]
fn an_answer_that_has_a_level_is_as_sensitive_as_a_field() {
    let text = of_flow(BALANCE, &["odds", "--format", "json"]);
    let odds: serde_json::Value = serde_json::from_str(&text).unwrap();
    let [say] = odds["states"].as_array().unwrap().as_slice() else { panic!("{text}") };
    let asks = serde_json::json!([{"field": null, "variable": "balance", "specialist": false, "level": "known"}]);
    assert_eq!((&say["state"], &say["asks"]), (&"say".into(), &asks));
    assert_eq!(say["ways"], serde_json::json!([["pin"]]));
    let table = of_flow(BALANCE, &["odds"]);
    assert!(table.contains("say  uses the variable `balance` at `known`: pin\n"), "{table}");
    let page = of_flow(BALANCE, &["statement"]);
    let told = "### `say` (say)\n\nIt uses the variable `balance` at `known`: pin.\n";
    assert!(page.contains(told), "{page}");
}

#[test]
fn an_answer_that_has_a_level_is_held_to_the_budget() {
    let folder = tempfile::tempdir().unwrap();
    let flow = folder.path().join("desk.toml");
    for (per_year, code) in [("0.9", 0), ("0.001", 1)] {
        std::fs::write(&flow, BALANCE.replace("0.9", per_year)).unwrap();
        let (exit, found, _) = run(&["check", flow.to_str().unwrap()]);
        assert_eq!((exit, found.contains("guessing opens `say` in a year")), (code, code == 1));
    }
}

/// A way on which the variable holds what anybody may hear makes the other no safer, and each level has its own
/// chances.
#[test]
fn a_variable_has_the_odds_of_each_level_that_it_has_on_some_way() {
    let ask = |name: &str, label: &str, next: &str| {
        format!(
            "[states.{name}]\ntype = \"lookup\"\nbackend = \"billing\"\non = {{ ok = \"{next}\", failed = \"bye\" }}\n\
             give = {{ balance = {{ type = \"number\", label = \"{label}\" }} }}\n"
        )
    };
    let menu = "[states.which]\ntype = \"menu\"\nprompt = \"One, two or three.\"\n\
                keys = { 1 = \"easy\", 2 = \"open\", 3 = \"hard\" }\non = { no_input = \"bye\", no_match = \"bye\" }\n";
    let (before, rest) = BALANCE.split_once("[states.ask]").unwrap();
    let (_, after) = rest.split_once("[states.say]").unwrap();
    let known = "known = { any = [\"pin\"] }\n";
    let flow = before
        .replace("ok = \"ask\"", "ok = \"code\"")
        .replace(known, &format!("{known}strict = {{ all = [\"pin\", \"passcode\"] }}\n"));
    let code = "[states.code]\ntype = \"gather_passcode\"\nprompt = \"Your word?\"\n\
                on = { ok = \"which\", failed = \"bye\", locked = \"bye\" }\n";
    let asks = [("easy", "known"), ("open", "anyone"), ("hard", "strict")];
    let asks = asks.map(|(name, label)| ask(name, label, "say")).concat();
    let after = after.replace("{{ branch }} keeps ", "");
    let flow = format!("{flow}{code}{menu}{asks}[states.say]{after}");
    let text = of_flow(&flow, &["odds", "--format", "json"]);
    let odds: serde_json::Value = serde_json::from_str(&text).unwrap();
    let states = odds["states"].as_array().unwrap();
    let told: Vec<_> = states.iter().map(|it| (&it["asks"][0]["level"], &it["ways"])).collect();
    let ways = |facts: &[&str]| serde_json::json!([facts]);
    let wanted = [("known", ways(&["pin"])), ("strict", ways(&["pin", "passcode"]))];
    let wanted: Vec<_> = wanted.map(|(level, ways)| (level.into(), ways)).into();
    assert_eq!(told, wanted.iter().map(|(level, ways)| (level, ways)).collect::<Vec<_>>());
}

/// A level that a specialist may ask for opens what the specialist does then, though no state requires it.
#[test]
fn what_a_specialist_may_ask_for_has_its_odds_and_its_budget() {
    let desk = |per_year: &str, requires: &str| {
        let (head, _) = BALANCE.split_once("[states.ask]").unwrap();
        head.replace(
            "ok = \"ask\", failed = \"bye\", locked = \"bye\"",
            "ok = \"back\", failed = \"back\", locked = \"back\"",
        )
        .replace("found = \"pin\", unknown = \"pin\"", "found = \"desk\", unknown = \"desk\"")
        .replace("0.9", per_year)
            + &format!(
                "[states.back]\ntype = \"return\"\n[states.desk]\ntype = \"transfer\"\n{requires}\
                 to = {{ conference = \"desk\" }}\nagent_step_up = \"pin\"\non = {{ completed = \"bye\", \
                 busy = \"bye\", no_answer = \"bye\", failed = \"bye\", declined = \"bye\", denied = \"bye\" }}\n\
                 [states.bye]\ntype = \"hangup\"\n"
            )
    };
    let open = desk("0.9", "").replace(", denied = \"bye\"", "");
    let table = of_flow(&open, &["odds"]);
    assert!(
        table.contains("desk  lets a specialist ask for `known`: pin\n  enough      pin\n"),
        "{table}"
    );
    let text = of_flow(&open, &["odds", "--format", "json"]);
    let odds: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(odds["states"][0]["asks"][0]["specialist"], true, "{text}");
    let page = of_flow(&open, &["statement"]);
    assert!(
        page.contains("### `desk` (transfer)\n\nIt lets a specialist ask for `known`: pin.\n"),
        "{page}"
    );
    // Whoever is connected has met it, and nothing more is opened.
    let table = of_flow(&desk("0.9", "requires = \"known\"\nstep_up = \"pin\"\n"), &["odds"]);
    assert!(
        table.contains("desk  requires `known`: pin\n") && !table.contains("specialist"),
        "{table}"
    );
    // Unless it must be fresh.
    let fresh = "[levels]\nfresh = { any = [\"pin\"], within = \"1m\" }\n";
    let asked = desk("0.9", "requires = \"known\"\nstep_up = \"pin\"\n");
    let table = of_flow(&asked.replace("[levels]\n", fresh), &["odds"]);
    assert!(table.contains("lets a specialist ask for `fresh`: pin\n"), "{table}");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("desk.toml");
    for (per_year, code) in [("0.9", 0), ("0.001", 1)] {
        std::fs::write(&file, open.replace("0.9", per_year)).unwrap();
        let (exit, found, _) = run(&["check", file.to_str().unwrap()]);
        let told = "guessing passes for `known` with a specialist at `desk` in a year";
        assert_eq!((exit, found.contains(told)), (code, code == 1), "{found}");
    }
}

#[test]
fn what_is_shared_is_stated_as_it_is_shared() {
    let open = DESK
        .replace("requires = \"known\"\nstep_up  = \"send\"\n", "")
        .replace(", denied = \"bye\"", "");
    let aged = open
        .replace("any = [\"sms_otp\"]", "any = [\"sms_otp\"], within = \"5m\"")
        .replace(r#"found = "desk", unknown = "desk" }"#, r#"found = "send", unknown = "send" }"#)
        .replace(
            "ok = \"back\", failed = \"back\", locked = \"back\"",
            "ok = \"desk\", failed = \"desk\", locked = \"desk\"",
        )
        .replace("[states.back]\ntype = \"return\"\n", "");
    let page = of_flow(&aged, &["statement"]);
    let told = "the server asks for its age when the fields are to be shared, and shares none of them where it is too old.";
    assert!(page.contains(told), "{page}");
    assert!(
        !page.contains("whenever the state is entered, and for the proof again where"),
        "{page}"
    );
    let level = r#"known  = { any = ["pin"], at_risk = { high = { any = ["sms_otp"] } } }"#;
    let page = of_flow(&aged.replace(r#"known  = { any = ["pin"] }"#, level), &["statement"]);
    assert!(page.contains("| `pin` | knowledge | dial; key any account number;"), "{page}");
}

#[test]
fn the_cap_of_short_pins_is_theirs_alone() {
    let text = of_flow(DESK, &["odds", "--format", "json", "--owner-calls", "0"]);
    let odds: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(odds["guesses"]["pin"]["year"], 10);
    assert_eq!(odds["guesses"]["sms_otp"]["year"], 20);
    assert_eq!(odds["lockouts"]["pin"]["hard"]["entries"], 10);
    assert_eq!(odds["lockouts"]["sms_otp"]["hard"]["entries"], 20);
}

#[test]
fn a_pin_of_no_stated_length_is_as_short_as_any() {
    let flow = DESK.replace("digits = 4\n", "");
    let text = of_flow(&flow, &["odds", "--format", "json"]);
    let odds: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(odds["terms"]["pin_digits"], 4);
}

#[test]
fn a_statement_promises_what_low_risk_asks_for() {
    let level =
        r#"known  = { any = ["pin"], at_risk = { high = { any = ["sms_otp"], within = "2m" } } }"#;
    let flow = DESK.replace(r#"known  = { any = ["pin"] }"#, level);
    let page = of_flow(&flow, &["statement"]);
    assert!(!page.contains("no older than"), "{page}");
    let flow = DESK.replace(
        r#"known  = { any = ["pin"] }"#,
        &level.replace(" at_risk", r#" within = "1h", at_risk"#),
    );
    let page = of_flow(&flow, &["statement"]);
    assert!(page.contains("`known` no older than 1h."), "{page}");
}

#[test]
fn a_code_of_a_session_with_one_factor_is_stated_to_be_no_possession() {
    let flow = |level: &str| {
        let web = r#"[states.code]
type   = "gather_service_code"
prompt = "The code from our site?"
on     = { ok = "pin", failed = "pin", locked = "pin" }

"#;
        let text = DESK.replace(r#"strong = { any = ["sms_otp"] }"#, level);
        let (before, rest) = text.split_once("[states.send]").unwrap();
        let (_, after) = rest.split_once("[states.pin]").unwrap();
        format!("{}{web}[states.pin]{after}", before.replace("\"send\"", "\"code\""))
    };
    let page = of_flow(&flow(r#"strong = { any = ["service_code"] }"#), &["statement"]);
    assert!(
        page.contains(
            "| `service_code` and `pin` | knowledge; the code may be of a session with one factor |"
        ),
        "{page}"
    );
    assert!(!page.contains("PSD2 RTS (EU) 2018/389, Art. 4(1)"), "{page}");
    let page = of_flow(&flow(r#"strong = { any = ["possession"] }"#), &["statement"]);
    assert!(page.contains("| `service_code` and `pin` | knowledge and possession |"), "{page}");
    assert!(page.contains("PSD2 RTS (EU) 2018/389, Art. 4(1)"), "{page}");
}

#[test]
fn a_statement_says_what_is_true_of_its_flow() {
    let page = of_flow(DESK, &["statement"]);
    assert!(page.contains("Shorter than eight characters, and keyed over a line"), "{page}");
    assert!(page.contains("an unknown account sound the same; a lock after"), "{page}");
    assert!(page.contains("6 digits by message, drawn anew"), "{page}");
    let long = of_flow(&DESK.replace("digits = 4\n", "digits = 8\n"), &["statement"]);
    assert!(long.contains("keyed hash. Keyed over a line"), "{long}");
    let apart = r#"found = "desk", unknown = "bye" }"#;
    let told =
        of_flow(&DESK.replace(r#"found = "desk", unknown = "desk" }"#, apart), &["statement"]);
    let but =
        "sound the same, but for what `enumeration` stands for under the residual risks; a lock";
    assert!(told.contains(but) && told.contains("(`enumeration`)"), "{told}");
    let mail = of_flow(&DESK.replace("sms_otp", "email_otp"), &["statement"]);
    assert!(mail.contains("Whoever reads a customer's mail"), "{mail}");
    assert!(mail.contains("A customer can be talked into passing on a code."), "{mail}");
    assert!(mail.contains("6 digits by mail, drawn anew"), "{mail}");
    let open = "name = \"desk\"\nstart = \"bye\"\n[states.bye]\ntype = \"hangup\"\nprompt = \"Goodbye.\"\n";
    let nothing = of_flow(open, &["statement"]);
    assert!(
        nothing.contains(
            "Nothing: no state asks for proof, and none tells anything that has a level."
        ),
        "{nothing}"
    );
    assert!(!nothing.contains("## Clauses") && !nothing.contains("are below"), "{nothing}");
    assert!(!nothing.contains("Callers can prove"), "{nothing}");
    assert!(of_flow(open, &["odds"]).contains("so there is nothing to guess"));
}

/// Where what was proved decides alone which way a call goes, there is something to guess, and nothing says what.
#[test]
fn a_proof_that_no_level_asks_for_is_not_said_to_be_nothing_to_guess() {
    let flow = BALANCE
        .replace("known = { any = [\"pin\"] }", "")
        .replace("[budget]\nper_year = 0.9\n", "");
    let flow = flow.replace("label = \"known\"", "label = \"anyone\"");
    let table = of_flow(&flow, &["odds"]);
    assert!(!table.contains("nothing to guess"), "{table}");
    assert!(
        table.contains("what guessing opens is not known, though `pin` can be proved"),
        "{table}"
    );
    let page = of_flow(&flow, &["statement"]);
    assert!(page.contains("Callers can prove `pin`. What becomes of those"), "{page}");

    // A branch keeps nobody out of what is behind it.
    let gate = flow.replace("ok = \"ask\"", "ok = \"gate\"")
        + "[states.gate]\ntype = \"branch\"\ncases = [{ when = { not = { fact = \"pin\" } }, next = \"bye\" }]\n\
           otherwise = \"ask\"\n";
    let decides = "What was proved decides which way a call goes at `gate` of `desk`.";
    assert!(
        of_flow(&gate, &["statement"]).contains(decides) && !page.contains("decides"),
        "{page}"
    );
    let odds = of_flow(&gate, &["odds"]);
    assert!(odds.contains(decides.trim_end_matches('.')) && !table.contains("decides"), "{odds}");
    let told: serde_json::Value =
        serde_json::from_str(&of_flow(&gate, &["odds", "--format", "json"])).unwrap();
    assert_eq!(told["branches"], serde_json::json!([{ "flow": "desk", "state": "gate" }]));
}

/// A branch that goes by what was proved opens what is behind it, as `requires` does.
#[test]
fn what_a_branch_leads_only_provers_to_has_its_chances() {
    let bad = std::fs::read_to_string(root().join("fixtures/flows/bad/over-budget-branch.toml"));
    let flow = bad.unwrap().replace("per_year = 0.001", "per_year = 0.9");
    let opened = |flow: &str| {
        let json = of_flow(flow, &["odds", "--format", "json"]);
        let told: serde_json::Value = serde_json::from_str(&json).unwrap();
        let states = told["states"].as_array().unwrap().iter();
        let of = |state: &serde_json::Value| {
            (state["state"].clone(), state["behind"]["state"].clone(), state["ways"].clone())
        };
        states.map(of).collect::<Vec<_>>()
    };
    let desk = ("desk".into(), "asks".into(), serde_json::json!([["pin"]]));
    let message = ("message".into(), "asks".into(), serde_json::json!([["pin"]]));
    assert_eq!(opened(&flow), [message.clone(), desk], "and nobody else's");
    let said = of_flow(&flow, &["statement"]);
    let behind = "It is where `asks` of `gate` leads only those who have proved something: pin.";
    assert!(said.contains(behind), "{said}");
    // What others come to as well keeps nobody out.
    let service = "queue = \"service\" }\non = { completed = ";
    let open = flow.replace(&format!("{service}\"bye\""), &format!("{service}\"desk\""));
    assert_eq!(opened(&open), std::slice::from_ref(&message));
    // What says itself what it asks for is counted by that.
    let cards = "to = { queue = \"cards\" }\non = { ";
    let own = flow.replace(cards, &format!("requires = \"known\"\n{cards}denied = \"bye\", "));
    let requires = ("desk".into(), serde_json::Value::Null, serde_json::json!([["pin"]]));
    assert_eq!(opened(&own), [requires, message]);
}

#[test]
fn the_reference_of_codes_is_what_explain_prints() {
    expect_file!["../../docs/rules.md"].assert_eq(&printed(&["explain", "--all"]));
}
