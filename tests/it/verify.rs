//! Codes that the provider makes, sends and checks, from the webhook to what is proved.

mod entries;

use std::time::{Duration, Instant};

use crate::support::eventually::{eventually, eventually_async};
use crate::support::house::{ACCOUNT, House, MOBILE, PIN};
use crate::support::process::Ran as _;
use crate::support::provider::{ACCOUNT_SID, AUTH_TOKEN, Answer, Provider, SERVICE_SID, owned};
use crate::support::telephone::Telephone;
use crate::support::tree::{entries, root};

const CALLER: &str = "+15005550777";
/// Long enough for a loopback, also where the machine is busy, and short enough to be waited for.
const TIMEOUT: Duration = Duration::from_millis(800);

fn set_up(provider: &Provider, store: &str) -> House {
    let house = House::set_up(store, &provider.api_base());
    house.change_configuration(
        "[[admin.tokens]]",
        &format!(
            "[otp]\nbackend = \"verify\"\nservice_sid = \"{SERVICE_SID}\"\nurl = \"{}\"\n\
             timeout = \"{}ms\"\nallow = [\"127.0.0.0/8\"]\n[[admin.tokens]]",
            provider.api_base(),
            TIMEOUT.as_millis()
        ),
    );
    house
}

/// A house whose codes are the provider's, and in which nothing else is limited.
fn house(provider: &Provider) -> House {
    let mut house = unlimited(provider);
    house.restart();
    house
}

/// The same before it is started.
fn unlimited(provider: &Provider) -> House {
    let house = set_up(provider, "memory:");
    house.change_configuration(
        "[policy.enumeration]",
        "[policy.callback]\nper_account_h = 100\n[policy.pin]\nsoft_limit = 100\nhard_cap = 100\n\
         [policy.otp]\nsends_per_10min = 100\nsends_per_day = 100\nresend_backoff_s = [0]\nchecks = 10\n\
         [policy.sends]\nper_prefix_h = 100\n[policy.enumeration]",
    );
    house.change_configuration(
        "[policy.shared]\n",
        "[policy.shared]\nall_factor_failures_24h = 100\n",
    );
    house
}

/// A caller who waits for a code.
async fn wait_for_code(house: &House, sid: u32) -> Telephone {
    let mut telephone = Telephone::new(&format!("CA{sid:032x}"), CALLER);
    telephone.ring(house).await;
    telephone.key(house, ACCOUNT).await;
    telephone.key(house, PIN).await;
    telephone.key(house, "1").await;
    assert!(telephone.spoken().starts_with("Key in the six digits"), "{}", telephone.spoken());
    telephone
}

/// The code that they were sent.
fn sent_code(provider: &Provider, sent_before: usize) -> String {
    eventually("a code is sent", || {
        let sent = provider.begun().len() > sent_before;
        sent.then(|| provider.code_of(MOBILE)).flatten()
    })
}

fn other(code: &str) -> String {
    code.chars().map(|c| if c == '9' { '0' } else { '9' }).collect()
}

fn counted(metrics: &str, outcome: &str, count: usize) {
    let line =
        format!("callgate_asked_of_others_total{{peer=\"Verify\",outcome=\"{outcome}\"}} {count}");
    assert!(metrics.contains(&line), "{line}: {metrics}");
}

