//! What each verb becomes, what a document never is, and that no text turns into markup.

use proptest::collection::vec;
use proptest::prelude::*;
use uuid::Uuid;

use super::grammar::Node;
use super::{apology, grammar, hangup, render};
use crate::engine::id::{CallId, Nonce};
use crate::engine::reply::{
    Audible, Dial, DialTarget, Enqueue, Gather, Input, QueueTarget, Record, Reply, Speech, Verb,
    Words,
};
use crate::limits::{self, TWIML_BYTES_MAX};
use crate::secret::Secret;
use crate::twiml::links::Links;

const CALL: CallId = CallId(Uuid::from_u128(1));
const NONCE: Nonce = Nonce(Uuid::from_u128(2));
const TURN: &str = "https://ivr.example/twilio/turn/\
                    00000000-0000-0000-0000-000000000001/00000000000000000000000000000002";

fn links() -> Links {
    Links::new("https://ivr.example")
}

fn say(text: &str) -> Audible {
    Audible::Say(Speech {
        words: vec![Words::Text(text.into())],
        locale: "en-US".into(),
        voice: Some("Polly.Joanna-Neural".into()),
    })
}

fn gather() -> Gather {
    Gather {
        prompt: vec![say("Your PIN?")],
        input: Input::Dtmf,
        digits: Some(4),
        hash_ends: true,
        timeout_s: 5,
        action: NONCE,
        locale: "en-US".into(),
        hints: vec![],
        barge_in: true,
    }
}

fn dial(to: DialTarget) -> Dial {
    Dial { to, timeout_s: 20, caller_id: Some("+15005550006".into()), action: Some(NONCE) }
}

fn number(number: &str) -> DialTarget {
    DialTarget::Number { number: number.into(), whisper: None }
}

