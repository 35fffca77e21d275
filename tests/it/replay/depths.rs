//! What a call may have before it at once, and behind it: the checker tells of what the machine gives up on, and
//! of nothing else.

use std::fmt::Write as _;

use callgate::check::check_sources;
use callgate::diagnostic::Sources;
use callgate::replay::{Transcript, run};

/// What `check` says of flows, and what is heard in the last turn of a call that begins in `f0`.
async fn told_and_heard(flows: &[String], turns: &str) -> (Vec<&'static str>, Vec<String>) {
    let mut sources = Sources::default();
    for (number, flow) in flows.iter().enumerate() {
        sources.add(&format!("{number}.toml"), flow.clone());
    }
    let (set, findings) = check_sources(&sources);
    let call = format!("flow = \"f0\"\nopen = true\n[[turn]]\nring = true\n{turns}");
    let (transcript, wrong) = Transcript::read("call.toml", &call);
    let report = run(&transcript.unwrap_or_else(|| panic!("{wrong:?}")), &set).await;
    let heard = report.turns.last().map(|turn| turn.says.clone());
    (findings.iter().map(|finding| finding.code).collect(), heard.unwrap_or_default())
}

/// A flow in which so many states follow each other, one that says goodbye the last of them.
fn talk(states: usize) -> String {
    let mut flow = "name = \"f0\"\nstart = \"s1\"\n".to_owned();
    for n in 1..states {
        let next = if n + 1 < states { format!("s{}", n + 1) } else { "bye".to_owned() };
        writeln!(flow, "[states.s{n}]\ntype = \"say\"\nprompt = \"a\"\nnext = \"{next}\"").unwrap();
    }
    flow + "[states.bye]\ntype = \"hangup\"\nprompt = \"Goodbye.\"\n"
}

/// Flows of which each calls the next, and what the last one says comes first.
fn chain(flows: usize) -> Vec<String> {
    let flow = |n: usize| {
        let go = if n + 1 < flows {
            format!("type = \"call\"\nflow = \"f{}\"\non = {{ ok = \"end\" }}", n + 1)
        } else {
            "type = \"say\"\nprompt = \"a\"\nnext = \"end\"".to_owned()
        };
        let end = if n == 0 {
            "type = \"hangup\"\nprompt = \"Goodbye.\""
        } else {
            "type = \"return\"\noutcome = \"ok\""
        };
        format!("name = \"f{n}\"\nstart = \"go\"\n[states.go]\n{go}\n[states.end]\n{end}\n")
    };
    (0..flows).map(flow).collect()
}

const SORRY: &str = "We are sorry, something is not working on our side.";

#[tokio::test]
async fn the_checker_knows_how_long_an_answer_may_be() {
    for states in [2, 63, 64, 65, 200] {
        let (told, heard) = told_and_heard(&[talk(states)], "").await;
        let goes = states <= 64;
        assert_eq!(told, if goes { vec![] } else { vec!["long-answer"] }, "{states} states");
        let last = if goes { "Goodbye." } else { SORRY };
        assert_eq!(heard.last().map(String::as_str), Some(last), "{states} states");
    }
}

#[tokio::test]
async fn the_checker_knows_how_deep_calls_may_be() {
    for flows in [2, 17, 18, 20] {
        let (told, heard) = told_and_heard(&chain(flows), "").await;
        let goes = flows <= 17;
        assert_eq!(told, if goes { vec![] } else { vec!["deep-call"] }, "{flows} flows");
        let last = if goes { "Goodbye." } else { SORRY };
        assert_eq!(heard.last().map(String::as_str), Some(last), "{flows} flows");
    }
}

/// A flow in which whoever claims an account comes to `k0`, which `prove` is the step-up of.
fn asking(proof: &str, states: &str) -> String {
    format!(
        "name = \"f0\"\nstart = \"who\"\n[levels]\nknown = {{ any = [\"pin\"] }}\n\
         [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 4\nprompt = \"Who?\"\n\
         on = {{ found = \"k0\", unknown = \"k0\" }}\n\
         {proof}[states.back]\ntype = \"return\"\n\
         {states}[states.bye]\ntype = \"hangup\"\nprompt = \"Goodbye.\"\n"
    )
}

