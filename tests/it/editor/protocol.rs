//! What an editor and the server say to each other beside the work: the beginning, the end, and what is no message.

use serde_json::{Value, json};

use super::{DESK, at_desk};
use crate::support::house::command_in;
use crate::support::process::Ran as _;

/// (Language Server Protocol 3.17, `shutdown` and `exit`.)
#[test]
fn whoever_leaves_says_so_beforehand_and_asks_for_nothing_after_that() {
    assert_eq!(at_desk().leave(), Some(1));
    let mut editor = at_desk();
    editor.ask("shutdown", &Value::Null);
    let refused = editor.answer("textDocument/hover", &json!({}));
    assert_eq!(refused["error"]["code"], -32600, "{refused}");
    assert_eq!(editor.leave(), Some(0));
}

/// (JSON-RPC 2.0, section 5.1.)
#[test]
fn what_is_no_message_is_answered_and_loses_nothing_else() {
    let mut editor = at_desk();
    for (wrong, id, code) in [
        ("{\"jsonrpc\": \"2.0\", ", Value::Null, -32700),
        ("", Value::Null, -32700),
        ("[1, 2]", Value::Null, -32600),
        (r#"{"jsonrpc": "2.0", "id": "a"}"#, json!("a"), -32600),
        (
            r#"{"jsonrpc": "2.0", "id": 5000000000, "method": "shutdown"}"#,
            json!(5_000_000_000_u64),
            -32600,
        ),
    ] {
        editor.send_text(wrong);
        let refused = editor.read();
        assert_eq!((&refused["id"], &refused["error"]["code"]), (&id, &json!(code)), "{wrong}");
    }
    assert_eq!(editor.change("desk.toml", 2, DESK), json!([]), "what was open is");
    editor.end();
}

#[test]
fn a_line_on_which_no_message_can_be_found_ends_with_a_word() {
    for (sent, told) in [
        ("Content-Length: 18446744073709551615\r\n\r\n{}", "18446744073709551615 bytes"),
        ("Content-Length: 90000000000\r\n\r\n{}", "90000000000 bytes"),
        ("Content-Length: many\r\n\r\n{}", "does not say how long"),
        ("{\"jsonrpc\": \"2.0\"}\r\n\r\n", "does not say how long"),
        ("GET / HTTP/1.1\r\n\r\n", "no header"),
        ("Content-Length: 30\r\n\r\n{}", "cut off"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("input");
        std::fs::write(&input, sent).unwrap();
        let mut server = command_in(folder.path());
        let done = server.arg("lsp").stdin(std::fs::File::open(&input).unwrap()).ran();
        let stderr = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(3), "{sent}: {stderr}");
        assert!(stderr.contains(told) && stderr.lines().count() == 1, "{sent}: {stderr}");
        let stdout = String::from_utf8(done.stdout).unwrap();
        assert!(stdout.contains(r#""code":-32700"#), "{sent}: {stdout}");
    }
}

#[test]
fn what_is_asked_before_the_hand_shake_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input");
    let early = r#"{"jsonrpc":"2.0","id":1,"method":"textDocument/hover","params":{}}"#;
    std::fs::write(&input, format!("Content-Length: {}\r\n\r\n{early}", early.len())).unwrap();
    let mut server = command_in(folder.path());
    let done = server.arg("lsp").stdin(std::fs::File::open(&input).unwrap()).ran();
    assert_eq!(done.status.code(), Some(1));
    assert!(String::from_utf8(done.stdout).unwrap().contains(r#""code":-32002"#));
}
