//! A live call becomes a transcript: real program, real HTTP, real Redis; no secret of it survives,
//! and it runs as the call went.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::support::eventually::eventually_async;
use crate::support::house::{ACCOUNT, House, LINE, MOBILE, OPERATOR, PIN, client};
use crate::support::process::Ran as _;
use crate::support::provider::Provider;
use crate::support::redis::RedisServer;
use crate::support::telephone::{Telephone, digits};

const CALLER: &str = "+12025550143";
const WRONG: &str = "518206";

fn callgate(house: &House, arguments: &[&str]) -> Output {
    house.command().args(arguments).ran()
}

/// Keys the whole way to the balance and to the card team, with every kind of secret on it, and gives
/// the codes.
async fn ring(house: &House, provider: &Provider, sid: &str) -> Vec<String> {
    let mut phone = Telephone::new(sid, CALLER);
    phone.ring(house).await;
    phone.key(house, ACCOUNT).await;
    phone.key(house, WRONG).await;
    phone.key(house, PIN).await;
    phone.key(house, "1").await;
    let sent = eventually_async("a text message", async || {
        let requests = provider.requests();
        let message = requests.iter().rfind(|it| it.path.ends_with("/Messages.json"))?;
        Some(digits(message.field("Body").unwrap()))
    })
    .await;
    phone.key(house, &sent).await;
    assert!(phone.spoken().starts_with("Your balance is"), "{}", phone.spoken());
    phone.key(house, "2").await;
    let told: String = digits(&phone.spoken()).chars().take(6).collect();
    let (answer, status, leg) = eventually_async("a call is placed", async || {
        let requests = provider.requests();
        let request =
            requests.iter().rfind(|it| it.method == "POST" && it.path.ends_with("/Calls.json"))?;
        let path = |name: &str| {
            request.field(name).unwrap().strip_prefix("https://ivr.example.com").unwrap().to_owned()
        };
        Some((path("Url"), path("StatusCallback"), provider.calls().last()?.sid.clone()))
    })
    .await;
    let mut mobile = Telephone::rung(&leg, MOBILE);
    mobile.post(house, &answer, &[("CallStatus", "in-progress"), ("AnsweredBy", "human")]).await;
    mobile.key(house, &told).await;
    mobile.status(house, &status, &[("CallStatus", "completed")]).await;
    phone.wait(house).await;
    assert!(phone.hears("Enqueue"), "{:?}", phone.heard);
    let action = phone.action();
    phone.post(house, &action, &[("QueueResult", "bridged"), ("CallStatus", "in-progress")]).await;
    assert_eq!(phone.spoken(), "Thank you. Goodbye.");
    vec![sent, told]
}

fn assert_clean(text: &str, codes: &[String]) {
    let secrets = [PIN, WRONG, ACCOUNT, &MOBILE[1..], &CALLER[1..], "Ada", "1234.56"];
    for secret in secrets.iter().copied().chain(codes.iter().map(String::as_str)) {
        assert!(!text.contains(secret), "`{secret}` is in the transcript:\n{text}");
    }
}

fn record(house: &mut House) {
    house.more = vec!["--record", "recorded"];
    house.restart();
}

/// A server whose calls go through this flow, and are recorded.
fn recording(provider: &Provider, flow: &str) -> House {
    let mut house = House::set_up("embedded:callgate.redb", &provider.api_base());
    std::fs::write(house.folder.path().join("flows/desk.toml"), flow).unwrap();
    record(&mut house);
    house
}

async fn recorded(folder: &Path) -> String {
    eventually_async("the transcript is written", async || {
        let file = std::fs::read_dir(folder).ok()?.next()?.ok()?.path();
        let whole = file.extension().is_some_and(|extension| extension == "toml");
        whole.then(|| std::fs::read_to_string(file).unwrap())
    })
    .await
}

