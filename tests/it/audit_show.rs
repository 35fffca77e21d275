//! What `audit show` prints, and what it leaves out.

use serde_json::Value;

use crate::support::house::{ACCOUNT, House};
use crate::support::process::Ran as _;
use crate::support::provider::Provider;
use crate::support::telephone::Telephone;

/// Of two spans of time that meet, each entry is in one: whoever takes a month at a time misses none, and counts none
/// twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_that_meet_have_each_entry_once() {
    let provider = Provider::start();
    let mut house = House::start("embedded:callgate.redb", &provider.api_base());
    for n in 0..2 {
        let mut phone = Telephone::new(&format!("CA{n}"), "+15005550777");
        phone.ring(&house).await;
        phone.key(&house, ACCOUNT).await;
        phone.key(&house, "111222").await;
    }
    house.terminate();
    assert_eq!(house.wait(), Some(0));
    let show = |arguments: &[&str]| {
        let output = house.command().args(["audit", "show"]).args(arguments).ran();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let entry = |line: &str| {
            let entry: Value = serde_json::from_str(line).unwrap();
            (entry["at"].as_str().unwrap().to_owned(), line.to_owned())
        };
        let mut entries: Vec<_> = text.lines().map(entry).collect();
        entries.sort();
        entries
    };
    let all = show(&[]);
    let at = all.last().unwrap().0.clone();
    let (before, after) = (show(&["--until", &at]), show(&["--since", &at]));
    assert!(!before.is_empty() && before.iter().all(|(of, _)| *of < at), "{before:?}");
    assert_eq!([before, after].concat(), all);
}