fn hides(house: &House, codes: &[&str]) {
    let log = house.log();
    for secret in codes.iter().chain(&[MOBILE, &MOBILE[1..], ACCOUNT, AUTH_TOKEN]) {
        assert!(!log.contains(secret), "{secret} is in the log: {log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_is_begun_and_checked_as_the_provider_wants_it() {
    use base64::Engine as _;
    let provider = Provider::start();
    let house = house(&provider);
    let mut telephone = wait_for_code(&house, 1).await;
    let code = sent_code(&provider, 0);
    let [begun] = &provider.begun()[..] else { panic!("{:?}", provider.requests()) };
    assert_eq!(begun.path, format!("/v2/Services/{SERVICE_SID}/Verifications"));
    assert_eq!(begun.form, owned(&[("To", MOBILE), ("Channel", "sms"), ("Locale", "en")]));
    let credentials =
        base64::engine::general_purpose::STANDARD.encode(format!("{ACCOUNT_SID}:{AUTH_TOKEN}"));
    assert_eq!(begun.header("authorization"), Some(&*format!("Basic {credentials}")));

    // A wrong entry is no error, and may be followed by the right one; each request comes three times.
    telephone.copies = 3;
    telephone.key(&house, &other(&code)).await;
    assert!(telephone.spoken().contains("Key in the six digits"), "{}", telephone.spoken());
    telephone.key(&house, &code).await;
    assert!(telephone.spoken().starts_with("Your balance is"), "{}", telephone.spoken());
    let checks = provider.checks();
    let [wrong, right] = &checks[..] else { panic!("{checks:?}") };
    assert_eq!(right.path, format!("/v2/Services/{SERVICE_SID}/VerificationCheck"));
    assert_eq!(right.form, owned(&[("Code", &code), ("To", MOBILE)]));
    assert_eq!(wrong.form, owned(&[("Code", &other(&code)), ("To", MOBILE)]));
    assert_eq!(right.header("authorization"), begun.header("authorization"));
    assert!(provider.messages().is_empty(), "no message of ours");
    counted(&house.metrics().await, "Done", 3);
    hides(&house, &[&code, &other(&code)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_answer_to_an_entry_leads_where_it_must() {
    let provider = Provider::start();
    let elsewhere = Provider::start();
    let house = house(&provider);
    let raw = |status, body: &str| Some(Answer::Raw { status, body: body.as_bytes().to_vec() });
    let error = |status, code| Some(Answer::Error { status, code });
    let (again, failed, rung) = ("Key in the six digits", "We could not help you", "ringing");
    let huge = format!("{{\"status\": \"approved\", \"more\": \"{}\"}}", "x".repeat(100_000));
    for (n, (answer, heard)) in [
        // The provider has forgotten it: another one is sent.
        (error(404, Some(20404)), again),
        (error(404, None), again),
        (raw(200, "{\"status\": \"expired\"}"), again),
        // It was tried too often.
        (error(429, Some(60202)), failed),
        (raw(200, "{\"status\": \"max_attempts_reached\"}"), failed),
        // Nobody knows, and another way is taken.
        (error(429, Some(20429)), rung),
        (error(403, Some(60605)), rung),
        (error(400, Some(60410)), rung),
        (error(400, Some(60200)), rung),
        (error(401, Some(20003)), rung),
        (error(500, None), rung),
        (error(503, Some(20500)), rung),
        (raw(200, "no JSON"), rung),
        (raw(200, "{}"), rung),
        (raw(200, "{\"valid\": true}"), rung),
        (raw(200, &huge), rung),
        (Some(Answer::Redirect(elsewhere.api_base())), rung),
        (Some(Answer::Drop), rung),
        (Some(Answer::Hang), rung),
    ]
    .into_iter()
    .enumerate()
    {
        provider.forget_codes();
        let sent = provider.begun().len();
        let mut telephone = wait_for_code(&house, 10 + u32::try_from(n).unwrap()).await;
        let code = sent_code(&provider, sent);
        let asked = provider.checks().len();
        provider.next_to("/VerificationCheck", answer.clone().unwrap());
        telephone.copies = 2;
        // In time: whoever has to wait for longer than a turn may take hears an apology.
        telephone.key(&house, &code).await;
        let spoken = telephone.spoken();
        assert!(spoken.contains(heard), "{answer:?}: {spoken}");
        assert!(!spoken.contains("Your balance"), "{answer:?}: {spoken}");
        assert_eq!(provider.checks().len(), asked + 1, "{answer:?} is asked for once");
        if heard != failed {
            // They leave, and nobody is rung for nothing.
            let status = [("CallStatus", "completed")];
            telephone.status(&house, "/twilio/status", &status).await;
        }
    }
    assert_eq!(elsewhere.requests(), [], "a redirect is not followed");
    house.logs("the provider did not say whether an entry is its code");
    hides(&house, &[]);
}

/// The provider sends five codes to a number in ten minutes: who waits for the sixth is led to another way,
/// and from then on a state that sends one ends as limited.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_provider_sends_no_more_it_is_asked_for_no_more() {
    let provider = Provider::start();
    let house = house(&provider);
    for n in 1..=5 {
        wait_for_code(&house, n).await;
        sent_code(&provider, usize::try_from(n).unwrap() - 1);
    }
    let mut telephone = wait_for_code(&house, 6).await;
    let resumed = eventually("the caller is led elsewhere", || {
        let requests = provider.requests().into_iter();
        let path = format!("/2010-04-01/Accounts/{ACCOUNT_SID}/Calls/{}.json", telephone.sid);
        let update = requests.rev().find(|request| request.path == path)?;
        update.field("Url").map(str::to_owned)
    });
    let path = resumed.strip_prefix("https://ivr.example.com").unwrap().to_owned();
    telephone.post(&house, &path, &[("CallStatus", "in-progress")]).await;
    assert!(telephone.spoken().contains("ringing"), "{}", telephone.spoken());
    assert_eq!(provider.begun().len(), 6);

    let mut telephone = Telephone::new("CA00000000000000000000000000000099", CALLER);
    telephone.ring(&house).await;
    telephone.key(&house, ACCOUNT).await;
    telephone.key(&house, PIN).await;
    telephone.key(&house, "1").await;
    assert!(telephone.spoken().starts_with("We could not help you"), "{}", telephone.spoken());
    assert_eq!(provider.begun().len(), 6, "it is not asked again");
    hides(&house, &[]);
}

/// The provider has sent as many codes to a number as it does: who has proved nothing hears what they hear of nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_provider_sends_no_more_of_tells_a_stranger_nothing() {
    let provider = Provider::start();
    let mut house = unlimited(&provider);
    let flow = "name = \"desk\"\nstart = \"who\"\n[levels]\nhas = { any = [\"sms_otp\"] }\n\
         [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
         on = { found = \"send\", unknown = \"send\" }\n\
         [states.send]\ntype = \"send_sms_otp\"\n\
         on = { sent = \"code\", unavailable = \"code\", limited = \"later\" }\n\
         [states.code]\ntype = \"gather_otp\"\nprompt = \"Code?\"\n\
         on = { ok = \"in\", failed = \"later\", expired = \"later\", undelivered = \"later\" }\n\
         [states.in]\ntype = \"hangup\"\nrequires = \"has\"\nprompt = \"In.\"\non = { denied = \"later\" }\n\
         [states.later]\ntype = \"hangup\"\nprompt = \"Later.\"\n";
    std::fs::write(house.folder.path().join("flows/desk.toml"), flow).unwrap();
    house.restart();
    let mut sid = 0;
    let mut rings = async |claimed: &str| {
        sid += 1;
        let mut telephone = Telephone::new(&format!("CA{sid:032x}"), CALLER);
        telephone.ring(&house).await;
        telephone.key(&house, claimed).await;
        telephone.spoken()
    };
    for n in 1..=6 {
        assert_eq!(rings(ACCOUNT).await, "Code?", "{n}");
        eventually("the provider is asked", || (provider.begun().len() == n).then_some(()));
    }
    eventually_async("no more are asked for", async || {
        assert_eq!(rings(ACCOUNT).await, "Code?");
        let metrics = house.metrics().await;
        metrics.contains("callgate_limits_reached_total{limit=\"Account\"}").then_some(())
    })
    .await;
    assert_eq!(rings("99999999").await, "Code?");
    hides(&house, &[]);
}

/// A send that is refused for good leads who waits to another way; one that may not have been done is asked
/// for again, and is the same code.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_that_fails_is_made_good_or_led_elsewhere() {
    let provider = Provider::start();
    let house = house(&provider);
    for (n, (status, code)) in [(403, 60605), (400, 60410), (403, 60205)].into_iter().enumerate() {
        let sent = provider.begun().len();
        let mut telephone = Telephone::new(&format!("CA{n:032x}"), CALLER);
        telephone.ring(&house).await;
        telephone.key(&house, ACCOUNT).await;
        telephone.key(&house, PIN).await;
        provider.next_to("/Verifications", Answer::Error { status, code: Some(code) });
        telephone.key(&house, "1").await;
        eventually("the caller is led elsewhere", || {
            let requests = provider.requests();
            requests
                .iter()
                .any(|it| it.path.ends_with(&format!("{}.json", telephone.sid)))
                .then_some(())
        });
        assert_eq!(provider.begun().len(), sent + 1, "{code} is not asked for again");
    }
    for (n, answer) in [
        Answer::Error { status: 503, code: None },
        Answer::Error { status: 429, code: Some(60212) },
        Answer::TooMany { retry_after: Some("1".into()) },
        Answer::Drop,
    ]
    .into_iter()
    .enumerate()
    {
        let sent = provider.begun().len();
        provider.forget_codes();
        let mut telephone = Telephone::new(&format!("CA{:032x}", n + 100), CALLER);
        telephone.ring(&house).await;
        telephone.key(&house, ACCOUNT).await;
        telephone.key(&house, PIN).await;
        provider.next_to("/Verifications", answer);
        telephone.key(&house, "1").await;
        let code = sent_code(&provider, sent + 1);
        telephone.key(&house, &code).await;
        assert!(telephone.spoken().starts_with("Your balance is"), "{}", telephone.spoken());
    }
}

/// The server dies between the asking and the commit: the entry is not asked about twice, and proves
/// nothing that nobody heard of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_is_asked_about_once_through_a_crash() {
    let provider = Provider::start();
    let mut house = set_up(&provider, "embedded:callgate.redb");
    house.restart();
    let mut telephone = wait_for_code(&house, 1).await;
    let code = sent_code(&provider, 0);
    let path = telephone.action();
    // The provider carries it out, and the answer never comes: the server is killed while it waits.
    provider.next_to("/VerificationCheck", Answer::Hang);
    let form = [
        ("AccountSid", ACCOUNT_SID),
        ("CallSid", telephone.sid.as_str()),
        ("Digits", code.as_str()),
        ("From", CALLER),
    ];
    let url = format!("https://ivr.example.com{path}");
    let signed: Vec<(String, String)> = owned(&form);
    let signature =
        callgate::carrier::signature::sign(&secrecy::SecretString::from(AUTH_TOKEN), &url, &signed);
    let request = crate::support::house::client()
        .post(format!("{}{path}", house.public()))
        .header("X-Twilio-Signature", signature)
        .form(&signed);
    let asked = tokio::spawn(request.send());
    eventually("the provider is asked", || (provider.checks().len() == 1).then_some(()));
    house.kill();
    assert!(asked.await.unwrap().is_err());
    house.restart();
    // The webhook comes again, and hears what is certain: it is led to another way.
    telephone.key(&house, &code).await;
    assert!(telephone.spoken().contains("ringing"), "{}", telephone.spoken());
    assert_eq!(provider.checks().len(), 1, "it was asked about once");
    hides(&house, &[&code]);
}

/// A claim that is no account has its entries checked in the same time, and fails when others do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobodys_entry_takes_as_long_and_fails_with_others() {
    let provider = Provider::start();
    let mut house = set_up(&provider, "memory:");
    let flow = include_str!("e2e/desk.toml").replace(
        "on     = { found = \"pin\", unknown = \"pin\" }",
        "on = { found = \"menu\", unknown = \"menu\" }",
    );
    let (from, to) = (flow.find("[states.pin]").unwrap(), flow.find("[states.menu]").unwrap());
    let flow = format!("{}{}", &flow[..from], &flow[to..]);
    std::fs::write(house.folder.path().join("flows/desk.toml"), flow).unwrap();
    house.restart();
    let entry = async |sid: u32, account: &str| {
        let mut telephone = Telephone::new(&format!("CA{sid:032x}"), CALLER);
        telephone.ring(&house).await;
        telephone.key(&house, account).await;
        telephone.key(&house, "1").await;
        if account == ACCOUNT {
            sent_code(&provider, 0);
        }
        let begun = Instant::now();
        telephone.key(&house, "000000").await;
        assert!(begun.elapsed() >= TIMEOUT, "{account}: {:?}", begun.elapsed());
        telephone.spoken()
    };
    let known = entry(1, ACCOUNT).await;
    assert!(known.contains("Key in the six digits"), "{known}");
    assert_eq!(entry(2, "11111111").await, known);
    let [_, nobody] = &provider.checks()[..] else { panic!("{:?}", provider.checks()) };
    let made_up = format!("VE{}", "0".repeat(32));
    assert_eq!(nobody.form, owned(&[("Code", "000000"), ("VerificationSid", &made_up)]));
    assert_eq!(provider.begun().len(), 1, "nobody is sent a code");
    hides(&house, &[]);
}

#[test]
fn what_is_wrong_in_the_configuration_is_told_at_its_place() {
    let provider = Provider::start();
    let refused = |from: &str, to: &str| {
        let house = set_up(&provider, "memory:");
        house.change_configuration(from, to);
        house.refused()
    };
    let sid = format!("service_sid = \"{SERVICE_SID}\"\n");
    assert!(refused(&sid, "").contains("service_sid"));
    let told = refused(&sid, "service_sid = \"VA1\"\n");
    assert!(told.contains("VA and 32 hexadecimal digits"), "{told}");
    let told = refused("backend = \"verify\"", "backend = \"verfy\"");
    assert!(told.contains("did you mean `verify`?"), "{told}");
    let told = refused("timeout = \"800ms\"", "timeout = \"800ms\"\nservice = \"VA\"");
    assert!(told.contains("service"), "{told}");
    let told = refused("allow = [\"127.0.0.0/8\"]\n", "");
    assert!(told.contains("`url` cannot be asked"), "{told}");
}

/// A flow's own words would not be sent.
#[test]
fn a_flow_that_words_its_codes_is_not_served() {
    let provider = Provider::start();
    let house = set_up(&provider, "memory:");
    let flow = include_str!("e2e/desk.toml").replace(
        "type = \"send_sms_otp\"",
        "type = \"send_sms_otp\"\nmessage = \"Acme: your code is {{ code }}.\"",
    );
    std::fs::write(house.folder.path().join("flows/desk.toml"), flow).unwrap();
    let output = house.command().args(["serve", "--config", "callgate.toml"]).ran();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("state `prove` of flow `desk` has a `message` of its own"), "{told}");
    assert!(told.contains("leave `message` out, or have callgate make the codes"), "{told}");
}

