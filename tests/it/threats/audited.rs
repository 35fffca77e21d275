//! Whatever a call or an operator does about authentication leaves an entry, and no entry a secret: seen in
//! every shipped transcript, and outside calls.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use callgate::audit::{Bound, Deed, Head, Link, head_key, link_key};
use callgate::engine::question::{Answer, Verdict};
use callgate::engine::turn::Entry;
use callgate::exchange::Exchange;
use callgate::exchange::service_code::WebLevel;
use callgate::exchange::unlock::By;
use callgate::flow::level::Fact;
use callgate::flow::name::FieldName;
use callgate::flow::outcome::Outcome;
use callgate::flow::state::Kind;
use callgate::flow::template::Use;
use callgate::flow::{self, FlowSet};
use callgate::outbox::Retried;
use callgate::replay::Transcript;
use callgate::replay::play::Player;
use callgate::replay::provider::Setup;
use callgate::replay::transcript::Input;
use callgate::replay::world::{self, Refusal};
use callgate::secret::Secret;
use callgate::store::PARTITIONS;
use callgate::store::envelope::Kind as Sealed;

use super::office::{ACCOUNT, DESK, MOBILE, Office, PIN, account, other_than};

use crate::support::tree::root;

/// States whose every end is written down.
const NOTED: [&str; 10] = [
    "identify",
    "gather_pin",
    "gather_passcode",
    "gather_otp",
    "gather_service_code",
    "send_sms_otp",
    "send_email_otp",
    "send_link",
    "callback",
    "transfer",
];

/// Every kind of deed by its name: one that is new must be named here, and be seen below.
fn kind(deed: &Deed) -> &'static str {
    match deed {
        Deed::Ended { .. } => "ended",
        Deed::Attempt { .. } => "attempt",
        Deed::Proved { .. } => "proved",
        Deed::StepUp { .. } => "step_up",
        Deed::Asked { .. } => "asked",
        Deed::Answered { .. } => "answered",
        Deed::Notified { .. } => "notified",
        Deed::Told { .. } => "told",
        Deed::Transferred { .. } => "transferred",
        Deed::ServiceCodeIssued { .. } => "service_code_issued",
        Deed::Unlocked { .. } => "unlocked",
        Deed::LetterRetried { .. } => "letter_retried",
        Deed::LetterDropped { .. } => "letter_dropped",
    }
}

const IN_CALLS: [&str; 9] = [
    "answered",
    "asked",
    "attempt",
    "ended",
    "notified",
    "proved",
    "step_up",
    "told",
    "transferred",
];

fn flows_in(folder: &Path) -> FlowSet {
    let (flows, findings) = flow::read(&crate::flows::load(folder));
    assert_eq!(findings, []);
    flows
}

/// What nobody may learn: what was keyed in and said, who called, and every run of digits in a message.
fn secrets_of(player: &Player, transcript: &Transcript) -> BTreeSet<String> {
    let mut secrets = BTreeSet::new();
    let long = |text: &str| {
        let runs = text.split(|c: char| !c.is_ascii_digit());
        runs.filter(|run| run.len() >= 4).map(str::to_owned).collect::<Vec<_>>()
    };
    for turn in &transcript.turns {
        match &turn.act.input {
            Input::Digits(keys) => secrets.extend(long(keys)),
            Input::Speech(said) if said.len() > 8 => drop(secrets.insert(said.clone())),
            _ => {}
        }
    }
    secrets.extend(transcript.from.iter().flat_map(|number| long(number.as_e164())));
    if let Ok(call) = player.provider.call_id() {
        let messages = player.provider.world().messages(call);
        secrets.extend(messages.iter().flat_map(|message| long(message.body.expose())));
    }
    secrets
}

/// What a turn did, held against what its audit says.
fn held_against(entry: &Entry, flows: &FlowSet, place: &str) {
    let deeds: Vec<_> = entry.audit.iter().map(|entry| &entry.deed).collect();
    let asked: Vec<Verdict> = entry.answers.iter().filter_map(Answer::verdict).collect();
    let attempts = deeds.iter().filter_map(|deed| match deed {
        Deed::Attempt { verdict, .. } => Some(*verdict),
        _ => None,
    });
    assert_eq!(attempts.collect::<Vec<_>>(), asked, "{place}");
    let proved = deeds.iter().filter_map(|deed| match deed {
        Deed::Proved { factor } => Some(*factor),
        _ => None,
    });
    assert_eq!(proved.collect::<Vec<_>>(), entry.proved, "{place}");
    let mut ended: Vec<_> = deeds
        .iter()
        .filter_map(|deed| match deed {
            Deed::Ended { state, outcome } => Some((state.as_str(), outcome.clone())),
            _ => None,
        })
        .collect();
    for hop in &entry.hops {
        let Some(outcome) = hop.outcome.clone() else { continue };
        let state = flows.get(hop.at.flow.as_str()).unwrap().state(&hop.at.state).unwrap();
        let open = state.kind.is_combined() && outcome == flow::outcome::Outcome::Ok;
        if (!NOTED.contains(&state.type_name()) || open)
            && outcome != flow::outcome::Outcome::Denied
        {
            continue;
        }
        let found = ended.iter().position(|end| *end == (state.type_name(), outcome.clone()));
        let found = found.unwrap_or_else(|| panic!("{place}: {hop:?} is in no entry"));
        ended.remove(found);
    }
}

