//! How the checker's cost grows with the flows: 100, 1,000 and 10,000 states, with twenty sub-flows; and of
//! flows that nobody would write, each made to cost as much as it can.
//!
//! `cargo bench --bench checker`

use std::fmt::Write as _;
use std::time::{Duration, Instant};

#[path = "../tests/it/proof/monsters.rs"]
mod monsters;

use callgate::check;
use callgate::check::check_sources;
use callgate::diagnostic::Sources;
use callgate::flow;

/// Sub-flows beside the flow that is dialled.
const SUB_FLOWS: usize = 20;
/// Each size is measured this often; the fastest counts.
const ROUNDS: usize = 3;

fn main() {
    println!(
        "{:>7} {:>9} {:>11} {:>11} {:>13} {:>8}",
        "states", "KiB", "read", "check", "per state", "growth"
    );
    let mut before: Option<f64> = None;
    for states in [100, 300, 1_000, 3_000, 10_000] {
        let sources = flows(states);
        let bytes: usize = sources.iter().map(|(_, text)| text.len()).sum();
        let (count, read, check) = measure(&sources);
        let per_state = (read + check).as_secs_f64() * 1e6 / f64::from(count);
        let growth = before.map_or(String::new(), |before| format!("x{:.2}", per_state / before));
        before = Some(per_state);
        println!(
            "{count:>7} {:>9} {:>8.1} ms {:>8.1} ms {per_state:>10.1} us {growth:>8}",
            bytes / 1024,
            milliseconds(read),
            milliseconds(check)
        );
    }
    println!("growth: of the cost of one state, against the row above; x1.00 is linear\n");
    println!("{:<40} {:>10} {:>10} {:>10} {:>8}", "much of", "100", "1,000", "4,000", "growth");
    // Some have two states of each: no flow may have more than 10,000.
    for (of, make) in monsters::ALL.into_iter().chain([monsters::MANY_LEVELS]) {
        let cost = [100, 1_000, 4_000].map(|states| {
            let sources = make(states);
            let cost = || {
                let began = Instant::now();
                let _ = check_sources(&sources);
                began.elapsed()
            };
            (0..ROUNDS).map(|_| cost()).min().unwrap_or_default()
        });
        let [few, some, very_many] = cost;
        let growth = very_many.as_secs_f64() / some.as_secs_f64() / 4.0;
        let [few, some, very_many] =
            [few, some, very_many].map(|cost| format!("{:.1} ms", milliseconds(cost)));
        println!("{of:<40} {few:>10} {some:>10} {very_many:>10} {:>8}", format!("x{growth:.2}"));
    }
    println!("growth: of the cost of one state from 1,000 to 4,000");
}

