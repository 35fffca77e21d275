//! The language server, as an editor meets it.

mod protocol;

use callgate::diagnostic::Severity;
use callgate::lsp::complete::complete;
use callgate::lsp::definition::definition;
use callgate::lsp::folder::{Folder, Paper};
use callgate::lsp::hover::hover;
use callgate::lsp::outline::outline;
use serde_json::{Value, json};

use crate::support::editor::{Editor, place};
use crate::support::tree::root;

/// A flow with words of other scripts before what is looked for.
const DESK: &str = r#"name  = "desk"
start = "who"

[levels]
basic = { any = ["pin"], within = "5m" }

[disclose]
balance = "basic"

[states.who]
type   = "identify"
by     = ["digits"]
digits = 8
prompt = "😀 Números, por favor."
on     = { found = "pin", unknown = "pin" }

[states.pin]
type   = "gather_pin"
digits = 6
prompt = "Your PIN."
on     = { ok = "balance", failed = "bye", locked = "bye" }

[states.balance]
type     = "say"
requires = "basic"
on       = { denied = "bye" }
prompt   = "It is {{ account.balance | money }}."
next     = "sub"

[states.sub]
type = "call"
flow = "ask"
on   = { yes = "bye", no = "bye" }

[states.bye]
type = "hangup"
"#;

const ASK: &str = r#"name  = "ask"
start = "q"

[states.q]
type   = "menu"
prompt = "Press 1 for yes."
keys   = { 1 = "yes" }
on     = { no_input = "no", no_match = "no" }

[states.yes]
type    = "return"
outcome = "yes"

[states.no]
type    = "return"
outcome = "no"
"#;

fn at_desk() -> Editor {
    let mut editor = Editor::start();
    editor.write("ask.toml", ASK);
    let found = editor.open("desk.toml", DESK);
    assert_eq!(found, json!([]), "all is well");
    editor
}

fn labels(found: &Value) -> Vec<&str> {
    found.as_array().unwrap().iter().map(|item| item["label"].as_str().unwrap()).collect()
}

fn position(text: &str, mark: &str, on: usize) -> Value {
    let (line, character) = place(text, mark, on);
    json!({"line": line, "character": character})
}

#[test]
fn what_is_wrong_is_told_while_it_is_typed_and_taken_back() {
    let mut editor = at_desk();
    let wrong = DESK.replace("found = \"pin\"", "found = \"pim\"");
    let wrong = wrong.replace("prompt = \"😀 Números, por favor.\"\n", "prompt = \"😀\" # é\n");
    let found = editor.change("desk.toml", 2, &wrong);
    let [finding] = found.as_array().unwrap().as_slice() else { panic!("{found}") };
    assert_eq!(finding["code"], "unknown-state");
    assert_eq!(finding["severity"], 1);
    assert!(finding["message"].as_str().unwrap().ends_with("did you mean `pin`?"));
    assert_eq!(finding["range"]["start"], position(&wrong, "\"pim\"", 0));
    let page = editor.ask_at("hover", "desk.toml", &wrong, "pim", 1);
    assert!(page["contents"]["value"].as_str().unwrap().contains("# unknown-state"), "{page}");
    assert_eq!(editor.change("desk.toml", 3, DESK), json!([]));
    let found = editor.change("desk.toml", 4, &format!("{DESK}accept = [\"enumeration\"]\n"));
    assert_eq!((&found[0]["code"], &found[0]["severity"]), (&json!("unused-accept"), &json!(2)));
    editor.end();
}

#[test]
fn what_is_open_counts_and_not_what_is_on_disc() {
    let mut editor = at_desk();
    let renamed = ASK.replace("outcome = \"no\"", "outcome = \"never\"");
    editor.write("ask.toml", "name = ");
    editor.open("ask.toml", &renamed);
    let found = editor.findings("desk.toml");
    let codes: Vec<_> = found.as_array().unwrap().iter().map(|f| f["code"].clone()).collect();
    assert_eq!(codes, ["unrouted-outcome", "unknown-outcome"], "{found}");
    // What is closed is as it was left on disc.
    let document = json!({"textDocument": {"uri": editor.uri("ask.toml")}});
    editor.tell("textDocument/didClose", &document);
    assert_eq!(editor.findings("desk.toml")[0]["code"], "unknown-flow");
    editor.end();
}