/// What has a level and stands in words that a turn spoke is told, and what is told stands in the state's words.
fn told_against(entry: &Entry, flows: &FlowSet, place: &str) {
    let has_level = |field: &FieldName| flows.iter().any(|flow| flow.disclose.contains_key(field));
    let mut told = BTreeMap::new();
    for audited in &entry.audit {
        let Deed::Told { state, of, levels, .. } = &audited.deed else { continue };
        assert!(!of.is_empty() && !levels.is_empty(), "{place}: {audited:?}");
        let state = state.rsplit('.').next().unwrap();
        told.entry(state).or_insert_with(Vec::new).extend(of);
    }
    for hop in entry.hops.iter().filter(|hop| hop.outcome == Some(Outcome::Next)) {
        let state = flows.get(hop.at.flow.as_str()).unwrap().state(&hop.at.state).unwrap();
        // What is told of by `notify` is told once a call.
        let Kind::Say(say) = &state.kind else { continue };
        for field in say.prompt.uses().filter_map(|used| match used {
            Use::Field(field) if has_level(field) => Some(format!("account.{field}")),
            _ => None,
        }) {
            let of = told.get(state.name.as_str());
            assert!(of.is_some_and(|of| of.contains(&&field)), "{place}: {field} of {hop:?}");
        }
    }
}

/// Plays every shipped transcript, and holds each turn's entries against what the turn did.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t65_whatever_a_call_does_leaves_an_entry_and_no_entry_a_secret() {
    let calls = root().join("fixtures/calls");
    let mut folders: BTreeMap<String, FlowSet> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut verdicts = BTreeSet::new();
    let files = std::fs::read_dir(&calls).unwrap().map(|entry| entry.unwrap().path());
    for path in files.filter(|path| path.extension().is_some_and(|is| is == "toml")) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let (transcript, findings) =
            Transcript::read(name.as_str(), &std::fs::read_to_string(&path).unwrap());
        assert_eq!(findings, [], "{name}");
        let transcript = transcript.unwrap();
        let folder = transcript.flows.clone().unwrap_or_else(|| "../../flows".to_owned());
        let flows = folders.entry(folder.clone()).or_insert_with(|| flows_in(&calls.join(folder)));
        let flows = flows.closure(&transcript.flow).unwrap();
        let setup = Setup::of(&transcript, flows.clone());
        let mut player = Player::new(setup, transcript.from.clone());
        for (index, turn) in transcript.turns.iter().enumerate() {
            player.play(&turn.act).await.unwrap();
            let last = index + 1 == transcript.turns.len();
            let next = transcript.turns.get(index + 1);
            if !last && !next.is_some_and(|next| matches!(next.act.input, Input::Ring(_))) {
                continue;
            }
            let mut secrets = secrets_of(&player, &transcript);
            // Whoever says what a state is called has said no secret.
            let is_state = |said: &String| {
                flows.iter().any(|flow| flow.states.keys().any(|name| name.as_str() == said))
            };
            secrets.retain(|said| !is_state(said));
            for entry in player.provider.journal().await {
                let place = format!("{name}, turn {}", entry.number);
                held_against(&entry, &flows, &place);
                told_against(&entry, &flows, &place);
                for audited in &entry.audit {
                    seen.insert(kind(&audited.deed));
                    let text = serde_json::to_string(&audited.deed).unwrap();
                    for secret in &secrets {
                        assert!(!text.contains(secret.as_str()), "{name}: {text}");
                    }
                    if let Deed::Attempt { factor, verdict } = &audited.deed {
                        verdicts.insert(format!("{factor} {verdict:?}"));
                    }
                }
            }
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), IN_CALLS);
    // Codes from the web are looked at below, with those who issue them.
    for factor in Fact::ALL.into_iter().filter(|factor| *factor != Fact::ServiceCode) {
        for verdict in ["Right", "Wrong"] {
            assert!(
                verdicts.iter().any(|seen| seen.starts_with(&format!("{factor} {verdict}"))),
                "no transcript has a {factor} that is {verdict}: {verdicts:?}"
            );
        }
    }
}