/// Whoever tries it begins with the shipped flows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shipped_flows_run_with_codes_of_the_providers() {
    let provider = Provider::start();
    let mut house = set_up(&provider, "memory:");
    let to = house.folder.path().join("flows");
    std::fs::remove_file(to.join("desk.toml")).unwrap();
    for file in entries(&root().join("flows")) {
        std::fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
    house.change_configuration("flow = \"desk\"", "flow = \"bank\"");
    house.change_configuration(
        "[otp]",
        "[smtp]\nurl_env = \"TEST_SMTP\"\nfrom = \"clinic@example.com\"\n[otp]",
    );
    house.set_environment("TEST_SMTP", "smtps://clinic:word@mail.example.com");
    house.restart();
    let mut telephone = Telephone::new(&format!("CA{:032x}", 1), CALLER);
    telephone.ring(&house).await;
    telephone.key(&house, "").await;
    telephone.key(&house, ACCOUNT).await;
    telephone.key(&house, "1").await;
    assert!(
        telephone.spoken().starts_with("I have just sent a six digit code"),
        "{}",
        telephone.spoken()
    );
    let code = sent_code(&provider, 0);
    telephone.key(&house, &code).await;
    assert!(telephone.spoken().starts_with("Your balance is"), "{}", telephone.spoken());
    assert!(provider.messages().is_empty(), "no message of ours");
}