/// Of two editors on one folder each learns what the other writes, if it can be asked to say so.
#[test]
fn what_another_program_writes_is_asked_for() {
    let mut editor = Editor::able(
        &json!({"workspace": {"didChangeWatchedFiles": {"dynamicRegistration": true}}}),
    );
    let asked = editor.read();
    assert_eq!(asked["method"], "client/registerCapability");
    let registration = &asked["params"]["registrations"][0];
    assert_eq!(registration["method"], "workspace/didChangeWatchedFiles");
    assert_eq!(registration["registerOptions"]["watchers"][0]["globPattern"], "**/*.toml");
    let sub = |outcome: &str| {
        format!(
            "name = \"sub\"\nstart = \"back\"\n[states.back]\ntype = \"return\"\noutcome = \"{outcome}\"\n"
        )
    };
    let main = "name = \"main\"\nstart = \"sub\"\n[states.sub]\ntype = \"call\"\nflow = \"sub\"\n\
        on = { done = \"bye\" }\n[states.bye]\ntype = \"hangup\"\n";
    editor.write("sub.toml", &sub("done"));
    assert_eq!(editor.open("main.toml", main), json!([]));
    editor.write("sub.toml", &sub("undone"));
    let changed = json!({"changes": [{"uri": editor.uri("sub.toml"), "type": 2}]});
    editor.tell("workspace/didChangeWatchedFiles", &changed);
    assert_ne!(editor.findings("main.toml"), json!([]));
    editor.end();
}

#[test]
fn what_is_on_disc_and_not_in_utf_8_is_a_finding_there_and_in_no_other_file() {
    let mut editor = Editor::start();
    let text: Vec<_> = ASK.replace("Press 1", "Dr\u{fc}cken").chars().map(|c| c as u8).collect();
    std::fs::write(editor.folder.path().join("quiz.toml"), text).unwrap();
    assert_eq!(editor.open("desk.toml", DESK), json!([]), "the flow that is called is there");
    let found = editor.findings("quiz.toml");
    let [finding] = found.as_array().unwrap().as_slice() else { panic!("{found}") };
    assert_eq!(finding["message"], "the file is not in UTF-8\nsave it in UTF-8");
    assert_eq!(finding["range"]["start"], json!({"line": 5, "character": 12}));
    editor.end();
}

#[test]
fn findings_point_at_what_they_are_about_elsewhere() {
    let mut editor = Editor::start();
    let root = root().join("fixtures/flows/bad");
    let text = std::fs::read_to_string(root.join("unproved.toml")).unwrap();
    let found = editor.open("unproved.toml", &text);
    let unproved = found.as_array().unwrap().iter().find(|f| f["code"] == "unproved").unwrap();
    let related = unproved["relatedInformation"].as_array().unwrap();
    assert!(
        !related.is_empty()
            && related[0]["location"]["uri"] == editor.uri("unproved.toml").as_str()
    );
    editor.end();
}

#[test]
fn a_file_that_is_no_flow_is_left_alone() {
    let mut editor = at_desk();
    editor.open("desk.toml", &DESK.replace("digits = 8", "digits = 8 # same"));
    let document = json!({"uri": editor.uri("Cargo.toml"), "languageId": "toml", "version": 1, "text": "[package]\nname = \"x\"\n"});
    editor.tell("textDocument/didOpen", &json!({"textDocument": document}));
    assert_eq!(editor.findings("desk.toml"), json!([]));
    assert_eq!(editor.ask_file("documentSymbol", "Cargo.toml"), json!([]));
    editor.end();
}

#[test]
fn the_page_of_what_is_under_the_cursor_is_shown() {
    let mut editor = at_desk();
    for (mark, on, wanted) in [
        ("\"identify\"", 3, "claim of an account"),
        ("ok = \"balance\"", 7, "requires = \"basic\""),
        ("requires = \"basic\"", 13, "level **basic**: pin, proved within 5m"),
        ("account.balance", 10, "for callers who meet `basic`"),
        ("requires", 2, "The level a caller must meet to enter."),
    ] {
        let page = editor.ask_at("hover", "desk.toml", DESK, mark, on);
        assert!(page["contents"]["value"].as_str().unwrap().contains(wanted), "{mark}: {page}");
    }
    // What a risk adds is asked for too.
    let risky = DESK.replace(
        "within = \"5m\" }",
        "within = \"5m\", at_risk = { medium = { any = [\"possession\"], within = \"1m\" } } }",
    );
    editor.open("desk.toml", &risky);
    let page = editor.ask_at("hover", "desk.toml", &risky, "requires = \"basic\"", 13);
    let wanted =
        "pin, proved within 5m; from medium risk upwards also possession, proved within 1m";
    assert!(page["contents"]["value"].as_str().unwrap().contains(wanted), "{page}");
    editor.end();
}