/// The transcript has all of the call, which goes in it as it went.
fn assert_replays(house: &House, text: &str) {
    assert!(!text.contains("Not as the call was"), "{text}");
    let green = callgate(house, &["replay", "recorded"]);
    assert_eq!(green.status.code(), Some(0), "{}", String::from_utf8_lossy(&green.stdout));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_call_becomes_a_transcript_without_its_secrets() {
    let provider = Provider::start();
    let redis = RedisServer::start();
    let mut house = House::set_up(&redis.url(), &provider.api_base());
    record(&mut house);
    let codes = ring(&house, &provider, "CA00000000000000000000000000000077").await;

    let text = recorded(&house.folder.path().join("recorded")).await;
    assert_clean(&text, &codes);
    for said in ["That did not work. Please key in your PIN.", "Thank you. Goodbye."] {
        assert!(text.contains(said), "{text}");
    }
    assert!(text.contains("facts = [\"pin\", \"sms_otp\", \"callback\"]"), "{text}");
    assert_replays(&house, &text);

    // What a call proves beyond what is expected is a difference too.
    let less = text.replace("facts = [\"pin\", \"sms_otp\", \"callback\"]", "facts = [\"pin\"]");
    std::fs::write(house.folder.path().join("less.toml"), less).unwrap();
    let output = callgate(&house, &["replay", "less.toml"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.code() == Some(1) && told.contains("other facts are proved"), "{told}");

    // The same out of the store, while the server goes on; a file that is there stays.
    let calls = house.ask("/api/calls").await;
    let call = calls["calls"][0].as_str().unwrap();
    // What is run once more to write it down is no turn that the log tells of.
    let log = house.log();
    let turns: Vec<_> = log.lines().filter(|line| line.contains("a turn was committed")).collect();
    assert!(!turns.is_empty() && turns.iter().all(|line| line.contains(call)), "{turns:#?}");
    let taken = ["replay", "--from-journal", call, "-o", "taken.toml"];
    // The state key is all that it takes of the house's secrets.
    let output = house.keeper().args(taken).ran();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let file = house.folder.path().join("taken.toml");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    assert_eq!(callgate(&house, &taken).status.code(), Some(3));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);

    // Where another outcome leads elsewhere, the transcript says so.
    let flow = house.folder.path().join("flows/desk.toml");
    let good = std::fs::read_to_string(&flow).unwrap();
    let elsewhere = good.replace("on = { ok = \"menu\"", "on = { ok = \"sorry\"");
    std::fs::write(&flow, &elsewhere).unwrap();
    let red = callgate(&house, &["replay", "recorded"]);
    assert_eq!(red.status.code(), Some(1), "{}", String::from_utf8_lossy(&red.stdout));
    std::fs::write(&flow, &good).unwrap();

    // What other flows would have done to the calls of the store.
    let new = house.folder.path().join("new");
    std::fs::create_dir(&new).unwrap();
    let open = good
        .replace("requires = \"strict\"\nstep_up = \"ring_back\"\n", "")
        .replace("share = [\"first_name\"]\non = { denied = \"sorry\", ", "on = { ");
    std::fs::write(new.join("desk.toml"), open).unwrap();
    let mut hasty = Telephone::new("CA00000000000000000000000000000078", CALLER);
    hasty.ring(&house).await;
    hasty.key(&house, ACCOUNT).await;
    hasty.key(&house, PIN).await;
    hasty.key(&house, "2").await;
    hasty.status(&house, "/twilio/status", &[("CallStatus", "completed")]).await;
    let calls = house.ask("/api/calls").await;
    let hasty = calls["calls"][0].as_str().unwrap();
    let against = callgate(&house, &["replay", "--against", "new", "--last", "5"]);
    let told = String::from_utf8(against.stdout).unwrap();
    assert_eq!(
        against.status.code(),
        Some(1),
        "{told}{}",
        String::from_utf8_lossy(&against.stderr)
    );
    let gets_in = format!("would get in without what is asked of them today: desk.{hasty}");
    assert!(told.contains(&gets_in), "{told}");
    assert!(told.contains("gets in: desk.card (strict)"), "{told}");
    assert!(
        told.contains("no longer reaches the level: strict, strong")
            || told.contains("no longer reaches the level: strict"),
        "{told}"
    );
}

/// Whatever a caller keys or says, and whatever is on file of them, something else of its kind stands in the transcript.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_caller_is_in_the_transcript() {
    let provider = Provider::start();
    let mut house = House::set_up("embedded:callgate.redb", &provider.api_base());
    let gather = |name: &str, more: &str, next: &str| {
        format!(
            "[states.{name}]\ntype = \"gather\"\nvar = \"{name}\"\n{more}\nprompt = \"The {name}?\"\n\
             on = {{ ok = \"{next}\", no_input = \"{next}\", invalid = \"{next}\" }}\n"
        )
    };
    let flow = [
        "name = \"desk\"\nstart = \"wish\"\n\
         [states.wish]\ntype = \"menu\"\nprompt = \"What is it?\"\ntries = 1\n\
         phrases = { \"statement\" = \"words\" }\non = { no_input = \"words\", no_match = \"words\" }\n",
        &gather("words", "kind = \"speech\"", "birthday"),
        &gather("birthday", "kind = \"date\"", "card"),
        &gather("card", "", "other"),
        &gather("other", "", "sorted"),
        "[states.sorted]\ntype = \"branch\"\notherwise = \"who\"\n\
         cases = [{ when = { var = \"other\", equals = \"1\" }, next = \"who\" }]\n\
         [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
         on = { found = \"bye\", unknown = \"bye\" }\n\
         [states.bye]\ntype = \"hangup\"\nprompt = \"Goodbye.\"\n",
    ];
    std::fs::write(house.folder.path().join("flows/desk.toml"), flow.concat()).unwrap();
    let path = house.folder.path().join("accounts.toml");
    let accounts = std::fs::read_to_string(&path).unwrap();
    let mail = "email = { address = \"countess@post.example\", since = \"2024-01-01\" }\n";
    let accounts = accounts.replace("[accounts.fields]", &format!("{mail}[accounts.fields]"));
    std::fs::write(&path, accounts + "born = \"1815-12-10\"\n").unwrap();
    record(&mut house);
    let mut phone = Telephone::new("CA00000000000000000000000000000083", CALLER);
    phone.ring(&house).await;
    phone.say(&house, "This is Lovelace speaking.").await;
    phone.say(&house, "I have moved to Elm Street.").await;
    phone.key(&house, "02281970").await;
    phone.key(&house, "40070218").await;
    // What a branch asks about stays as it was, unless it tells whose it is.
    phone.key(&house, ACCOUNT).await;
    phone.key(&house, "2468024").await;
    phone.key(&house, ACCOUNT).await;
    assert_eq!(phone.spoken(), "Goodbye.");
    let text = recorded(&house.folder.path().join("recorded")).await;
    assert_clean(&text, &[]);
    for own in
        ["Lovelace", "Elm", "02281970", "40070218", "2468024", "countess", "1815", &LINE[1..]]
    {
        assert!(!text.contains(own), "`{own}` is in the transcript:\n{text}");
    }
    assert_replays(&house, &text);
}

/// What was no number, no date and no passcode is none in the transcript either: the call is asked again as it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_taken_is_not_taken_in_the_transcript() {
    let provider = Provider::start();
    let flow = "name = \"desk\"\nstart = \"number\"\n\
        [states.number]\ntype = \"gather\"\nvar = \"number\"\nspeech = true\ntries = 4\nprompt = \"Which number?\"\n\
        on = { ok = \"day\", no_input = \"bye\", invalid = \"bye\" }\n\
        [states.day]\ntype = \"gather\"\nkind = \"date\"\nvar = \"day\"\nprompt = \"{{ number | digits }}. Which day?\"\n\
        on = { ok = \"who\", no_input = \"bye\", invalid = \"bye\" }\n\
        [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"{{ day | date }}. Who?\"\n\
        on = { found = \"words\", unknown = \"words\" }\n\
        [states.words]\ntype = \"gather_passcode\"\ndigits = 6\nprompt = \"Your passcode?\"\n\
        on = { ok = \"bye\", failed = \"bye\", locked = \"bye\" }\n\
        [states.bye]\ntype = \"hangup\"\nprompt = \"Goodbye.\"\n";
    let house = recording(&provider, flow);
    let mut phone = Telephone::new("CA00000000000000000000000000000079", CALLER);
    phone.ring(&house).await;
    // Some telephones have the keys `A` to `D`.
    for keys in ["250*5", "12*", "7D"] {
        phone.key(&house, keys).await;
        assert_eq!(phone.spoken(), "Which number?", "{keys}");
    }
    phone.say(&house, "four one two").await;
    assert_eq!(phone.spoken(), "4 1 2. Which day?");
    phone.key(&house, "02302026").await;
    assert_eq!(phone.spoken(), "4 1 2. Which day?", "there is no such day");
    phone.key(&house, "02282026").await;
    phone.key(&house, ACCOUNT).await;
    // Six characters, and no passcode of six digits: the journal keeps six zeros of it.
    phone.say(&house, "Hello.").await;
    assert_eq!(phone.spoken(), "Your passcode?");
    phone.key(&house, "518206").await;
    phone.say(&house, "Hello.").await;
    assert_eq!(phone.spoken(), "Goodbye.");
    let text = recorded(&house.folder.path().join("recorded")).await;
    assert!(!text.contains("250*5") && !text.contains("518206"), "{text}");
    assert_replays(&house, &text);
}

