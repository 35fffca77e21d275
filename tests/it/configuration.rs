//! The reference of the configuration, held against what reads it: the keys that it has, their bounds and
//! defaults, and its examples.

use std::collections::BTreeSet;
use std::path::Path;

use callgate::carrier::twilio::Sender;
use callgate::config::reference::reference;
use callgate::config::{Config, ConfigError};
use callgate::diagnostic::{Finding, Sources};
use callgate::document::parse_duration;
use toml_edit::{DocumentMut, Item, Table, Value};

use crate::support::house::command_in;
use crate::support::process::Ran as _;

/// A section as it is documented.
struct Section {
    name: String,
    rows: Vec<Row>,
    examples: Vec<String>,
}

struct Row {
    key: String,
    value: String,
    otherwise: String,
}

fn sections() -> Vec<Section> {
    let text = reference();
    let (_, after) = text.split_once("\n## Sections\n").unwrap();
    let section = |part: &str| {
        let title = part.lines().next().unwrap();
        let rows = part.lines().filter(|line| line.starts_with("| `")).map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let [key, value, otherwise, _] = cells[..] else { panic!("{line}") };
            let text = |cell: &str| cell.to_owned();
            Row { key: text(key.trim_matches('`')), value: text(value), otherwise: text(otherwise) }
        });
        let examples = part.split("```toml\n").skip(1).map(|it| it.split("```").next().unwrap());
        let name = title.trim_matches(['`', '[', ']']);
        Section {
            name: if title.starts_with('`') { name.to_owned() } else { String::new() },
            rows: rows.collect(),
            examples: examples.map(str::to_owned).collect(),
        }
    };
    after.split("\n### ").skip(1).map(section).collect()
}

pub(crate) const LEAST: &str = "public_url = \"https://ivr.example.com\"
[twilio]
account_sid = \"AC00000000000000000000000000000000\"
auth_token_env = \"TOKEN\"
[lines]
\"+15005550006\" = { flow = \"bank\" }
[directory]
kind = \"file\"
path = \"accounts.toml\"
";

/// A whole configuration with an example of a section in it.
fn whole(section: &Section, example: &str) -> DocumentMut {
    let mut whole: DocumentMut = LEAST.parse().unwrap();
    let example: DocumentMut = example.parse().unwrap();
    for (key, item) in example.iter() {
        whole.insert(key, item.clone());
    }
    if section.name == "redis" {
        whole["store"] = toml_edit::value("redis://127.0.0.1:6379");
    }
    whole
}

/// The table that a section's keys stand in.
fn table<'a>(section: &Section, whole: &'a mut DocumentMut) -> &'a mut dyn toml_edit::TableLike {
    let part = |whole: &'a mut DocumentMut, key: &str| whole.get_mut(key).unwrap();
    let item = match section.name.as_str() {
        "" => return whole.as_table_mut(),
        "lines" => &mut part(whole, "lines")["+15005550006"],
        "backends.NAME" => &mut part(whole, "backends")["billing"],
        "admin.tokens" => {
            let Item::ArrayOfTables(tokens) = &mut part(whole, "admin")["tokens"] else { panic!() };
            return tokens.get_mut(0).unwrap();
        }
        name => match name.split_once('.') {
            Some((outer, inner)) => &mut part(whole, outer)[inner],
            None => part(whole, name),
        },
    };
    item.as_table_like_mut().unwrap()
}

/// Reads it with its secrets where the system has them, and without.
fn load(whole: &DocumentMut, secrets: bool) -> Result<Config, Vec<Finding>> {
    load_in(tempfile::tempdir().unwrap().path(), whole, secrets)
}