/// States, and the time to read them and to check them.
fn measure(sources: &Sources) -> (u32, Duration, Duration) {
    let mut fastest = (0, Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let (flows, findings) = flow::read(sources);
        let read = began.elapsed();
        assert!(findings.is_empty(), "the flows can be read: {findings:#?}");
        let began = Instant::now();
        let findings = check::check(&flows);
        let check = began.elapsed();
        assert!(findings.is_empty(), "there is nothing to find: {findings:#?}");
        let count = flows.iter().map(|flow| flow.states.len()).sum::<usize>();
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        fastest = (count, fastest.1.min(read), fastest.2.min(check));
    }
    fastest
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// A bank of about so many states: callers prove who they are, and go through menus, questions and
/// branches of the flow itself and of its sub-flows, each of which is called from two places.
fn flows(states: usize) -> Sources {
    let own = states / (SUB_FLOWS + 1);
    let mut sources = Sources::default();
    let mut main = String::from(
        "name = \"main\"\nstart = \"who\"\n\n[levels]\n\
         strong = { all = [\"knowledge\", \"possession\"] }\nfresh = { any = [\"pin\"], within = \"5m\" }\n\n\
         [disclose]\nfirst_name = \"fresh\"\nbalance = \"strong\"\n\n\
         [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Your number, please.\"\n\
         on = { found = \"pin\", unknown = \"pin\" }\n\n\
         [states.pin]\ntype = \"gather_pin\"\ndigits = 6\nprompt = \"Your PIN, please.\"\n\
         on = { ok = \"s0\", failed = \"bye\", locked = \"bye\" }\n\n\
         [states.prove]\ntype = \"send_sms_otp\"\n\
         on = { sent = \"code\", unavailable = \"proved\", limited = \"proved\" }\n\n\
         [states.code]\ntype = \"gather_otp\"\nprompt = \"The six digits, please.\"\n\
         on = { ok = \"proved\", failed = \"proved\", expired = \"proved\", undelivered = \"proved\" }\n\n\
         [states.again]\ntype = \"gather_pin\"\ndigits = 6\nprompt = \"Your PIN again, please.\"\n\
         on = { ok = \"proved\", failed = \"proved\", locked = \"proved\" }\n\n\
         [states.proved]\ntype = \"return\"\n\n[states.bye]\ntype = \"hangup\"\nprompt = \"Goodbye.\"\n\n",
    );
    let calls = if states < 500 { SUB_FLOWS } else { 2 * SUB_FLOWS };
    for call in 0..calls {
        let next = if call + 1 == calls { "bye".to_owned() } else { format!("c{}", call + 1) };
        let _ = write!(
            main,
            "[states.c{call}]\ntype = \"call\"\nflow = \"sub{}\"\nwith = {{ sum = \"v0\" }}\n\
             on = {{ ok = \"{next}\", failed = \"bye\" }}\n\n",
            call % SUB_FLOWS
        );
    }
    let groups = own.saturating_sub(calls + 8).div_ceil(GROUP).max(2);
    for group in 0..groups {
        let next = if group + 1 == groups { "c0".to_owned() } else { format!("s{}", group + 1) };
        self::group(&mut main, group, &next, "bye", true);
    }
    sources.add("main.toml", main);
    for sub in 0..SUB_FLOWS {
        let groups = own.saturating_sub(2) / GROUP;
        let first = if groups == 0 { "ok" } else { "s0" };
        let mut text = format!(
            "name = \"sub{sub}\"\nstart = \"begin\"\n\n[states.begin]\ntype = \"menu\"\n\
             prompt = \"About {{{{ sum }}}}. To go on press 1.\"\nkeys = {{ 1 = \"{first}\" }}\n\
             on = {{ no_input = \"failed\", no_match = \"failed\" }}\n\n\
             [states.ok]\ntype = \"return\"\noutcome = \"ok\"\n\n\
             [states.failed]\ntype = \"return\"\noutcome = \"failed\"\n\n"
        );
        for group in 0..groups {
            let next =
                if group + 1 == groups { "ok".to_owned() } else { format!("s{}", group + 1) };
            self::group(&mut text, group, &next, "failed", false);
        }
        sources.add(&format!("sub{sub}.toml"), text);
    }
    sources
}

/// States of a group.
const GROUP: usize = 7;

fn group(text: &mut String, group: usize, next: &str, out: &str, guarded: bool) {
    let (level, prove, told) = if group.is_multiple_of(2) {
        ("strong", "prove", "Your balance is {{ account.balance | money }}.")
    } else {
        ("fresh", "again", "Good to hear you, {{ account.first_name }}.")
    };
    let guard =
        format!("requires = \"{level}\"\nstep_up = \"{prove}\"\non = {{ denied = \"{out}\" }}\n");
    let (guard, told) = if guarded { (guard, told) } else { (String::new(), "So be it.") };
    let _ = write!(
        text,
        "[states.s{group}]\ntype = \"menu\"\nprompt = \"To hear more press 1. To go on press 2. To end press 3.\"\n\
         keys = {{ 1 = \"t{group}\", 2 = \"g{group}\", 3 = \"{out}\" }}\n\
         on = {{ no_input = \"{out}\", no_match = \"{out}\" }}\n\n\
         [states.t{group}]\ntype = \"say\"\n{guard}prompt = \"{told}\"\nnext = \"g{group}\"\n\n\
         [states.g{group}]\ntype = \"gather\"\nkind = \"amount\"\nvar = \"v{group}\"\nprompt = \"How much, please?\"\n\
         on = {{ ok = \"b{group}\", no_input = \"{out}\", invalid = \"{out}\" }}\n\n\
         [states.b{group}]\ntype = \"branch\"\ncases = [{{ when = {{ var = \"v{group}\", at_least = 500 }}, next = \"m{group}\" }}, {{ when = {{ fact = \"sms_otp\" }}, next = \"x{group}\" }}]\notherwise = \"x{group}\"\n\n\
         [states.m{group}]\ntype = \"set\"\nvalues = {{ w{group} = \"much: {{{{ v{group} }}}}\" }}\nnext = \"y{group}\"\n\n\
         [states.y{group}]\ntype = \"say\"\nprompt = \"That is {{{{ w{group} }}}}.\"\nnext = \"x{group}\"\n\n\
         [states.x{group}]\ntype = \"say\"\nprompt = \"You said {{{{ v{group} | money }}}}.\"\nnext = \"{next}\"\n\n"
    );
}