/// What was taken is taken in the transcript too, though its variable has gone out of sight with a sub-flow that was entered
/// or left at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_before_a_sub_flow_is_taken_in_the_transcript() {
    let provider = Provider::start();
    let mut house = House::set_up("embedded:callgate.redb", &provider.api_base());
    let flow = "name = \"desk\"\nstart = \"day\"\n\
        [states.day]\ntype = \"gather\"\nkind = \"date\"\nvar = \"day\"\nprompt = \"Which day?\"\n\
        on = { ok = \"sure\", no_input = \"bye\", invalid = \"bye\" }\n\
        [states.sure]\ntype = \"call\"\nflow = \"sure\"\nwith = { that = \"day\" }\non = { done = \"thanks\" }\n\
        [states.thanks]\ntype = \"hangup\"\nprompt = \"Thank you.\"\n\
        [states.bye]\ntype = \"hangup\"\nprompt = \"Goodbye.\"\n";
    let sub = "name = \"sure\"\nstart = \"other\"\n\
        [states.other]\ntype = \"gather\"\nkind = \"date\"\nvar = \"other\"\nprompt = \"Which day, if not on {{ that | date }}?\"\n\
        on = { ok = \"number\", no_input = \"back\", invalid = \"other\" }\n\
        [states.number]\ntype = \"gather\"\nvar = \"number\"\ndigits = 3\nspeech = true\n\
        prompt = \"And which number, on {{ other | date }}?\"\n\
        on = { ok = \"which\", no_input = \"back\", invalid = \"number\" }\n\
        [states.which]\ntype = \"branch\"\notherwise = \"back\"\n\
        cases = [{ when = { var = \"number\", at_least = 0 }, next = \"back\" }]\n\
        [states.back]\ntype = \"return\"\noutcome = \"done\"\n";
    std::fs::write(house.folder.path().join("flows/desk.toml"), flow).unwrap();
    std::fs::write(house.folder.path().join("flows/sure.toml"), sub).unwrap();
    record(&mut house);
    let mut phone = Telephone::new("CA00000000000000000000000000000081", CALLER);
    phone.ring(&house).await;
    phone.key(&house, "02282026").await;
    assert_eq!(phone.spoken(), "Which day, if not on February 28, 2026?");
    phone.key(&house, "03012026").await;
    phone.say(&house, "four one two").await;
    assert_eq!(phone.spoken(), "Thank you.");
    let text = recorded(&house.folder.path().join("recorded")).await;
    assert_replays(&house, &text);
}