pub(crate) fn load_in(
    folder: &Path,
    whole: &DocumentMut,
    secrets: bool,
) -> Result<Config, Vec<Finding>> {
    let mut whole = whole.clone();
    if secrets {
        if !whole.contains_key("state_key_file") {
            whole["state_key_env"] = toml_edit::value("KEY");
        }
        keep_in_files(whole.as_table_mut(), folder);
    }
    let path = folder.join("callgate.toml");
    std::fs::write(&path, whole.to_string()).unwrap();
    match Config::load(&path) {
        Ok(config) => Ok(config),
        Err(ConfigError::Wrong { findings, .. }) => Err(findings),
        Err(error) => panic!("{error}"),
    }
}

/// Puts each secret that a variable would hold into a file.
fn keep_in_files(table: &mut Table, folder: &Path) {
    let keys: Vec<_> = table.iter().map(|(key, _)| key.to_owned()).collect();
    for key in keys {
        if let Some(stem) = key.strip_suffix("_env") {
            table.remove(&key);
            table[&format!("{stem}_file")] = toml_edit::value(stem);
            let secret = match stem {
                "state_key" => "KioqKioqKioqKioqKioqKioqKioqKioqKioqKioqKio=",
                "url" => "smtps://bank:word@mail.example.com",
                _ => "a-secret-of-the-tests",
            };
            std::fs::write(folder.join(stem), secret).unwrap();
            continue;
        }
        match &mut table[&key] {
            Item::Table(inner) => keep_in_files(inner, folder),
            Item::ArrayOfTables(tables) => {
                tables.iter_mut().for_each(|table| keep_in_files(table, folder));
            }
            _ => {}
        }
    }
}

/// The keys that a reader says it knows there, when it meets one that it does not.
fn known(section: &Section, example: &str) -> BTreeSet<String> {
    let mut whole = whole(section, example);
    table(section, &mut whole).insert("zz_no_such_key", toml_edit::value(1));
    known_by(&whole)
}

fn known_by(whole: &DocumentMut) -> BTreeSet<String> {
    let findings = load(whole, false).expect_err("an unknown key is an error");
    let unknown = findings.iter().find(|it| it.message.contains("zz_no_such_key")).unwrap();
    let help = unknown.help.as_deref().unwrap();
    let listed = help.strip_prefix("it may have: ").unwrap_or_else(|| panic!("{help}"));
    listed.split(", ").map(|key| key.trim_matches('`').to_owned()).collect()
}

/// With a key set in an example that may have it.
fn with(section: &Section, key: &str, value: &str) -> DocumentMut {
    let example = section.examples.iter().find(|example| known(section, example).contains(key));
    let mut whole = whole(section, example.unwrap_or_else(|| panic!("{key}")));
    let value: Value = value.parse().unwrap_or_else(|error| panic!("{key} = {value}: {error}"));
    table(section, &mut whole).insert(key, Item::Value(value));
    whole
}

#[test]
fn the_document_is_what_explain_prints() {
    let folder = tempfile::tempdir().unwrap();
    let printed = |argument: &str| {
        let output = command_in(folder.path()).args(["explain", argument]).ran();
        assert!(output.status.success(), "{argument}");
        String::from_utf8(output.stdout).unwrap()
    };
    let whole = printed("--configuration");
    expect_test::expect_file!["../../docs/configuration.md"].assert_eq(&whole);
    let page = printed("policy.pin");
    assert!(page.contains("| `soft_limit` | failures, 1 to 100 | `5` |"), "{page}");
    assert_eq!(printed("[policy.pin]"), page);
    assert_eq!(printed("soft_limit"), page);
    // A state type is called so too: the section is meant in brackets.
    assert!(printed("lookup").starts_with("# lookup\n\nstate type"));
    assert!(printed("[lookup]").starts_with("# `[lookup]`"));
}

