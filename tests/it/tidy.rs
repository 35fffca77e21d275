//! The house rules, held by a test.

use std::path::{Path, PathBuf};

use crate::support::tree::root;

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The code of a file: no comments, no unit tests, which stand at its end or in a file of their own.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Whether the code names a module of ours: `crate::server`, or `server` in a braced import of the crate.
fn names(code: &str, module: &str) -> bool {
    names_of(code, "crate", module)
}

fn names_of(code: &str, of: &str, module: &str) -> bool {
    let ends = [":", ";", "{", ","].map(|end| format!("{of}::{module}{end}"));
    ends.iter().any(|name| code.contains(name)) || braced(code, of).any(|name| name == module)
}

#[test]
fn the_core_names_nothing_of_the_shell() {
    let outside = [
        "tokio",
        "actix_web",
        "redis::",
        "redb::",
        "reqwest",
        "lettre",
        "tracing",
        "getrandom",
        "Instant::now",
        "SystemTime::now",
        "Timestamp::now",
        "ZonedDateTime::now",
        "new_v4",
    ];
    for folder in ["src/flow", "src/check", "src/engine", "src/twiml", "src/draw"] {
        for path in files(folder, "rs") {
            let code = code(&path);
            for name in outside {
                assert!(!code.contains(name), "{} names {name}", path.display());
            }
            for module in ["env", "fs", "net", "process", "thread"] {
                assert!(!names_of(&code, "std", module), "{} names {module}", path.display());
            }
            for module in STOREYS.into_iter().chain(["ui"]) {
                assert!(!names(&code, module), "{} imports the shell: {module}", path.display());
            }
        }
    }
}

/// The shell from the ground up: a module imports what stands before it, and nothing that comes after.
const STOREYS: [&str; 19] = [
    "writing",
    "threads",
    "chance",
    "clock",
    "telemetry",
    "store",
    "audit",
    "carrier",
    "outbound",
    "directory",
    "demo",
    "config",
    "exchange",
    "outbox",
    "server",
    "files",
    "replay",
    "lsp",
    "cli",
];

#[test]
fn the_shell_stands_in_storeys() {
    let root = root().join("src");
    for entry in std::fs::read_dir(&root).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_string_lossy().into_owned();
        let core = ["flow", "check", "engine", "twiml", "draw"];
        let ground = ["diagnostic", "document", "hex", "limits", "phone", "render", "secret", "ui"];
        let program = ["lib", "main"];
        let known = [&core[..], &ground, &program, &STOREYS].concat();
        assert!(known.contains(&&*module), "{module} has no place in the house");
    }
    for (storey, module) in STOREYS.into_iter().enumerate() {
        let folder = root.join(module);
        let mut of_module =
            if folder.is_dir() { files(&format!("src/{module}"), "rs") } else { Vec::new() };
        of_module.extend(Some(root.join(format!("{module}.rs"))).filter(|path| path.exists()));
        assert!(!of_module.is_empty(), "there is no {module}");
        for path in of_module {
            let code = code(&path);
            for above in &STOREYS[storey + 1..] {
                assert!(
                    !names(&code, above),
                    "{} imports {above}, which stands above it",
                    path.display()
                );
            }
        }
    }
}

/// The modules in braced imports of a crate.
fn braced<'t>(code: &'t str, of: &str) -> impl Iterator<Item = &'t str> {
    let imports: Vec<_> = code.split(&format!("use {of}::{{")).skip(1).collect();
    imports.into_iter().flat_map(|rest| {
        let names = rest.split("};").next().unwrap_or_default();
        names.split([',', '{', '}']).map(|name| name.trim().split("::").next().unwrap_or_default())
    })
}

#[test]
fn the_machine_knows_neither_the_checker_nor_the_writer() {
    for path in files("src/engine", "rs") {
        let code = code(&path);
        assert!(!names(&code, "check") && !names(&code, "twiml"), "{}", path.display());
    }
    for path in files("src/flow", "rs") {
        let code = code(&path);
        assert!(!names(&code, "engine") && !names(&code, "check"), "{}", path.display());
    }
}

#[test]
fn the_server_never_reaches_into_a_store() {
    for path in files("src/server", "rs") {
        let code = code(&path);
        for inside in ["store::redb", "store::redis", "store::memory"] {
            assert!(!code.contains(inside), "{} reaches into {inside}", path.display());
        }
    }
}

/// Every room counts with `watch`; beside that it names no other by its path.
#[test]
fn a_room_of_the_exchange_names_no_other() {
    let rooms = ["answers", "desk", "turn", "watch"];
    for room in rooms {
        for path in files(&format!("src/exchange/{room}"), "rs") {
            let code = code(&path);
            for other in rooms.into_iter().filter(|other| ![room, "watch"].contains(other)) {
                let named = names_of(&code, "crate::exchange", other);
                assert!(!named, "{} names the room {other}", path.display());
            }
        }
    }
}

/// What a replay shows a hole with, no live call has.
#[test]
fn a_replay_alone_lets_a_demand_pass() {
    for path in files("src", "rs") {
        let lets = path.ends_with("exchange/mod.rs") || path.to_string_lossy().contains("replay");
        let calls = code(&path).contains("letting_pass");
        assert!(!calls || lets, "{} lets demands pass", path.display());
    }
}

#[test]
fn files_are_one_idea_long() {
    let mut lengths = Vec::new();
    for folder in ["src", "tests", "benches"] {
        for path in files(folder, "rs") {
            let lines = std::fs::read_to_string(&path).unwrap().lines().count();
            assert!(lines <= 600, "{} has {lines} lines: is it one idea?", path.display());
            lengths.push(lines);
        }
    }
    lengths.sort_unstable();
    assert!(lengths[lengths.len() / 2] <= 200, "half of the files are short");
}

#[test]
fn every_file_says_what_it_is_for_and_nothing_is_put_off() {
    for path in files("src", "rs").into_iter().chain(files("tests", "rs")) {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//!"), "{} has no purpose", path.display());
        for word in ["TODO", "FIXME"] {
            let own = path.ends_with("tidy.rs");
            assert!(own || !text.contains(word), "{} puts something off", path.display());
        }
    }
}

#[test]
fn every_module_is_on_the_map() {
    let root = root();
    let map = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    for entry in std::fs::read_dir(root.join("src")).unwrap() {
        let module = entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        let known = ["lib", "main"].contains(&&*module);
        let rows = map.lines().filter(|line| line.starts_with("| `"));
        let named = rows.filter_map(|row| row.split('|').nth(1));
        let is_there = known || named.into_iter().any(|row| row.contains(&format!("`{module}`")));
        assert!(is_there, "ARCHITECTURE.md has no row for {module}");
    }
}

#[test]
fn every_state_type_has_a_page() {
    for of in callgate::flow::states::TYPES {
        let page = of.page();
        assert!(page.len() > 40 && page.trim_end().ends_with('.'), "{}: {page}", of.name);
    }
}