#[test]
fn names_lead_to_where_they_are_defined() {
    let mut editor = at_desk();
    for (mark, on, file, text, wanted) in [
        ("found = \"pin\"", 10, "desk.toml", DESK, "pin]"),
        ("start = \"who\"", 10, "desk.toml", DESK, "who]"),
        ("requires = \"basic\"", 13, "desk.toml", DESK, "basic = {"),
        ("account.balance", 10, "desk.toml", DESK, "balance = \"basic\""),
        ("\"ask\"", 2, "ask.toml", ASK, "ask\""),
    ] {
        let found = editor.ask_at("definition", "desk.toml", DESK, mark, on);
        assert_eq!(found["uri"], editor.uri(file).as_str(), "{mark}");
        assert_eq!(found["range"]["start"], position(text, wanted, 0), "{mark}");
    }
    editor.end();
}

#[test]
fn what_could_be_written_is_offered_while_the_line_is_broken() {
    let mut editor = at_desk();
    let mut version = 1;
    let mut offered = |from: &str, to: &str| {
        version += 1;
        let typed = to.replace('|', "");
        assert!(DESK.contains(from), "{from}");
        let text = DESK.replace(from, &typed);
        editor.change("desk.toml", version, &text);
        let on = to.find('|').unwrap();
        let found = editor.ask_at("completion", "desk.toml", &text, &typed, on);
        labels(&found).join(" ")
    };
    assert_eq!(offered("next     = \"sub\"", "next     = \"|"), "who pin balance sub bye");
    assert_eq!(offered("next     = \"sub\"", "next     = |"), "who pin balance sub bye");
    assert_eq!(
        offered(
            "on     = { ok = \"balance\", failed = \"bye\", locked = \"bye\" }",
            "on     = { ok = \"balance\", | "
        ),
        "failed locked"
    );
    assert_eq!(
        offered("on   = { yes = \"bye\", no = \"bye\" }", "on   = { yes = \"bye\", | }"),
        "no"
    );
    assert_eq!(offered("requires = \"basic\"", "requires = \"|\""), "basic");
    assert_eq!(
        offered("any = [\"pin\"]", "any = [\"|"),
        "pin passcode sms_otp email_otp callback service_code knowledge possession"
    );
    editor.end();
}

#[test]
fn keys_types_fields_and_flows_are_offered() {
    let mut editor = at_desk();
    let (key, rest) = ("type   = \"gather_pin\"\n", "type   = \"gather_pin\"\nti\n");
    let text = DESK.replace(key, rest);
    editor.change("desk.toml", 2, &text);
    let found = editor.ask_at("completion", "desk.toml", &text, "\nti\n", 3);
    let found = labels(&found);
    assert!(found.contains(&"timeout") && found.contains(&"tries") && found.contains(&"speech"));
    assert!(!found.contains(&"digits") && !found.contains(&"keys"), "{found:?}");
    let text = DESK.replace("account.balance", "account.");
    editor.change("desk.toml", 3, &text);
    let fields = editor.ask_at("completion", "desk.toml", &text, "account.", 8);
    assert_eq!(labels(&fields), ["balance"]);
    let flows = editor.ask_at("completion", "desk.toml", &text, "\"ask\"", 1);
    assert_eq!(labels(&flows), ["ask"]);
    let types = editor.ask_at("completion", "desk.toml", &text, "\"identify\"", 1);
    assert_eq!(labels(&types).len(), callgate::flow::states::TYPES.len());
    editor.end();
}

/// A flow with a state of each of the types that take more than names of states.
const BILLS: &str = r#"name = "bills"
start = "open"

[levels.basic]
any = ["pin"]

[levels.careful]
all = ["pin"]
at_risk = { high = { any = ["callback"] } }

[budget]
pins = "random"
per_day = 0.001

[hours.office]
zone = "Europe/Berlin"
open = ["mon-fri 09:00-17:00"]