#[test]
fn every_key_that_is_read_is_documented_and_no_other() {
    let mut outer = BTreeSet::new();
    let mut of_policy = BTreeSet::new();
    for section in sections() {
        let documented: BTreeSet<_> = section.rows.iter().map(|row| row.key.clone()).collect();
        let read: BTreeSet<_> =
            section.examples.iter().flat_map(|example| known(&section, example)).collect();
        let name = &section.name;
        if let Some((first, inner)) = name.split_once('.') {
            outer.insert(first.to_owned());
            of_policy.extend((first == "policy").then(|| inner.to_owned()));
        } else if !name.is_empty() {
            outer.insert(name.clone());
        }
        if !name.is_empty() {
            assert_eq!(documented, read, "[{name}]");
        }
    }
    let top = &sections()[0];
    let documented = top.rows.iter().map(|row| row.key.clone()).collect::<BTreeSet<_>>();
    assert_eq!(&documented | &outer, known(top, &top.examples[0]));
    let mut whole: DocumentMut = LEAST.parse().unwrap();
    whole["policy"]["zz_no_such_key"] = toml_edit::value(1);
    assert_eq!(known_by(&whole), of_policy);
}

#[test]
fn every_example_is_read() {
    for section in sections() {
        assert!(!section.examples.is_empty(), "[{}]", section.name);
        for example in &section.examples {
            let read = load(&whole(&section, example), true);
            assert!(read.is_ok(), "{example}\n{:?}", read.err());
        }
    }
}

#[test]
fn every_bound_is_the_readers() {
    let mut held = 0;
    for section in sections() {
        for Row { key, value, .. } in &section.rows {
            let taken = |value: &str| {
                // A code of which nobody says how long it is good is held against the longest.
                let mut whole = with(&section, key, value);
                if section.name == "policy.service_code" && key == "ttl_max_s" {
                    table(&section, &mut whole).insert("ttl_s", toml_edit::value(60));
                }
                let read = load(&whole, true);
                assert!(read.is_ok(), "[{}] {key} = {value}: {:?}", section.name, read.err());
            };
            let refused = |value: &str, code: &str| {
                // A variable that is not there is another error.
                let secrets = !key.ends_with("_env") && !key.ends_with("_file");
                let findings = load(&with(&section, key, value), secrets).err().unwrap_or_default();
                let found = findings.iter().any(|finding| finding.code == code);
                assert!(found, "[{}] {key} = {value}: {findings:?}", section.name);
            };
            let (kind, bounds) = value.rsplit_once(", ").unwrap_or(("", value));
            let bounds = bounds.split_once(" to ");
            if let Some((min, max)) = bounds.filter(|_| kind == "a duration") {
                let quoted = |text: &str| format!("\"{text}\"");
                taken(&quoted(min));
                taken(&quoted(max));
                let ms = |text: &str| parse_duration(text).unwrap().as_millis();
                refused(&quoted(&format!("{}ms", ms(max) + 1)), "out-of-range");
                if ms(min) > 0 {
                    refused(&quoted(&format!("{}ms", ms(min) - 1)), "out-of-range");
                }
                held += 1;
            } else if let Some((min, max)) = bounds {
                let list = kind.starts_with("a list");
                let write = |n: i64| if list { format!("[{n}]") } else { n.to_string() };
                let (min, max): (i64, i64) = (min.parse().unwrap(), max.parse().unwrap());
                taken(&write(min));
                taken(&write(max));
                refused(&write(min - 1), "out-of-range");
                refused(&write(max + 1), "out-of-range");
                held += 1;
            } else if value.contains('"') && !value.contains("ISO 3166") {
                let list = value.starts_with("a list");
                let write = |word: &str| if list { format!("[{word}]") } else { word.to_owned() };
                refused(&write("\"no such word\""), "unknown-value");
                held += 1;
            } else if value == "`true` or `false`" {
                taken("true");
                taken("false");
                refused("1", "wrong-type");
            } else {
                // Texts: none is a table.
                refused("{}", "wrong-type");
            }
        }
    }
    assert!(held > 45, "{held} keys have bounds");
}