/// Who is let in nowhere is led from one such state to the next, all in one answer.
#[tokio::test]
async fn the_checker_knows_how_long_an_answer_is_to_those_who_are_not_let_in() {
    let proof = "[states.prove]\ntype = \"call\"\nflow = \"f1\"\non = { ok = \"back\" }\n";
    let f1 = "name = \"f1\"\nstart = \"end\"\n[states.end]\ntype = \"return\"\noutcome = \"ok\"\n";
    // The number, then each state, its proof, the way back and the state once more, and the end.
    for states in [1, 10, 11, 12, 30] {
        let mut kept = String::new();
        for n in 0..states {
            let denied = if n + 1 < states { format!("k{}", n + 1) } else { "bye".into() };
            write!(
                kept,
                "[states.k{n}]\ntype = \"say\"\nrequires = \"known\"\nstep_up = \"prove\"\n\
                 prompt = \"a\"\nnext = \"bye\"\non = {{ denied = \"{denied}\" }}\n"
            )
            .unwrap();
        }
        let flows = [asking(proof, &kept), f1.to_owned()];
        let (told, heard) = told_and_heard(&flows, "[[turn]]\ndigits = \"1001\"\n").await;
        let last = heard.last().map(String::as_str);
        let goes = last == Some("Goodbye.");
        assert!(goes || last == Some(SORRY), "{states} states: {heard:?}");
        assert_eq!(goes, 2 + 6 * states <= 64, "{states} states: {heard:?}");
        assert_eq!(told.contains(&"long-answer"), !goes, "{states} states: {told:?}");
    }
}

/// What was left for a PIN is come back to in the answer to it, and goes on from there.
#[tokio::test]
async fn the_checker_knows_how_long_an_answer_is_after_a_step_up() {
    let proof = "[states.prove]\ntype = \"gather_pin\"\ndigits = 6\ntries = 1\nprompt = \"PIN?\"\n\
        on = { ok = \"back\", failed = \"back\", locked = \"back\" }\n";
    let turns = "[[turn]]\ndigits = \"1001\"\n[[turn]]\ndigits = \"730495\"\n\
        [[accounts]]\nid = \"1001\"\npin = \"730495\"\n";
    for says in [1, 60, 61, 80] {
        let mut states = String::new();
        for n in 1..=says {
            let next = if n < says { format!("k{}", n + 1) } else { "bye".into() };
            writeln!(states, "[states.k{n}]\ntype = \"say\"\nprompt = \"a\"\nnext = \"{next}\"")
                .unwrap();
        }
        let asks = "[states.k0]\ntype = \"say\"\nrequires = \"known\"\nstep_up = \"prove\"\n\
             prompt = \"a\"\nnext = \"k1\"\non = { denied = \"bye\" }\n";
        let flow = asking(proof, &format!("{asks}{states}"));
        let (told, heard) = told_and_heard(&[flow], turns).await;
        let goes = says <= 60;
        let last = if goes { "Goodbye." } else { SORRY };
        assert_eq!(heard.last().map(String::as_str), Some(last), "{says} says: {heard:?}");
        assert_eq!(told.contains(&"long-answer"), !goes, "{says} says: {told:?}");
    }
}

/// Whoever fails where more is asked for, and is led on rather than back, may go on to the next such state, as often as
/// there are some: nothing comes back to those that they left.
#[tokio::test]
async fn step_ups_that_were_left_for_good_are_not_remembered_for_ever() {
    const STATES: usize = 40;
    let mut flow = "name = \"f0\"\nstart = \"who\"\n[levels]\nknown = { any = [\"pin\"] }\n\
        [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 4\nprompt = \"Who?\"\n\
        on = { found = \"m0\", unknown = \"m0\" }\n\
        [states.pin]\ntype = \"gather_pin\"\ndigits = 6\ntries = 1\nprompt = \"PIN?\"\n\
        on = { ok = \"back\", failed = \"m0\", locked = \"m0\" }\n\
        [states.back]\ntype = \"return\"\n[states.bye]\ntype = \"hangup\"\n"
        .to_owned();
    let mut turns = "[[turn]]\ndigits = \"1001\"\n".to_owned();
    for n in 0..STATES {
        let next = (n + 1) % STATES;
        write!(
            flow,
            "[states.m{n}]\ntype = \"menu\"\nprompt = \"Press 1, or 2 for more.\"\n\
             keys = {{ 1 = \"s{n}\", 2 = \"m{next}\" }}\non = {{ no_input = \"bye\", no_match = \"bye\" }}\n\
             [states.s{n}]\ntype = \"say\"\nrequires = \"known\"\nstep_up = \"pin\"\nprompt = \"Item {n}.\"\n\
             next = \"m0\"\non = {{ denied = \"m0\" }}\n"
        )
        .unwrap();
        turns += &"[[turn]]\ndigits = \"2\"\n".repeat(n);
        turns += "[[turn]]\ndigits = \"1\"\n";
        if n + 1 < STATES {
            turns += "[[turn]]\ndigits = \"000000\"\n";
        }
    }
    let account = "[[accounts]]\nid = \"1001\"\npin = \"730495\"\n";
    let policy = "[policy.shared]\ninput_errors_per_call = 200\n";
    let (told, heard) = told_and_heard(&[flow], &format!("{turns}\n{account}{policy}")).await;
    assert_eq!(told, [""; 0]);
    assert_eq!(heard, ["PIN?"]);
}