/// An entry that is not looked at, because the call has had its entries, is one in the transcript all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_is_not_looked_at_is_an_entry_in_the_transcript() {
    let provider = Provider::start();
    let flow = "name = \"desk\"\nstart = \"who\"\n\
        [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
        on = { found = \"words\", unknown = \"words\" }\n\
        [states.words]\ntype = \"gather_passcode\"\ntries = 4\nprompt = \"Your passcode?\"\n\
        on = { ok = \"bye\", failed = \"bye\", locked = \"bye\" }\n\
        [states.bye]\ntype = \"hangup\"\nprompt = \"Goodbye.\"\n";
    let house = recording(&provider, flow);
    let mut phone = Telephone::new("CA00000000000000000000000000000080", CALLER);
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    for _ in 0..4 {
        assert_eq!(phone.spoken(), "Your passcode?");
        phone.say(&house, "green apple pie").await;
    }
    assert_eq!(phone.spoken(), "Goodbye.");
    let text = recorded(&house.folder.path().join("recorded")).await;
    let said: Vec<_> = text.lines().filter(|line| line.starts_with("speech = ")).collect();
    assert!(said.len() == 4 && said.iter().all(|line| *line == said[0]), "{text}");
}

/// What is said in place of a passcode and cannot be one is a mistake in the transcript too, though the caller has no attempt
/// left by then, with which nothing else would be looked at: here the eleventh, after which each state gives up at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cough_after_the_last_attempt_is_one_in_the_transcript() {
    let provider = Provider::start();
    let flow = "name = \"desk\"\nstart = \"who\"\n\
        [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
        on = { found = \"words\", unknown = \"words\" }\n\
        [states.words]\ntype = \"gather_passcode\"\ntries = 9\nprompt = \"Your passcode?\"\n\
        on = { ok = \"menu\", failed = \"menu\", locked = \"menu\" }\n\
        [states.menu]\ntype = \"menu\"\ntries = 9\nprompt = \"Press 1.\"\nkeys = { 1 = \"bye\" }\n\
        on = { no_input = \"bye\", no_match = \"bye\" }\n\
        [states.bye]\ntype = \"hangup\"\nprompt = \"Goodbye.\"\n";
    let house = recording(&provider, flow);
    let mut phone = Telephone::new("CA00000000000000000000000000000082", CALLER);
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    for _ in 0..3 {
        phone.say(&house, "green apple pie").await;
    }
    for _ in 0..6 {
        assert_eq!(phone.spoken(), "Your passcode?");
        phone.say(&house, "<&>'\"!").await;
    }
    for _ in 0..5 {
        assert_eq!(phone.spoken(), "Press 1.");
        phone.key(&house, "9").await;
    }
    assert_eq!(phone.spoken(), "Goodbye.");
    let text = recorded(&house.folder.path().join("recorded")).await;
    assert_replays(&house, &text);
}