#[test]
fn every_word_of_a_choice_is_read() {
    for section in sections() {
        for Row { key, value, .. } in &section.rows {
            // What a kind needs beside it stands in the examples.
            if matches!(
                (&*section.name, &**key),
                ("directory" | "lookup" | "otp", "kind" | "backend")
            ) {
                for word in value.split('"').skip(1).step_by(2) {
                    let written =
                        section.examples.iter().any(|it| it.contains(&format!("\"{word}\"")));
                    let off = matches!(word, "none" | "own");
                    assert!(written || off, "{word}");
                    if off {
                        assert!(load(&with(&section, key, &format!("\"{word}\"")), true).is_ok());
                    }
                }
                continue;
            }
            if !value.starts_with("one of") && !value.starts_with("a list of `\"") {
                continue;
            }
            for word in value.split('"').skip(1).step_by(2) {
                let list = value.starts_with("a list");
                let written = if list { format!("[\"{word}\"]") } else { format!("\"{word}\"") };
                let read = load(&with(&section, key, &written), true);
                assert!(read.is_ok(), "[{}] {key} = {written}: {:?}", section.name, read.err());
            }
        }
    }
}

#[test]
fn every_default_is_what_holds() {
    let folder = tempfile::tempdir().unwrap();
    let show = |whole: &DocumentMut| {
        let config = load_in(folder.path(), whole, true);
        let mut config = config.unwrap_or_else(|found| panic!("{whole}\n{found:?}"));
        config.sources = Sources::default();
        let shown = format!("{config:?}");
        // Places differ, and say nothing.
        let mut parts = shown.split("span: ");
        let first = parts.next().unwrap().to_owned();
        let rest = parts.map(|part| part.split_once(' ').map_or("", |(_, rest)| rest));
        rest.fold(first, |shown, part| shown + part)
    };
    let mut held = 0;
    for section in sections() {
        for Row { key, otherwise, .. } in &section.rows {
            let Some(default) = otherwise.strip_prefix('`').and_then(|it| it.strip_suffix('`'))
            else {
                continue;
            };
            // Variables of the environment are the system's.
            if key.ends_with("_env") {
                continue;
            }
            let written = with(&section, key, default);
            let mut left_out = written.clone();
            table(&section, &mut left_out).remove(key);
            assert_eq!(show(&left_out), show(&written), "[{}] {key} = {default}", section.name);
            held += 1;
        }
    }
    assert!(held > 50, "{held} keys have defaults");
}

#[test]
fn the_way_to_a_knob_leads_to_one() {
    let sections = sections();
    let text = reference();
    let chapter = text.split("\n## ").find(|part| part.starts_with("Where to look")).unwrap();
    let mut found = 0;
    for line in chapter.lines().filter(|line| line.contains("`[")) {
        let cell = line.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let mut section = "";
        for part in cell.split(", ").map(|part| part.trim_matches('`')) {
            let key = part.split_once("] ").map_or(part, |(name, key)| {
                section = name.trim_start_matches('[');
                key
            });
            let of = sections.iter().find(|it| it.name == section);
            let there = of.is_some_and(|of| of.rows.iter().any(|row| row.key == key));
            assert!(there, "[{section}] {key}");
            found += 1;
        }
    }
    assert!(found > 30, "{found}");
}

#[test]
fn service_codes_may_be_issued_without_saying_how_long() {
    let sections = sections();
    let section = sections.iter().find(|it| it.name == "policy.service_code").unwrap();
    let mut whole = with(section, "ttl_max_s", "600");
    table(section, &mut whole).insert("ttl_s", toml_edit::value(601));
    let findings = load(&whole, true).expect_err("none could be");
    assert_eq!(findings[0].message, "`ttl_s` is longer than `ttl_max_s`");
    assert_eq!(findings[0].help.as_deref(), Some("write at most 600 s, or raise `ttl_max_s`"));
}