/// Renders, and holds that the document is valid and small; gives what stands inside the root, with
/// the action's address shortened.
#[track_caller]
fn body(verbs: Vec<Verb>) -> String {
    let document = render(&Reply { verbs }, &links(), CALL);
    assert_eq!(grammar::validate(&document), Ok(()), "{document}");
    let inner = document.strip_prefix(r#"<?xml version="1.0" encoding="UTF-8"?><Response>"#);
    inner.unwrap().strip_suffix("</Response>").unwrap().replace(TURN, "TURN")
}

const SAY: &str = r#"<Say language="en-US" voice="Polly.Joanna-Neural">Your PIN?</Say>"#;
const AGAIN: &str = r#"<Redirect method="POST">TURN</Redirect>"#;

#[test]
fn what_is_heard() {
    let german = Audible::Say(Speech {
        words: vec![Words::Text("Ihr Code: ".into()), Words::Digits(Secret::new("07"))],
        locale: "de-CH".into(),
        voice: None,
    });
    let verbs = vec![
        Verb::Hear(say("Tom & <Jerry>")),
        Verb::Hear(german),
        Verb::Hear(Audible::Play("https://ivr.example/a.wav?x=1&y=2".into())),
        Verb::Hear(Audible::Pause(0)),
        Verb::Hangup,
    ];
    assert_eq!(
        body(verbs),
        concat!(
            r#"<Say language="en-US" voice="Polly.Joanna-Neural">Tom &amp; &lt;Jerry&gt;</Say>"#,
            r#"<Say language="de-DE">Ihr Code: 0, 7</Say>"#,
            r#"<Play>https://ivr.example/a.wav?x=1&amp;y=2</Play>"#,
            r#"<Pause length="1"/><Hangup/>"#,
        )
    );
}

#[test]
fn gathers() {
    let head = r#"<Gather action="TURN" method="POST""#;
    assert_eq!(
        body(vec![Verb::Gather(gather())]),
        format!(
            r##"{head} input="dtmf" actionOnEmptyResult="true" timeout="5" finishOnKey="#" numDigits="4">{SAY}</Gather>{AGAIN}"##
        )
    );
    let open = Gather {
        input: Input::DtmfSpeech,
        digits: None,
        hash_ends: false,
        locale: "es-AR".into(),
        hints: vec!["yes, sure".into(), " ".into(), "x".repeat(101), "\"no\"".into()],
        barge_in: false,
        ..gather()
    };
    assert_eq!(
        body(vec![Verb::Gather(open)]),
        format!(
            r#"{SAY}{head} input="dtmf speech" actionOnEmptyResult="true" timeout="5" finishOnKey="" speechTimeout="auto" language="es-AR" hints="yes  sure,&quot;no&quot;"/>{AGAIN}"#
        )
    );
    let spoken = Gather { input: Input::Speech, prompt: vec![], locale: "tlh".into(), ..gather() };
    assert_eq!(
        body(vec![Verb::Gather(spoken)]),
        format!(
            r#"{head} input="speech" actionOnEmptyResult="true" timeout="5" speechTimeout="auto"/>{AGAIN}"#
        )
    );
}

#[test]
fn hints_stay_within_what_the_provider_takes() {
    let many = |hint: &str| Gather {
        input: Input::Speech,
        hints: vec![hint.to_owned(); 2_000],
        ..gather()
    };
    for (hint, most) in [("a", 500), (&*"&".repeat(100), 31)] {
        let document = render(&Reply { verbs: vec![Verb::Gather(many(hint))] }, &links(), CALL);
        assert_eq!(grammar::validate(&document), Ok(()));
        let root = grammar::read(&document).unwrap();
        assert_eq!(root.children[0].attribute("hints").unwrap().split(',').count(), most);
    }
}

#[test]
fn dials() {
    let whispering = DialTarget::Number { number: "+15005550010".into(), whisper: Some(NONCE) };
    let leg = TURN.replace("/turn/", "/leg/");
    assert_eq!(
        body(vec![Verb::Dial(dial(whispering))]),
        format!(
            r#"<Dial action="TURN" method="POST" timeout="20" callerId="+15005550006" answerOnBridge="true"><Number url="{leg}" method="POST">+15005550010</Number></Dial>"#
        )
    );
    let headers = [("X-Name", "Ada & Co"), ("X-Twilio-Own", "1"), ("From", "me"), ("X-B", "é")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let sip = DialTarget::Sip {
        uri: "sip:desk@example.com".into(),
        headers,
        voucher: None,
        whisper: Some(NONCE),
    };
    assert_eq!(
        body(vec![Verb::Hear(Audible::Pause(1)), Verb::Dial(dial(sip))]),
        concat!(
            r#"<Pause length="1"/>"#,
            r#"<Dial action="TURN" method="POST" timeout="20" callerId="+15005550006">"#,
            r#"<Sip url="LEG" method="POST">sip:desk@example.com?X-Name=Ada%20%26%20Co&amp;X-B=%C3%A9</Sip></Dial>"#,
        )
        .replace("LEG", &leg)
    );
    let room = dial(DialTarget::Conference { name: "room 7".into() });
    let room = Dial { caller_id: Some("anonymous".into()), ..room };
    assert_eq!(
        body(vec![Verb::Dial(room)]),
        r#"<Dial action="TURN" method="POST" timeout="20"><Conference endConferenceOnExit="false">room 7</Conference></Dial>"#
    );
}

#[test]
fn sip_headers_that_do_not_fit_are_left_out_whole() {
    let headers = (0..9).map(|i| (format!("X-{i}"), "v".repeat(200))).collect();
    let sip = DialTarget::Sip {
        uri: "sip:desk@example.com".into(),
        headers,
        voucher: None,
        whisper: None,
    };
    assert_eq!(body(vec![Verb::Dial(dial(sip))]).matches("X-").count(), 4);
}

#[test]
fn a_voucher_goes_last_and_whole_or_not_at_all() {
    let headers = vec![("X-A".to_owned(), "a".to_owned())];
    let sip = |bytes: usize| DialTarget::Sip {
        uri: "sip:desk@example.com".into(),
        headers: headers.clone(),
        voucher: Some(Secret::new("v".repeat(bytes))),
        whisper: None,
    };
    let fits = limits::SIP_HEADERS_BYTES_MAX - "?X-A=a&X-Callgate-Voucher=".len();
    let written = body(vec![Verb::Dial(dial(sip(fits)))]);
    assert!(written.contains("?X-A=a&amp;X-Callgate-Voucher=vvv"), "{written}");
    let written = body(vec![Verb::Dial(dial(sip(fits + 1)))]);
    assert!(written.contains("?X-A=a<"), "{written}");
    let queue = QueueTarget::Workflow {
        sid: "WW0123456789abcdef0123456789abcdef".into(),
        attributes: r#"{"a":1}"#.into(),
        voucher: Some(Secret::new("e.y.J")),
    };
    let written = body(vec![Verb::Enqueue(Enqueue { queue, action: NONCE })]);
    assert!(
        written.contains("{&quot;a&quot;:1,&quot;voucher&quot;:&quot;e.y.J&quot;}"),
        "{written}"
    );
}

#[test]
fn queues() {
    let enqueue = |queue| vec![Verb::Enqueue(Enqueue { queue, action: NONCE })];
    assert_eq!(
        body(enqueue(QueueTarget::Named("support".into()))),
        r#"<Enqueue action="TURN" method="POST">support</Enqueue>"#
    );
    let sid = "WW0123456789abcdef0123456789abcdef";
    let task = |attributes: &str, written: &str| {
        let (sid, attributes) = (sid.to_owned(), attributes.to_owned());
        let target = QueueTarget::Workflow { sid: sid.clone(), attributes, voucher: None };
        let expected = format!(
            r#"<Enqueue action="TURN" method="POST" workflowSid="{sid}"><Task>{written}</Task></Enqueue>"#
        );
        assert_eq!(body(enqueue(target)), expected);
    };
    task(r#"{"a":"<b>"}"#, "{&quot;a&quot;:&quot;&lt;b&gt;&quot;}");
    task("{\n}", "{ }");
    task("[1]", "{}");
    task("{", "{}");
    task(&format!("{{\"a\":\"{}\"}}", "x".repeat(20_000)), "{}");
}

#[test]
fn endings() {
    // The provider tells no action of an empty recording, but goes on to the next verb.
    let record = r##"<Record action="TURN" method="POST" maxLength="2" timeout="5" finishOnKey="#" playBeep="true"/>"##;
    assert_eq!(
        body(vec![Verb::Record(Record { action: NONCE, max_length_s: 1, timeout_s: 5 })]),
        format!("{record}{AGAIN}")
    );
    assert_eq!(body(vec![Verb::Redirect(NONCE)]), AGAIN);
    assert_eq!(body(vec![Verb::Reject { busy: true }]), r#"<Reject reason="busy"/>"#);
    assert_eq!(body(vec![Verb::Reject { busy: false }]), r#"<Reject reason="rejected"/>"#);
    let late = vec![Verb::Hear(Audible::Pause(1)), Verb::Reject { busy: true }];
    assert_eq!(body(late), r#"<Pause length="1"/><Hangup/>"#);
    assert_eq!(body(vec![]), "<Hangup/>");
    assert_eq!(body(vec![Verb::Hear(say(" \u{1} "))]), "<Hangup/>");
    assert_eq!(body(vec![Verb::Redirect(NONCE), Verb::Hear(say("never heard"))]), AGAIN);
}

#[test]
fn what_the_provider_could_not_use_leads_straight_on() {
    let queue = |name: &str| QueueTarget::Named(name.into());
    let sip = |uri: &str| DialTarget::Sip {
        uri: uri.into(),
        headers: vec![],
        voucher: None,
        whisper: None,
    };
    for verb in [
        Verb::Dial(dial(number("anonymous"))),
        Verb::Dial(dial(number(""))),
        Verb::Dial(dial(sip("desk@example.com"))),
        Verb::Dial(dial(sip("sip:desk@example.com?X-A=1"))),
        Verb::Dial(dial(DialTarget::Conference { name: " ".into() })),
        Verb::Enqueue(Enqueue { queue: queue(""), action: NONCE }),
        Verb::Enqueue(Enqueue { queue: queue(&"q".repeat(65)), action: NONCE }),
        Verb::Enqueue(Enqueue {
            queue: QueueTarget::Workflow {
                sid: "WW12".into(),
                attributes: "{}".into(),
                voucher: None,
            },
            action: NONCE,
        }),
    ] {
        assert_eq!(body(vec![verb.clone()]), AGAIN, "{verb:?}");
    }
    assert_eq!(body(vec![Verb::Hear(Audible::Play("a.wav".into()))]), "<Hangup/>");
}

#[test]
fn the_apology_needs_nothing_of_ours() {
    let document = apology("Sorry & bye.", "en-US", Some("+15005550009"), Some("+15005550006"));
    assert_eq!(grammar::validate(&document), Ok(()));
    assert!(document.ends_with(concat!(
        r#"<Say language="en-US">Sorry &amp; bye.</Say><Dial timeout="30" callerId="+15005550006">"#,
        "<Number>+15005550009</Number></Dial><Hangup/></Response>"
    )));
    let alone = apology("Sorry.", "tlh", None, None);
    assert!(alone.ends_with("<Response><Say>Sorry.</Say><Hangup/></Response>"), "{alone}");
    assert_eq!(apology("", "", Some("nobody"), None), hangup());
    assert_eq!(grammar::validate(&hangup()), Ok(()));
    assert_eq!(grammar::validate(&apology(&"é ".repeat(90_000), "fr", None, None)), Ok(()));
}

#[test]
fn too_much_speech_gives_way_oldest_first() {
    let mut verbs: Vec<_> =
        (0..40).map(|i| Verb::Hear(say(&format!("{i} {}", "words ".repeat(400))))).collect();
    verbs.push(Verb::Gather(gather()));
    let document = render(&Reply { verbs }, &links(), CALL);
    assert_eq!(grammar::validate(&document), Ok(()));
    assert!(document.len() > TWIML_BYTES_MAX - 3_000, "{}", document.len());
    let root = grammar::read(&document).unwrap();
    let last: Vec<_> = root.children.iter().rev().take(3).map(|node| &*node.name).collect();
    assert_eq!(last, ["Redirect", "Gather", "Say"]);
    assert!(root.children[root.children.len() - 3].text.starts_with("39 "));
    assert_eq!(root.children[root.children.len() - 2].children[0].text, "Your PIN?");
}

#[test]
fn a_prompt_too_long_keeps_its_gather_and_its_end() {
    let prompt = (0..40).map(|i| say(&format!("{i} {}", "words ".repeat(400)))).collect();
    let verbs = vec![Verb::Gather(Gather { prompt, ..gather() })];
    let document = render(&Reply { verbs }, &links(), CALL);
    assert_eq!(grammar::validate(&document), Ok(()));
    let root = grammar::read(&document).unwrap();
    assert!(root.children[0].children.last().unwrap().text.starts_with("39 "));
}

#[test]
fn too_much_of_anything_else_leaves_what_carries_on() {
    let dead_end = Dial { action: None, ..dial(number("+15005550010")) };
    let mut verbs = vec![Verb::Dial(dead_end); 2_000];
    assert_eq!(body(verbs.clone()), "<Hangup/>");
    verbs.push(Verb::Redirect(NONCE));
    assert_eq!(body(verbs), AGAIN);
    let far = Links::new(&format!("https://ivr.example/{}", "x".repeat(70_000)));
    assert_eq!(render(&Reply { verbs: vec![Verb::Redirect(NONCE)] }, &far, CALL), hangup());
}

#[test]
fn the_grammar_refuses() {
    let ok = r#"<Response><Redirect method="POST">https://a.example/</Redirect></Response>"#;
    assert_eq!(grammar::validate(ok), Ok(()));
    let gather = |attributes: &str, after: &str| {
        format!(
            r#"<Response><Gather action="https://a.example/" method="POST" input="dtmf" timeout="5"{attributes}/>{after}</Response>"#
        )
    };
    let again = r#"<Redirect method="POST">https://a.example/</Redirect>"#;
    let empty = r#" actionOnEmptyResult="true""#;
    assert_eq!(grammar::validate(&gather(empty, again)), Ok(()));
    let inside = |body: &str| format!("<Response>{body}</Response>");
    let record = r##"<Record action="https://a.example/" method="POST" maxLength="60" timeout="5" finishOnKey="#" playBeep="true"/>"##;
    assert_eq!(grammar::validate(&inside(&format!("{record}{again}"))), Ok(()));
    let long = inside(&format!("<Say>{}</Say>", "a".repeat(64_000)));
    for (document, problem) in [
        (format!(" {ok}"), "something stands before"),
        (format!("\u{FEFF}{ok}"), "something stands before"),
        (String::new(), "something stands before"),
        (long, "64"),
        ("<Response>".into(), "cut short"),
        ("<Response/>".into(), "says nothing"),
        ("<response><Hangup/></response>".into(), "the root is `response`"),
        (inside("<Hangup/>") + "<Response/>", "two roots"),
        (inside("<Hangup/>") + "x", "outside the root"),
        (inside("<hangup/>"), "`hangup` is not an element"),
        (inside("<Echo/>"), "`Echo` is not an element"),
        (inside("<Number>+15005550010</Number>"), "`Number` cannot stand inside `Response`"),
        (inside("<Say><Say>a</Say></Say>"), "`Say` cannot stand inside `Say`"),
        (inside("<Hangup reason=\"x\"/>"), "`Hangup` has no attribute `reason`"),
        (inside("<Say Voice=\"x\">a</Say>"), "`Say` has no attribute `Voice`"),
        (inside("<Say language=\"xx-XX\">a</Say>"), "in `language`"),
        (inside("<Say> </Say>"), "`Say` wants words"),
        (inside("<Say>a\u{1}</Say>"), "forbids U+0001"),
        (inside("<Say>a&#1;</Say>"), "forbids U+0001"),
        (inside("<Say voice=\"&#xFFFE;\">a</Say>"), "forbids U+FFFE"),
        (inside("<Say>a\u{FFFF}</Say>"), "forbids U+FFFF"),
        (inside("<Say>a & b</Say>"), "broken"),
        (inside("<Say>&who;</Say>"), "not defined"),
        (inside("<Say>]]></Say>"), "`]]>`"),
        (inside("<Say><![CDATA[a]]></Say>"), "more than elements"),
        (inside("<!-- a --><Hangup/>"), "more than elements"),
        (format!("<!DOCTYPE Response>{}", inside("<Hangup/>")), "more than elements"),
        (inside("<Pause length=\"0\"/>"), "whole number from 1"),
        (inside("<Pause length=\"01\"/>"), "whole number"),
        (inside("<Pause length=\"+5\"/>"), "whole number"),
        (inside("<Pause length=\"601\"/>"), "whole number"),
        (inside("<Pause length=\"1\" length=\"1\"/>"), "broken"),
        (inside("<Pause/>"), "`Pause` lacks its `length`"),
        (inside("<Play>a.wav</Play>"), "`Play` wants an absolute address"),
        (inside("<Redirect method=\"POST\">/turn</Redirect>"), "an absolute address"),
        (inside("<Redirect method=\"GET\">https://a.example</Redirect>"), "`POST`"),
        (inside("<Redirect>https://a.example</Redirect>"), "lacks its `method`"),
        (gather("", again), "`Gather` lacks its `actionOnEmptyResult`"),
        (gather(r#" actionOnEmptyResult="false""#, again), "wants `true`"),
        (gather(empty, ""), "not followed by a `Redirect`"),
        (gather(empty, "<Hangup/>"), "not followed by a `Redirect`"),
        (gather(empty, &again.replace("a.ex", "b.ex")), "not followed by a `Redirect`"),
        (inside(record), "`Record` is not followed by a `Redirect`"),
        (gather(&format!("{empty} numDigits=\"0\""), again), "in `numDigits`"),
        (gather(&format!("{empty} finishOnKey=\"##\""), again), "one key or none"),
        (gather(&format!("{empty} speechModel=\"x\""), again), "no attribute `speechModel`"),
        (gather(&format!("{empty} speechTimeout=\"auto\""), again), "does not listen for"),
        (inside("<Hangup/><Say>a</Say>"), "`Say` after `Hangup` is never reached"),
        (inside("<Pause length=\"1\"/><Reject reason=\"busy\"/>"), "after another verb"),
        (inside("<Dial timeout=\"5\"/>"), "exactly one party"),
        (inside("<Dial timeout=\"5\"><Number>x</Number></Dial>"), "`Number` wants a number"),
        (inside(&format!("<Dial timeout=\"5\" {}/>", "a".repeat(9))), "broken"),
    ] {
        let problems = grammar::validate(&document).expect_err(&document).join("; ");
        assert!(problems.contains(problem), "{document}\n{problems}");
    }
    let deep = "<Response>".repeat(9_000);
    assert!(grammar::validate(&deep[..60_000]).is_err());
}

// ---- any reply at all -------------------------------------------------------------------------

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[<>&\"'a-z =/\u{0}-\u{1f}\u{fffe}\u{ffff}]{0,20}",
        Just("</Say><Dial>+15005550099</Dial><Say>".to_owned()),
        Just("\"><Hangup/><Say voice=\"".to_owned()),
        Just("]]>&#0;&who;<![CDATA[".to_owned()),
        (1_usize..4_000).prop_map(|n| "& long ".repeat(n)),
    ]
}

fn words() -> impl Strategy<Value = Words> {
    prop_oneof![
        text().prop_map(Words::Text),
        text().prop_map(|text| Words::Digits(Secret::new(text)))
    ]
}

fn audible() -> impl Strategy<Value = Audible> {
    let speech = (vec(words(), 0..4), text(), proptest::option::of(text()));
    prop_oneof![
        speech.prop_map(|(words, locale, voice)| Audible::Say(Speech { words, locale, voice })),
        text().prop_map(Audible::Play),
        Just(Audible::Play("https://ivr.example/<a>.wav?x=1&y=\"2\"".into())),
        any::<u32>().prop_map(Audible::Pause),
    ]
}

fn target() -> impl Strategy<Value = DialTarget> {
    let whisper = || proptest::option::of(Just(NONCE));
    let number = prop_oneof![text(), Just("+15005550010".to_owned())];
    let uri = prop_oneof![text(), text().prop_map(|text| format!("sip:{text}"))];
    let header = prop_oneof![text(), "X-[A-Za-z<&-]{0,8}"];
    prop_oneof![
        (number, whisper()).prop_map(|(number, whisper)| DialTarget::Number { number, whisper }),
        (uri, vec((header, text()), 0..5), voucher(), whisper()).prop_map(
            |(uri, headers, voucher, whisper)| DialTarget::Sip { uri, headers, voucher, whisper }
        ),
        text().prop_map(|name| DialTarget::Conference { name }),
    ]
}

fn voucher() -> impl Strategy<Value = Option<Secret>> {
    proptest::option::of(text().prop_map(Secret::new))
}

fn queue() -> impl Strategy<Value = QueueTarget> {
    let sid = prop_oneof![text(), Just("WW0123456789abcdef0123456789abcdef".to_owned())];
    let attributes = prop_oneof![
        text(),
        text().prop_map(|text| serde_json::json!({ "name": text }).to_string())
    ];
    prop_oneof![
        text().prop_map(QueueTarget::Named),
        (sid, attributes, voucher()).prop_map(|(sid, attributes, voucher)| {
            QueueTarget::Workflow { sid, attributes, voucher }
        }),
    ]
}

fn any_gather() -> impl Strategy<Value = Gather> {
    let input = prop_oneof![Just(Input::Dtmf), Just(Input::Speech), Just(Input::DtmfSpeech)];
    let heard = (vec(audible(), 0..4), text(), vec(text(), 0..6));
    let keys = (any::<Option<u32>>(), any::<bool>(), any::<u32>(), any::<bool>());
    (heard, input, keys).prop_map(
        |((prompt, locale, hints), input, (digits, hash_ends, timeout_s, barge_in))| Gather {
            prompt,
            input,
            digits,
            hash_ends,
            timeout_s,
            action: NONCE,
            locale,
            hints,
            barge_in,
        },
    )
}

fn verb() -> impl Strategy<Value = Verb> {
    let dial = (target(), any::<u32>(), proptest::option::of(text()), any::<bool>());
    prop_oneof![
        4 => audible().prop_map(Verb::Hear),
        2 => any_gather().prop_map(Verb::Gather),
        2 => dial.prop_map(|(to, timeout_s, caller_id, asks)| {
            Verb::Dial(Dial { to, timeout_s, caller_id, action: asks.then_some(NONCE) })
        }),
        1 => queue().prop_map(|queue| Verb::Enqueue(Enqueue { queue, action: NONCE })),
        1 => (any::<u32>(), any::<u32>()).prop_map(|(max_length_s, timeout_s)| {
            Verb::Record(Record { action: NONCE, max_length_s, timeout_s })
        }),
        1 => Just(Verb::Redirect(NONCE)),
        1 => any::<bool>().prop_map(|busy| Verb::Reject { busy }),
        1 => Just(Verb::Hangup),
    ]
}

/// The names of a document's elements with those inside in brackets; of equal neighbours the first.
fn skeleton(nodes: &[Node]) -> Vec<String> {
    let name = |node: &Node| format!("{}{:?}", node.name, skeleton(&node.children));
    let mut names: Vec<_> = nodes.iter().map(name).collect();
    names.dedup();
    names
}

/// A reply of one verb that is certainly written, holding the text wherever a verb can hold one.
fn holding(text: &str) -> Vec<Reply> {
    let padded = format!("a{text}");
    let speech = || {
        Audible::Say(Speech {
            words: vec![Words::Text(padded.clone()), Words::Digits(Secret::new(padded.clone()))],
            locale: text.into(),
            voice: Some(text.into()),
        })
    };
    let sip = DialTarget::Sip {
        uri: "sip:desk@example.com".into(),
        headers: vec![("X-A".into(), text.into()), (text.into(), text.into())],
        voucher: Some(Secret::new(padded.clone())),
        whisper: Some(NONCE),
    };
    let attributes = serde_json::json!({ "name": text }).to_string();
    let sid = "WW0123456789abcdef0123456789abcdef".to_owned();
    let listening = Gather {
        prompt: vec![speech()],
        input: Input::DtmfSpeech,
        locale: text.into(),
        hints: vec![text.into(), padded.clone()],
        ..gather()
    };
    let voucher = Some(Secret::new(padded.clone()));
    let queue = QueueTarget::Workflow { sid, attributes, voucher };
    let showing = Dial { caller_id: Some(text.into()), ..dial(sip) };
    [
        vec![Verb::Hear(speech()), Verb::Gather(listening)],
        vec![Verb::Dial(showing)],
        vec![Verb::Enqueue(Enqueue { queue, action: NONCE })],
    ]
    .map(|verbs| Reply { verbs })
    .to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_reply_becomes_a_valid_small_document(verbs in vec(verb(), 0..12)) {
        let reply = Reply { verbs };
        let document = render(&reply, &links(), CALL);
        prop_assert_eq!(grammar::validate(&document), Ok(()));
        prop_assert!(document.len() <= TWIML_BYTES_MAX);
    }

    #[test]
    fn no_text_becomes_markup(text in text()) {
        // Below the size at which speech gives way.
        let text: String = text.chars().take(800).collect();
        for (with, without) in holding(&text).iter().zip(holding("plain")) {
            let read = |reply| grammar::read(&render(reply, &links(), CALL)).unwrap();
            prop_assert_eq!(skeleton(&read(with).children), skeleton(&read(&without).children));
        }
    }

    #[test]
    fn a_text_is_read_back_as_it_was_said(text in "[ -~äß語\u{1F600}]{1,200}") {
        let document = render(&Reply { verbs: vec![Verb::Hear(say(&text))] }, &links(), CALL);
        let root = grammar::read(&document).unwrap();
        let said = if text.trim().is_empty() { "" } else { text.trim() };
        prop_assert_eq!(root.children[0].text.as_str(), said);
    }

    #[test]
    fn any_apology_is_valid(text in text(), locale in text(), number in text()) {
        let document = apology(&text, &locale, Some(&number), Some(&text));
        prop_assert_eq!(grammar::validate(&document), Ok(()));
    }

    #[test]
    fn any_document_can_be_checked(document in any::<String>(), inside in text()) {
        let _ = grammar::validate(&document);
        let _ = grammar::validate(&format!("<Response>{inside}</Response>"));
    }
}
