//! `callgate fmt`: how a flow file is laid out, and that nothing else becomes of it.

use crate::cli::run;
use crate::support::house::command_in;
use crate::support::tree::{entries, is_toml, root, text};

#[test]
fn a_flow_is_laid_out_and_keeps_its_comments_and_its_meaning() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bank.toml");
    let text = text("flows/bank.toml");
    let untidy = text.replace(" = ", "=").replace("\n\n", "\n\n\n");
    std::fs::write(&file, &untidy).unwrap();
    let (code, stdout, _) = run(command_in(folder.path()).args(["fmt", "--check", "bank.toml"]));
    assert_eq!((code, stdout.as_str()), (1, "bank.toml\n"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), untidy, "checking changes nothing");
    assert_eq!(run(command_in(folder.path()).args(["fmt", "bank.toml"])).0, 0);
    let tidy = std::fs::read_to_string(&file).unwrap();
    let meaning = |text: &str| text.parse::<toml::Table>().unwrap();
    assert_eq!(meaning(&tidy), meaning(&untidy));
    assert_eq!(tidy.matches('#').count(), text.matches('#').count());
    assert_eq!(run(command_in(folder.path()).args(["fmt", "--check", "."])).0, 0);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing is left beside it");
    std::fs::write(&file, "name = \n").unwrap();
    let (code, _, stderr) = run(command_in(folder.path()).args(["fmt", "."]));
    assert_eq!(code, 1);
    assert!(stderr.contains("callgate check"), "{stderr}");
    assert_eq!(run(command_in(folder.path()).args(["fmt", "nowhere.toml"])).0, 2);
}

#[test]
fn a_laid_out_file_keeps_the_ends_of_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.toml");
    let windows = |text: &str| text.replace('\n', "\r\n");
    let untidy = "name=\"a\"\n[states.a] # said\nprompt=\"\"\"One\ntwo\"\"\"\n";
    let tidy = "name = \"a\"\n\n[states.a] # said\nprompt = \"\"\"One\ntwo\"\"\"\n";
    for (before, after) in [
        (untidy.to_owned(), tidy.to_owned()),
        (windows(untidy), windows(tidy)),
        (windows(untidy).replacen("\r\n", "\n", 1), tidy.to_owned()),
    ] {
        std::fs::write(&file, &before).unwrap();
        let (code, _, stderr) = run(command_in(folder.path()).args(["fmt", "a.toml"]));
        assert_eq!((code, stderr.as_str()), (0, ""), "{before:?}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), after);
        assert_eq!(run(command_in(folder.path()).args(["fmt", "--check", "a.toml"])).0, 0);
    }
}

/// Every flow there is: laid out once it means the same, and laid out twice it is the same.
#[test]
fn a_layout_is_stable_and_means_the_same() {
    let mut count = 0;
    for folder in [
        "flows",
        "fixtures/calls",
        "fixtures/calls/flows",
        "fixtures/flows/good",
        "fixtures/flows/bad",
    ] {
        for path in entries(&root().join(folder)).into_iter().filter(|path| is_toml(path)) {
            let text = std::fs::read_to_string(&path).unwrap();
            let Some(once) = callgate::flow::canonical::canonical(&text) else { continue };
            let meaning = |text: &str| text.parse::<toml::Table>().unwrap();
            assert_eq!(meaning(&once), meaning(&text), "{}", path.display());
            let twice = callgate::flow::canonical::canonical(&once).unwrap();
            assert_eq!(twice, once, "{}", path.display());
            count += 1;
        }
    }
    assert!(count > 80);
}

/// What we ship is laid out as we tell others to.
#[test]
fn the_shipped_flows_are_laid_out() {
    let (code, stdout, stderr) = run(command_in(root()).args(["fmt", "--check", "flows"]));
    assert_eq!((code, stdout.as_str()), (0, ""), "{stderr}");
}