#[test]
fn a_public_url_has_a_port_that_there_is_or_none() {
    let load = |url: &str| {
        let mut whole: DocumentMut = LEAST.parse().unwrap();
        whole["public_url"] = toml_edit::value(url);
        load_in(tempfile::tempdir().unwrap().path(), &whole, true)
    };
    for url in ["", ":443", ":65535/a", "/a:b", "/a:99999", "/a_b"] {
        assert!(load(&format!("https://ivr.example.com{url}")).is_ok(), "{url}");
    }
    assert!(load("https://[2001:db8::1]").is_ok() && load("https://[2001:db8::1]:8443/a").is_ok());
    // Nor anything before its host or behind its path: signatures and links are made of it. `_`: the provider calls none.
    let strange = ["me:word@a.example", "a.example/?a", "a.example/#a", "my_ivr.example"];
    let with_port =
        |url: &&str| ["ivr.example.com", "[2001:db8::1]"].map(|host| format!("{host}{url}"));
    let ports = [":99999", ":65536/a", ":0", ":", ":x"].iter().flat_map(with_port);
    for url in ports.chain(strange.map(str::to_owned)) {
        let findings = load(&format!("https://{url}")).unwrap_err();
        let codes: Vec<_> = findings.iter().map(|it| it.code).collect();
        assert_eq!(codes, ["bad-address"], "{url}");
    }
}

/// What everybody knows is no secret, and what two have is nobody's.
#[test]
fn a_secret_is_there_and_its_holders_own() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("blank", " \n");
    write("one", "the-first-token-of-two");
    write("same", "the-first-token-of-two\n");
    write("two", "the-second-token-of-two");
    write("short", &format!("{}\n", &"0123456789abcdef"[..15]));
    write("enough", "0123456789abcdef");
    let load = |what: &str| {
        let mut whole: DocumentMut = LEAST.parse().unwrap();
        let tokens: DocumentMut = what.parse().unwrap();
        for (key, item) in tokens.iter() {
            whole.insert(key, item.clone());
        }
        load_in(folder.path(), &whole, true)
    };
    let messages = |what: &str| {
        let found = load(what).err().unwrap_or_default();
        found.into_iter().map(|it| (it.code, it.message)).collect::<Vec<_>>()
    };
    let token = |name: &str, role: &str, file: &str| {
        format!("[[admin.tokens]]\nname = \"{name}\"\nrole = \"{role}\"\ntoken_file = \"{file}\"\n")
    };
    assert_eq!(
        messages(&token("desk", "agent", "blank")),
        [("missing-secret", "the file is empty".to_owned())]
    );
    // Strangers may try the tokens of the admin API, and what signs webhooks, as often as they like.
    let of_provider = |file: &str| {
        let account = "account_sid = \"AC00000000000000000000000000000000\"";
        format!("[twilio]\n{account}\nauth_token_file = \"{file}\"\n")
    };
    for (what, help) in [
        (token("desk", "agent", "short"), "make one with `openssl rand -base64 32`"),
        (
            of_provider("short"),
            "take the auth token from the console of your account, which has 32 characters",
        ),
    ] {
        let warnings = load(&what).unwrap().warnings;
        let [short] = &warnings[..] else { panic!("{warnings:?}") };
        assert_eq!((short.code, short.help.as_deref()), ("short-secret", Some(help)));
        assert!(!format!("{short:?}").contains("0123456789"));
    }
    for what in [token("desk", "agent", "enough"), of_provider("enough")] {
        assert!(load(&what).unwrap().warnings.is_empty());
    }
    let two =
        |name: &str, file: &str| token("desk", "agent", "one") + &token(name, "operator", file);
    assert!(load(&two("ops", "two")).is_ok());
    let duplicate =
        |what: &str| [("duplicate", format!("it has the same {what} as that of `desk`"))];
    assert_eq!(messages(&two("ops", "same")), duplicate("token"));
    assert_eq!(messages(&two("desk", "two")), duplicate("name"));
}