/// A secret that was keyed and then said is the same one in the transcript.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_is_keyed_and_said_is_one_in_the_transcript() {
    let provider = Provider::start();
    let flow = "name = \"desk\"\nstart = \"who\"\n\
        [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
        on = { found = \"pin\", unknown = \"pin\" }\n\
        [states.pin]\ntype = \"gather_pin\"\nprompt = \"Your PIN?\"\n\
        on = { ok = \"again\", failed = \"sorry\", locked = \"sorry\" }\n\
        [states.again]\ntype = \"gather_pin\"\nspeech = true\ntries = 1\nprompt = \"Once more?\"\n\
        on = { ok = \"bye\", failed = \"sorry\", locked = \"sorry\" }\n\
        [states.sorry]\ntype = \"hangup\"\nprompt = \"Sorry.\"\n\
        [states.bye]\ntype = \"hangup\"\nprompt = \"Goodbye.\"\n";
    let house = recording(&provider, flow);
    let mut phone = Telephone::new("CA00000000000000000000000000000081", CALLER);
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    phone.key(&house, PIN).await;
    phone.say(&house, PIN).await;
    assert_eq!(phone.spoken(), "Goodbye.");
    let text = recorded(&house.folder.path().join("recorded")).await;
    assert_replays(&house, &text);
}