[states.open]
type = "branch"
cases = [
  { when = { risk = "low" }, next = "bills" },
  { when = { attestation = "A" }, next = "bills" },
  { when = { open = "office" }, next = "bills" },
]
otherwise = "bye"

[states.bills]
type = "lookup"
backend = "billing"
give.owed = { type = "number", label = "anyone" }
on = { ok = "desk", failed = "bye" }

[states.desk]
type = "transfer"
to = { conference = "desk" }
agent_step_up = "more"
on = { completed = "bye", busy = "bye", no_answer = "bye", failed = "bye", declined = "bye" }

[states.more]
type = "gather_pin"
prompt = "Your PIN."
verdict = "own"
on = { ok = "bye", failed = "bye", locked = "bye" }

[states.bye]
type = "hangup"
"#;

/// Who may hear what a back end says stands with each of its answers: it is a level like others, also
/// while the rest of the file is being written, and behind characters that take two places in a line.
#[test]
fn the_label_of_an_answer_leads_to_its_level() {
    let mut editor = at_desk();
    let labelled = BILLS.replace(
        "give.owed = { type = \"number\", label = \"anyone\" }\n",
        "give.owed = { type = \"number\", label = \"basic\" } # 😀\n",
    );
    assert_ne!(labelled, BILLS);
    editor.open("bills.toml", &labelled);
    let broken = labelled.replace("prompt = \"Your PIN.\"", "prompt = \"Your {{ owed }}, 😀");
    for (version, text) in [(2, &labelled), (3, &broken)] {
        editor.change("bills.toml", version, text);
        let found = editor.ask_at("definition", "bills.toml", text, "label = \"basic\"", 10);
        assert_eq!(found["uri"], editor.uri("bills.toml").as_str(), "{found}");
        assert_eq!(found["range"]["start"], position(text, "basic]", 0), "{found}");
        let page = editor.ask_at("hover", "bills.toml", text, "label = \"basic\"", 10);
        assert!(page["contents"]["value"].as_str().unwrap().contains("level **basic**"), "{page}");
    }
    let found = editor.ask_at("definition", "bills.toml", &broken, "{{ owed", 4);
    assert_eq!(found["range"]["start"], position(&broken, "owed =", 0), "{found}");
    let typed = broken.replace("label = \"basic\"", "label = \"b");
    editor.change("bills.toml", 4, &typed);
    let found = editor.ask_at("completion", "bills.toml", &typed, "label = \"b", 10);
    assert!(labels(&found).contains(&"basic"), "{found}");
    editor.end();
}

/// Each kind of place that is asked about, one by one.
#[test]
fn each_kind_of_place_offers_its_own() {
    let mut editor = at_desk();
    editor.write(
        "other.toml",
        &BILLS.replace("bills\"\nstart", "other\"\nstart").replace("billing", "ledger"),
    );
    let mut version = 1;
    editor.open("bills.toml", BILLS);
    let mut offered = |from: &str, to: &str| {
        version += 1;
        let typed = to.replace('|', "");
        assert!(BILLS.contains(from), "{from}");
        let text = BILLS.replacen(from, &typed, 1);
        editor.change("bills.toml", version, &text);
        let found = editor.ask_at("completion", "bills.toml", &text, &typed, to.find('|').unwrap());
        labels(&found).join(" ")
    };
    for (from, to, wanted) in [
        ("backend = \"billing\"", "backend = \"|\"", "ledger"),
        ("label = \"anyone\"", "label = \"|\"", "basic careful anyone"),
        ("type = \"number\"", "type = \"|\"", "text number flag date"),
        ("label = \"anyone\" }", "l| }", "type label"),
        ("{ conference = ", "{ c| = ", "number sip queue workflow conference"),
        ("agent_step_up = \"more\"", "agent_step_up = \"|\"", "open bills desk more bye"),
        ("verdict = \"own\"", "verdict = \"|\"", "own combined"),
        ("{ risk = \"low\" }", "{ risk = \"|\" }", "low medium high"),
        ("attestation = \"A\"", "attestation = \"|\"", "A B C failed relayed none"),
        ("open = \"office\"", "open = \"|\"", "office"),
        (
            "pins = \"random\"",
            "pins = \"|\"",
            "random chosen chosen_274_blocked chosen_1000_blocked",
        ),
        ("per_day = ", "p| = ", "per_call per_day per_year pins"),
        ("zone = ", "z| = ", "zone open closed"),
        ("{ high = {", "{ h| = {", "medium high"),
        ("any = [\"pin\"]", "a| = [\"pin\"]", "all any within at_risk"),
        (
            "{ risk = \"low\" }",
            "{ fact = \"|\" }",
            "pin passcode sms_otp email_otp callback service_code",
        ),
    ] {
        assert_eq!(offered(from, to), wanted, "{to}");
    }
    let asked = offered("{ risk = \"low\" }", "{ time = \"sat 09:00-12:00\", z| }");
    assert!(asked.split(' ').any(|key| key == "zone"), "{asked}");
    let accepted = offered("verdict = \"own\"", "accept = [\"|\"]");
    let warnings = callgate::check::RULES.iter().filter(|rule| rule.severity == Severity::Warning);
    assert_eq!(accepted, warnings.map(|rule| rule.code).collect::<Vec<_>>().join(" "));
    let own = |names: &[&str]| names.join(" ");
    assert_eq!(
        own(&callgate::flow::states::lookup::Type::ALL.map(|(name, _)| name)),
        "text number flag date"
    );
    assert_eq!(own(&callgate::flow::risk::BANDS.map(|(name, _)| name)), "low medium high");
    assert_eq!(
        own(&callgate::flow::condition::ATTESTATIONS.map(|(name, _)| name)),
        "A B C failed relayed none"
    );
    editor.end();
}