/// What the chains of links hold of deeds outside calls.
async fn outside(exchange: &Exchange) -> Vec<(String, Deed)> {
    let mut deeds = Vec::new();
    for chain in 0..PARTITIONS {
        let head = exchange.store().read(&head_key(chain)).await.unwrap();
        let Some((_, bytes)) = head else { continue };
        let open =
            |id: &str, bytes: &[u8]| exchange.vault().open(Sealed::Record, id, bytes).unwrap();
        let head: Head = open(&head_key(chain).id, &bytes).read().unwrap();
        for number in 1..=head.number {
            let key = link_key(chain, number);
            let (_, bytes) = exchange.store().read(&key).await.unwrap().unwrap();
            let link: Link = open(&key.id, &bytes).read().unwrap();
            if let Bound::Deed { about, deed } = link.what {
                deeds.push((about, deed));
            }
        }
    }
    deeds
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t65_whatever_an_operator_does_leaves_an_entry_and_no_entry_a_secret() {
    let more = "3 = \"link\", 4 = \"web\", 9 = \"bye\" }";
    let said = "For a link press 3. If you have a code press 4. To end the call press 9.";
    let menu = DESK.replace("9 = \"bye\" }", more).replace("To end the call press 9.", said);
    let web = "\n[states.web]\ntype = \"gather_service_code\"\nprompt = \"Key in the code.\"\n\
         on = { ok = \"menu\", failed = \"sorry\", locked = \"sorry\" }\n";
    let link = "\n[states.link]\ntype = \"send_link\"\nmessage = \"See https://example.com/card\"\n\
         on = { sent = \"menu\", unavailable = \"menu\", limited = \"menu\" }\n";
    let flow = menu + web + link;
    let office = Office::fresh(&flow, &account(ACCOUNT, "2024-01-01"));
    let exchange = &office.exchange;
    let desk = By::Token("desk");
    let owner = Secret::new(ACCOUNT);
    let ttl = std::time::Duration::from_mins(15);
    let issued = exchange.issue_service_code(&owner, WebLevel::Aal2, None, ttl).await.unwrap();
    let code = issued.unwrap().code;
    let mut line = office.ring_to_menu("CA0").await;
    for keys in ["4", &other_than(code.expose()), code.expose()] {
        line.key(keys).await;
    }
    let mut tried = Vec::new();
    for entry in exchange.journal(line.call).await.unwrap() {
        held_against(&entry, &exchange.flows(), "the call with the code");
        let deeds = entry.audit.into_iter().map(|entry| entry.deed);
        tried.extend(deeds.filter(|deed| !matches!(deed, Deed::Ended { .. })));
    }
    let factor = Fact::ServiceCode;
    let attempt = |verdict| Deed::Attempt { factor, verdict };
    let of_code = [attempt(Verdict::Wrong), attempt(Verdict::Right), Deed::Proved { factor }];
    assert_eq!(tried[2..], of_code);
    exchange.unlock(&owner, None, desk).await.unwrap().unwrap();

    let mut letters = Vec::new();
    for sid in ["CA1", "CA2"] {
        let mut line = office.ring_to_menu(sid).await;
        office.world.refuse(Some(Refusal::SendSms));
        line.key("3").await;
        office.outbox.drain().await.unwrap();
        let letter = exchange.dead_letters().await.unwrap();
        letters.push(letter.into_iter().find(|letter| letter.call == line.call).unwrap());
    }
    office.world.refuse(None);
    assert_eq!(office.outbox.retry(letters[0].effect, desk).await.unwrap(), Retried::Done);
    assert!(exchange.drop_letter(letters[1].effect, desk).await.unwrap());
    // What is not there is not done, and leaves nothing.
    assert!(!exchange.drop_letter(letters[1].effect, desk).await.unwrap());
    assert_eq!(office.outbox.retry(letters[0].effect, desk).await.unwrap(), Retried::Unknown);
    let sent = office.world.take_outgoing();
    assert!(
        sent.iter().any(|deed| matches!(deed, world::Outgoing::SendSms { refused: false, .. }))
    );

    let deeds = outside(exchange).await;
    let mut kinds: Vec<_> = deeds.iter().map(|(_, deed)| kind(deed)).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["letter_dropped", "letter_retried", "service_code_issued", "unlocked"]);
    for (_, deed) in &deeds {
        match deed {
            Deed::LetterRetried { letter, by } => {
                assert_eq!((letter.effect, letter.call), (letters[0].effect, letters[0].call));
                assert_eq!((letter.what.as_str(), by.as_str()), ("send_sms", "token desk"));
            }
            Deed::LetterDropped { letter, .. } => assert_eq!(letter.effect, letters[1].effect),
            _ => {}
        }
    }
    let text = serde_json::to_string(&deeds).unwrap();
    for secret in [ACCOUNT, PIN, MOBILE, "example.com", code.expose()] {
        assert!(!text.contains(secret), "{text}");
    }
    let now = office.now();
    let store = exchange.store().as_ref();
    let report = callgate::audit::verify::verify(store, exchange.vault(), now).await.unwrap();
    assert_eq!(report.faults, []);
}