/// A code that the customer got on the web is right again in the transcript, and worth as much.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_from_the_web_are_as_good_in_the_transcript() {
    let provider = Provider::start();
    let flow = "name = \"desk\"\nstart = \"who\"\n[levels]\nstrong = { any = [\"possession\"] }\n\
        [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
        on = { found = \"web\", unknown = \"web\" }\n\
        [states.web]\ntype = \"gather_service_code\"\nprompt = \"Your code?\"\npurpose = \"card\"\n\
        on = { ok = \"card\", failed = \"card\", locked = \"card\" }\n\
        [states.card]\ntype = \"hangup\"\nprompt = \"A card.\"\nrequires = \"strong\"\nstep_up = \"again\"\n\
        on = { denied = \"bye\" }\n\
        [states.again]\ntype = \"gather_service_code\"\nprompt = \"Another code?\"\n\
        on = { ok = \"back\", failed = \"back\", locked = \"back\" }\n\
        [states.back]\ntype = \"return\"\n\
        [states.bye]\ntype = \"hangup\"\nprompt = \"Goodbye.\"\n";
    let house = recording(&provider, flow);
    let issue = async |mut body: Value| -> String {
        body["account"] = ACCOUNT.into();
        let request = client().post(format!("{}/api/service-codes", house.admin()));
        let answer = request.bearer_auth(OPERATOR).json(&body).send().await.unwrap();
        let body: Value = answer.json().await.unwrap();
        body["code"].as_str().unwrap().to_owned()
    };
    let mut phone = Telephone::new("CA00000000000000000000000000000081", CALLER);
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    let weak = issue(json!({ "level": "aal1", "purpose": "card" })).await;
    phone.key(&house, if weak == WRONG { PIN } else { WRONG }).await;
    assert_eq!(phone.spoken(), "Your code?");
    phone.key(&house, &weak).await;
    assert_eq!(phone.spoken(), "Another code?", "one factor is no possession");
    let strong = issue(json!({ "level": "aal2" })).await;
    phone.key(&house, &strong).await;
    assert_eq!(phone.spoken(), "A card.");
    let text = recorded(&house.folder.path().join("recorded")).await;
    assert_clean(&text, &[weak, strong]);
    assert_replays(&house, &text);
}

/// Whoever wants calls recorded is told at once that they cannot be, and not at the end of the first.
#[test]
fn a_folder_that_cannot_be_written_is_told_before_the_first_call() {
    let house = House::set_up("memory:", "http://127.0.0.1:9");
    std::fs::write(house.folder.path().join("file"), "").unwrap();
    // Nobody may make files there, whoever runs the tests.
    for folder in ["/proc", "file", "file/below"] {
        let output = callgate(&house, &["serve", "--config", "callgate.toml", "--record", folder]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{told}");
        let error = told.lines().find(|line| line.starts_with("error: ")).unwrap();
        let begins = format!("error: calls cannot be recorded: cannot write {folder}: ");
        assert!(error.starts_with(&begins), "{error}");
    }
    // One that is not there yet is made, and nothing but calls stands in it.
    let mut house = House::set_up("memory:", "http://127.0.0.1:9");
    house.more = vec!["--record", "new/folder"];
    house.restart();
    assert_eq!(std::fs::read_dir(house.folder.path().join("new/folder")).unwrap().count(), 0);
}