/// What a field needs and what is passed in stands in the flow that calls; a level of its own is its own.
#[test]
fn a_sub_flow_knows_the_names_of_the_flow_that_calls_it() {
    const MAIN: &str = "name = \"main\"\nstart = \"asks\"\n[levels]\nbasic = { any = [\"pin\"] }\n\
        [disclose]\nbalance = \"basic\"\n[states.asks]\ntype = \"call\"\nflow = \"sub\"\nrequires = \"basic\"\n\
        with = { amount = \"12\" }\non = { done = \"bye\", denied = \"bye\" }\n[states.bye]\ntype = \"hangup\"\n";
    const SUB: &str = "name = \"sub\"\nstart = \"sorted\"\n[levels]\nbasic = { any = [\"passcode\"] }\n\
        [states.sorted]\ntype = \"branch\"\notherwise = \"told\"\n\
        cases = [{ when = { var = \"\", equals = \"1\" }, next = \"told\" }]\n\
        [states.told]\ntype = \"say\"\nrequires = \"basic\"\nprompt = \"{{ account.balance }}\"\n\
        next = \"back\"\non = { denied = \"back\" }\n[states.back]\ntype = \"return\"\noutcome = \"done\"\n";
    let paper = |(file, text): (&str, &str)| (file.to_owned(), Paper::new(text));
    let folder = Folder { papers: [("main.toml", MAIN), ("sub.toml", SUB)].map(paper).into() };
    let (file, span) = definition(&folder, "sub.toml", SUB.find("balance }}").unwrap()).unwrap();
    assert_eq!((file.as_str(), &MAIN[span]), ("main.toml", "balance"));
    for (file, text, wanted) in [("main.toml", MAIN, "pin"), ("sub.toml", SUB, "passcode")] {
        let (_, page) = hover(&folder, file, text.find("basic\"\n").unwrap()).unwrap();
        assert!(page.contains(&format!("level **basic**: {wanted}")), "{file}: {page}");
    }
    let at = SUB.find("var = \"\"").unwrap() + "var = \"".len();
    let offered = complete(&folder, "sub.toml", at);
    assert!(offered.iter().any(|it| it.name == "amount"), "{offered:?}");
}

/// The page of each type of state is shown where it is named.
#[test]
fn each_state_type_has_its_page_under_the_cursor() {
    let mut editor = at_desk();
    for (version, of) in (2..).zip(callgate::flow::states::TYPES) {
        let typed = format!("type = \"{}\"", of.name);
        let text = DESK.replace("type   = \"identify\"", &typed);
        editor.change("desk.toml", version, &text);
        let page = editor.ask_at("hover", "desk.toml", &text, &typed, 8);
        let shown = page["contents"]["value"].as_str().unwrap();
        assert!(shown.contains(of.page().lines().next().unwrap()), "{}: {shown}", of.name);
        assert!(shown.starts_with(&format!("**{}**", of.name)), "{shown}");
    }
    editor.end();
}