/// Who names certificates means TLS, and would send a password in the clear without it.
#[test]
fn certificates_of_redis_go_with_tls_and_a_key() {
    let found = |store: &str, keys: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let mut whole: DocumentMut = LEAST.parse().unwrap();
        whole["store"] = toml_edit::value(store);
        whole["redis"] = Item::Table(Table::new());
        for key in keys {
            std::fs::write(folder.path().join(key), "something").unwrap();
            whole["redis"][key] = toml_edit::value(*key);
        }
        let told = |found: Vec<Finding>| found.into_iter().map(|it| it.message).collect::<Vec<_>>();
        load_in(folder.path(), &whole, true).map_or_else(told, |_| Vec::new())
    };
    let (ca, certificate, key) = ("ca_file", "client_certificate_file", "client_key_file");
    for tls in ["rediss://a", "rediss+sentinel://a/calls", "rediss+cluster://a"] {
        assert_eq!(found(tls, &[ca, certificate, key]), [""; 0], "{tls}");
    }
    for clear in ["redis://a", "redis+sentinel://a/calls", "redis+cluster://a"] {
        let told = found(clear, &[ca]);
        assert_eq!(told, ["`ca_file` is of no use: `store` is not spoken to by TLS"], "{clear}");
        assert_eq!(found(clear, &[certificate, key]).len(), 1, "{clear}");
        assert_eq!(found(clear, &[]), [""; 0], "{clear}");
    }
    let told = found("rediss://a", &[certificate]);
    assert_eq!(told, ["it is of no use without its key: `client_key_file`"]);
    assert_eq!(found("rediss://a", &[key]), ["it is the key of no `client_certificate_file`"]);
}

/// A store that cannot be one is told with all the rest, where it stands, and what is wrong with it.
#[test]
fn a_store_that_is_none_is_an_error_at_its_line() {
    let without = LEAST.replace("flow = \"bank\"", "flow = \"bank\", fallback_number = \"911\"");
    for (store, message, help) in [
        ("embedded:", "`store` names no file", "embedded:callgate.redb"),
        ("redis://", "`store` is not a Redis address", "redis://[user:password@]host"),
        ("redis+sentinel://a,b", "`store` is not the address of Sentinels", "/primary"),
        ("redis+cluster://a,b/1", "`store` is not the address of a cluster", "redis+cluster://"),
        ("postgres://db", "`store` names no store", "redis://127.0.0.1:6379"),
    ] {
        let mut whole: DocumentMut = format!("store = \"{store}\"\n{without}").parse().unwrap();
        let findings = load(&whole, true).expect_err(store);
        let bad: Vec<_> = findings.iter().filter(|it| it.code == "bad-store").collect();
        assert_eq!(bad.len(), 1, "{store}: {findings:?}");
        assert_eq!(bad[0].message, message);
        assert!(bad[0].help.as_deref().unwrap().contains(help), "{:?}", bad[0].help);
        assert!(findings.iter().any(|it| it.code == "bad-number"), "{store}: {findings:?}");
        whole["store"] = toml_edit::value("redis+sentinel://a,b/calls");
        let findings = load(&whole, true).expect_err("the number is still none");
        assert!(findings.iter().all(|it| it.code != "bad-store"), "{findings:?}");
    }
}