/// A live call becomes a transcript that runs as it went, with what was found about the number and what the
/// provider said of each entry.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_call_becomes_a_transcript() {
    let provider = Provider::start();
    let mut house = set_up(&provider, "memory:");
    house.change_configuration(
        "[[admin.tokens]]",
        &format!(
            "[lookup]\nkind = \"twilio\"\nfields = [\"sim_swap\"]\nurl = \"{}\"\ntimeout = \"{}ms\"\n\
             allow = [\"127.0.0.0/8\"]\n[[admin.tokens]]",
            provider.api_base(),
            TIMEOUT.as_millis()
        ),
    );
    house.change_configuration(
        "[policy.enumeration]",
        "[policy.otp]\nresend_backoff_s = [0]\n[policy.enumeration]",
    );
    house.more = vec!["--record", "recorded"];
    house.restart();
    let mut telephone = wait_for_code(&house, 1).await;
    let code = sent_code(&provider, 0);
    telephone.key(&house, &other(&code)).await;
    provider.forget_codes();
    telephone.key(&house, &code).await;
    let fresh = sent_code(&provider, 1);
    telephone.key(&house, &fresh).await;
    assert!(telephone.spoken().starts_with("Your balance is"), "{}", telephone.spoken());
    telephone.key(&house, "9").await;
    let folder = house.folder.path().join("recorded");
    let text = eventually("the transcript is written", || {
        let file = std::fs::read_dir(&folder).ok()?.next()?.ok()?.path();
        let whole = file.extension().is_some_and(|extension| extension == "toml");
        whole.then(|| std::fs::read_to_string(file).unwrap())
    });
    for line in [
        "otp = \"verify\"",
        "lookup = \"fits\"",
        "otp = \"wrong\"",
        "verify = \"expired\"",
        "otp = \"last\"",
        "facts = [\"pin\", \"sms_otp\"]",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    for secret in [MOBILE, ACCOUNT, PIN, &code, &fresh] {
        assert!(!text.contains(secret), "{secret} is in the transcript: {text}");
    }
    let green = house.command().args(["replay", "recorded"]).ran();
    assert_eq!(green.status.code(), Some(0), "{}", String::from_utf8_lossy(&green.stdout));
}