#[test]
fn what_is_surely_a_slip_can_be_mended_with_a_key() {
    let mut editor = at_desk();
    let wrong = DESK.replace("failed = \"bye\"", "faild = \"bye\"").replace("\"sub\"", "\"s\"");
    let found = editor.change("desk.toml", 7, &wrong);
    let codes: Vec<_> = found.as_array().unwrap().iter().map(|f| f["code"].clone()).collect();
    assert_eq!(codes, ["unknown-outcome", "unknown-state"]);
    let uri = editor.uri("desk.toml");
    let mut actions = |mark: &str| {
        let range = json!({"start": position(&wrong, mark, 1), "end": position(&wrong, mark, 2)});
        let of = json!({"uri": uri.as_str()});
        let asked = json!({"textDocument": of, "range": range, "context": {"diagnostics": []}});
        editor.ask("textDocument/codeAction", &asked)
    };
    let found = actions("faild");
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    let action = &found[0];
    assert_eq!((&action["title"], &action["kind"]), (&json!("write `failed`"), &json!("quickfix")));
    assert_eq!(action["diagnostics"][0]["code"], "unknown-outcome");
    let change = &action["edit"]["documentChanges"][0];
    assert_eq!(change["textDocument"], json!({"uri": uri.as_str(), "version": 7}));
    assert_eq!(change["edits"][0]["newText"], "failed");
    assert_eq!(change["edits"][0]["range"]["start"], position(&wrong, "faild", 0));
    assert_eq!(actions("next     = \"s\""), json!([]), "that may be anything");
    editor.open("ask.toml", &ASK.replace("\"menu\"", "\"mneu\""));
    editor.change("desk.toml", 8, DESK);
    let range = json!({"start": position(DESK, "name", 0), "end": position(DESK, "hangup", 0)});
    let asked =
        json!({"textDocument": {"uri": uri}, "range": range, "context": {"diagnostics": []}});
    let found = editor.ask("textDocument/codeAction", &asked);
    assert_eq!(found, json!([]), "a slip of another file is not mended in this one");
    editor.end();
}

#[test]
fn the_outline_and_the_layout_are_given() {
    let mut editor = at_desk();
    let symbols = editor.ask_file("documentSymbol", "desk.toml");
    let names: Vec<_> =
        symbols.as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["basic", "who", "pin", "balance", "sub", "bye"]);
    assert_eq!(symbols[1]["detail"], "identify");
    assert_eq!(editor.ask_file("formatting", "desk.toml"), Value::Null, "it is laid out");
    let untidy = DESK.replace("start = ", "start=");
    editor.change("desk.toml", 2, &untidy);
    let edits = editor.ask_file("formatting", "desk.toml");
    assert_eq!(edits[0]["newText"], DESK);
    assert_eq!(edits[0]["range"]["start"], json!({"line": 0, "character": 0}));
    let windows = |text: &str| text.replace('\n', "\r\n");
    editor.change("desk.toml", 3, &windows(&untidy));
    assert_eq!(editor.ask_file("formatting", "desk.toml")[0]["newText"], windows(DESK));
    editor.change("desk.toml", 4, &windows(DESK));
    assert_eq!(editor.ask_file("formatting", "desk.toml"), Value::Null, "it is laid out");
    editor.change("desk.toml", 5, "name = \"desk");
    assert_eq!(editor.ask_file("formatting", "desk.toml"), Value::Null);
    editor.end();
}

/// Each beginning of each shipped flow, asked at its end and in its middle: nothing falls over.
#[test]
fn every_half_written_flow_is_answered() {
    let root = root().join("flows");
    let text = std::fs::read_to_string(root.join("bank.toml")).unwrap();
    let mut offered = 0;
    for (at, _) in text.char_indices().step_by(7) {
        let mut folder = Folder::default();
        folder.papers.insert("bank.toml".into(), Paper::new(&text[..at]));
        let paper = &folder.papers["bank.toml"];
        for place in [at, at / 2].into_iter().filter(|place| text.is_char_boundary(*place)) {
            for candidate in complete(&folder, "bank.toml", place) {
                assert!(paper.text.get(candidate.span).is_some());
                offered += 1;
            }
            let _ = definition(&folder, "bank.toml", place);
        }
        for entry in outline(paper) {
            assert!(entry.whole.end <= at && paper.text.get(entry.span).is_some());
        }
        if at % 5 == 0 {
            let _ = hover(&folder, "bank.toml", at);
        }
    }
    assert!(offered > 1000, "{offered}");
}