/// One mistake is one finding: what only follows from it is not told as another.
#[test]
fn a_mistake_is_told_once() {
    let codes = |from: &str, to: &str| {
        let text = LEAST.replace(from, to);
        assert_ne!(text, LEAST);
        let findings = load(&text.parse().unwrap(), true).expect_err(to);
        findings.into_iter().map(|it| it.code).collect::<Vec<_>>()
    };
    let line = "\"+15005550006\" = { flow = \"bank\" }";
    assert_eq!(codes(line, "\"+15005550006\" = \"bank\""), ["wrong-type"]);
    assert_eq!(codes(line, ""), ["empty-value"]);
    let twilio = "[twilio]\n";
    assert_eq!(codes(line, "5550006 = { flow = \"bank\" }"), ["bad-number"]);
    let file = "kind = \"file\"\npath = \"accounts.toml\"";
    let http = "kind = \"http\"\nurl = \"https://customers.example.com\"";
    assert_eq!(codes(file, http), ["missing-key"], "it would tell anybody of its customers");
    let redis = format!("[redis]\nreplicas = 1\n{twilio}");
    assert_eq!(codes(twilio, &redis), ["bad-store"], "nothing would be replicated");
    let anybody = codes(&format!("{line}\n"), "\"*\" = { flow = \"bank\" }\n");
    assert_eq!(anybody, ["missing-key"], "no number is there to send from");
    let with = |keys: &str| {
        let text = LEAST.replace("+15005550006", "*").replace(twilio, &format!("{twilio}{keys}\n"));
        let findings = load(&text.parse().unwrap(), true).expect_err(keys);
        findings.into_iter().map(|it| it.code).collect::<Vec<_>>()
    };
    assert_eq!(with("from = \"5005550006\""), ["bad-number"]);
    let of = |sid: &str| with(&format!("messaging_service_sid = \"{sid}\""));
    assert_eq!([of("MG"), of(&format!("AC{}", "0".repeat(32)))], [["bad-service-sid"]; 2]);
    assert_eq!(with("api_base = \"api.twilio.com\""), ["bad-address"]);
    let both =
        "from = \"+15005550006\"\nmessaging_service_sid = \"MG00000000000000000000000000000000\"";
    assert_eq!(with(both), ["bad-sender"]);
}

/// Lines are numbers themselves, but for that of what is no number.
#[test]
fn a_number_of_its_own_is_of_the_line_of_no_number_alone() {
    let with = |called: &str| {
        let text = LEAST.replace(
            "\"+15005550006\" = { flow = \"bank\" }",
            &format!("\"{called}\" = {{ flow = \"bank\", number = \"+15005550007\" }}"),
        );
        load(&text.parse().unwrap(), true)
    };
    let findings = with("+15005550006").unwrap_err();
    assert!(findings.iter().any(|finding| finding.code == "bad-number"), "{findings:?}");

    let config = with("*").unwrap();
    let lines = &config.lines;
    for (called, number) in [
        ("sip:1001@acme.sip.twilio.com", "+15005550007"),
        ("", "+15005550007"),
        ("+15005550006", "+15005550006"),
    ] {
        assert_eq!(lines.number_of(called), number, "{called}");
    }
    // A number of the house in a SIP address is that number, and no other is.
    let both = LEAST.replace("[directory]", "\"*\" = { flow = \"clinic\" }\n[directory]");
    let both = load(&both.parse().unwrap(), true).unwrap();
    for (called, flow, number) in [
        ("sip:+15005550006@acme.sip.twilio.com", "bank", "+15005550006"),
        ("sips:+15005550006;user=phone@203.0.113.7:5061;transport=tls", "bank", "+15005550006"),
        ("sip:+15005550007@acme.sip.twilio.com", "clinic", "sip:+15005550007@acme.sip.twilio.com"),
        ("sip:15005550006@acme.sip.twilio.com", "clinic", "sip:15005550006@acme.sip.twilio.com"),
        ("sip:*@acme.sip.twilio.com", "clinic", "sip:*@acme.sip.twilio.com"),
        ("tel:+15005550006", "clinic", "tel:+15005550006"),
        ("client:+15005550006@x", "clinic", "client:+15005550006@x"),
    ] {
        assert_eq!(both.lines.of(called).unwrap().flow, flow, "{called}");
        assert_eq!(both.lines.number_of(called), number, "{called}");
    }
    // Messages come from it where nothing else is said.
    let Some(Sender::From(from)) = config.twilio.sender else { panic!("no sender") };
    assert_eq!(from, "+15005550007");
}
