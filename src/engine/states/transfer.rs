//! `transfer`: hands the caller over to a specialist.

use serde_json::{Map, Value as Json, json};

use super::super::account::Claim;
use super::super::audit::{Deed, Hearer};
use super::super::call::{End, Role};
use super::super::event::{DialStatus, Heard, QueueResult};
use super::super::id::LegId;
use super::super::listen::{Expect, Given};
use super::super::machine::{Asks, Machine, Next};
use super::super::question::{Answer, Question};
use super::super::reply::{Audible, Dial, DialTarget, Enqueue, QueueTarget, Verb};
use super::super::turn::Remark;
use super::super::voucher::{Voucher, tell_one_factor};
use crate::flow::outcome::Outcome;
use crate::flow::state::Kind;
use crate::flow::states::transfer::{To, Transfer};
use crate::flow::value::Value;
use crate::flow::wording;
use crate::secret::Secret;

/// The key that accepts the call.
const ACCEPT: &str = "1";
/// Seconds in which to press it.
const ACCEPT_TIMEOUT_S: u32 = 10;
/// How often a specialist is asked.
const ACCEPT_TRIES: u8 = 2;

pub(super) fn enter(m: &mut Machine<'_>, transfer: &Transfer) -> Asks<Next> {
    // A caller who comes back to a conference has heard it.
    let rejoins = std::mem::take(&mut m.rejoins);
    if let Some(prompt) = transfer.prompt.as_ref().filter(|_| !rejoins) {
        m.say(prompt)?;
    }
    if !rejoins {
        // If the caller is handed over to somebody else, nobody proves what was asked for.
        m.prove_no_more();
        m.is_with_specialist();
    }
    let shared = shared(m, transfer)?;
    m.note(Deed::Transferred { shared: shared.iter().map(|(name, _)| name.clone()).collect() });
    let whisper = if transfer.whisper.is_some() {
        let Some((_, nonce)) = m.add_leg(Role::Whisper) else {
            return Ok(Next::Take(Outcome::Failed));
        };
        m.call.visit.whispers = true;
        Some(nonce)
    } else {
        None
    };
    let timeout_s = u32::try_from(transfer.timeout.as_secs()).unwrap_or(30);
    let to = match &transfer.to {
        To::Number(number) => DialTarget::Number { number: number.as_e164().to_owned(), whisper },
        To::Sip(uri) => {
            let voucher = vouch(m, uri.clone(), &shared)?;
            DialTarget::Sip { uri: uri.clone(), headers: headers(m, &shared), voucher, whisper }
        }
        // Whoever is in a conference hears everybody in it: no caller is ever in that of another, and one who leaves it
        // and comes back meets the same specialist.
        To::Conference(name) => DialTarget::Conference { name: format!("{name}-{}", m.call.id) },
        To::Queue(name) => return Ok(enqueue(m, QueueTarget::Named(name.clone()))),
        To::Workflow(sid) => {
            let voucher = vouch(m, sid.clone(), &shared)?;
            let (sid, attributes) = (sid.clone(), attributes(m, &shared));
            return Ok(enqueue(m, QueueTarget::Workflow { sid, attributes, voucher }));
        }
    };
    let is_number = matches!(to, DialTarget::Number { .. });
    let caller_id = m.shown_instead().filter(|_| is_number);
    let action = Some(m.nonce);
    m.reply.verbs.push(Verb::Dial(Dial { to, timeout_s, caller_id, action }));
    Ok(Next::Wait)
}

/// The transfer is over.
pub(super) fn resume(m: &mut Machine<'_>, heard: &Heard) -> Next {
    let visit = &m.call.visit;
    let accepted = !visit.whispers || visit.accepted == Some(true);
    let outcome = match (heard.dial, heard.queue) {
        _ if visit.accepted == Some(false) => Outcome::Declined,
        (Some(DialStatus::Completed | DialStatus::Answered), _) if accepted => Outcome::Completed,
        (Some(DialStatus::Completed | DialStatus::Answered), _) => Outcome::Declined,
        (Some(DialStatus::Busy), _) | (_, Some(QueueResult::Full)) => Outcome::Busy,
        (Some(DialStatus::NoAnswer), _) | (_, Some(QueueResult::Left)) => Outcome::NoAnswer,
        (_, Some(QueueResult::Bridged)) => Outcome::Completed,
        (_, Some(QueueResult::Hangup)) => {
            m.reply.verbs.push(Verb::Hangup);
            return Next::End(End::CallerLeft);
        }
        (Some(DialStatus::Failed | DialStatus::Canceled) | None, _) => Outcome::Failed,
    };
    Next::Take(outcome)
}

/// A specialist has answered, and hears what the call is about before accepting it.
pub(in crate::engine) fn whisper(m: &mut Machine<'_>, leg: LegId, heard: &Heard) -> Asks<()> {
    let prompt = match m.state().map(|state| &state.kind) {
        Some(Kind::Transfer(transfer)) => transfer.whisper.as_ref(),
        _ => None,
    };
    let current = m.call.legs.iter().rfind(|leg| leg.role == Role::Whisper).map(|leg| leg.id);
    let (Some(prompt), true, None) = (prompt, current == Some(leg), m.call.visit.accepted) else {
        // The caller has moved on, or the specialist answered before: nobody is to be connected now.
        m.reply.verbs.push(Verb::Hangup);
        return Ok(());
    };
    match Given::of(heard) {
        Given::Keys(keys) if keys == ACCEPT => {
            m.call.visit.accepted = Some(true);
            // After the document comes the caller.
            m.reply.verbs.push(Verb::Hear(Audible::Pause(1)));
        }
        Given::Silence if m.call.visit.tries < ACCEPT_TRIES => {
            m.call.visit.tries += 1;
            let Some(mut heard) = m.audible(prompt)? else {
                m.remarks.push(Remark::Unspeakable);
                m.call.visit.accepted = Some(false);
                m.reply.verbs.push(Verb::Hangup);
                return Ok(());
            };
            let locale = wording::spoken_in(&m.call.locale);
            let proof = wording::proof(&m.proved(), &m.by_one_factor(), &locale);
            heard.insert(0, m.own(|_| proof.clone()));
            heard.push(m.own(|words| words.whisper_accept.into()));
            let expect = Expect::keys(Some(1), false);
            m.gather(heard, &expect, ACCEPT_TIMEOUT_S, true);
            m.told(Hearer::Specialist);
        }
        _ => {
            m.call.visit.accepted = Some(false);
            m.reply.verbs.push(Verb::Hangup);
        }
    }
    Ok(())
}

/// The fields that the transfer names and the facts allow, as they are now.
pub(in crate::engine) fn shared(
    m: &mut Machine<'_>,
    transfer: &Transfer,
) -> Asks<Vec<(String, Value)>> {
    let allowed: Vec<_> =
        transfer.share.iter().map(|(field, _)| field).filter(|field| m.may_use(field)).collect();
    if allowed.is_empty() {
        return Ok(Vec::new());
    }
    let account = m.account()?;
    let value = |name: &&crate::flow::name::FieldName| {
        let fields = account.as_ref().map(|account| &account.fields)?;
        let shown = fields.get(name.as_str())?.shown().into_owned();
        Some((name.as_str().to_owned(), shown))
    };
    Ok(allowed.iter().filter_map(value).collect())
}

/// What is proved now, signed for whoever takes the call. If nothing is proved, it says just that, and names no
/// account.
fn vouch(
    m: &mut Machine<'_>,
    audience: String,
    shared: &[(String, Value)],
) -> Asks<Option<Secret>> {
    let proved = m.proved();
    let real = matches!(m.call.claim, Claim::Account(_)) && !proved.is_empty();
    let voucher = Voucher {
        id: m.fresh_nonce().0,
        call: m.call.id,
        whom: real.then(|| m.call.claim.whom(m.call.id)),
        proved,
        one_factor: m.by_one_factor(),
        levels: m.levels_met(),
        flow: m.call.flow.clone(),
        edition: m.call.edition.clone(),
        audience,
        shared: shared.iter().map(|(name, _)| name.clone()).collect(),
        at: m.moment.now,
    };
    Ok(match m.ask(Question::Vouch(Box::new(voucher)))? {
        Answer::Voucher(voucher) => Some(voucher),
        _ => None,
    })
}

/// What a SIP endpoint is told: the call, what was proved and how many seconds ago, and the fields
/// shared.
fn headers(m: &Machine<'_>, shared: &[(String, Value)]) -> Vec<(String, String)> {
    let weak = m.by_one_factor();
    let factors = |fact| if weak.contains(fact) { ";factors=1" } else { "" };
    let proved = m.proved();
    let proved = proved.iter().map(|(fact, age_s)| format!("{fact};age={age_s}{}", factors(fact)));
    let proved: Vec<_> = proved.collect();
    let levels: Vec<_> = m.levels_met().iter().map(ToString::to_string).collect();
    let or_none = |list: Vec<String>| {
        if list.is_empty() { "none".to_owned() } else { list.join(", ") }
    };
    let own = [
        ("X-Callgate-Call".to_owned(), m.call.id.to_string()),
        ("X-Callgate-Proved".to_owned(), or_none(proved)),
        ("X-Callgate-Levels".to_owned(), or_none(levels)),
    ];
    let field =
        |(name, value): &(String, Value)| (format!("X-{}", name.replace('_', "-")), value.words());
    // No account field can pass itself off as one of callgate's own.
    let fields = shared.iter().map(field);
    let fields = fields.filter(|(name, _)| !name.to_ascii_lowercase().starts_with("x-callgate-"));
    own.into_iter().chain(fields).collect()
}

/// What TaskRouter is told: the call, what was proved, how many seconds ago and as of when (whoever takes the task may
/// do so much later), and the fields shared.
fn attributes(m: &Machine<'_>, shared: &[(String, Value)]) -> String {
    let fields: Map<String, Json> =
        shared.iter().map(|(name, value)| (name.clone(), value.json())).collect();
    let proved = m.proved();
    let ages: Map<String, Json> =
        proved.iter().map(|(fact, age_s)| (fact.to_string(), json!(age_s))).collect();
    let mut attributes = json!({
        "callgate_call": m.call.id.to_string(),
        "flow": m.call.flow.as_str(),
        "edition": m.call.edition,
        "language": m.call.locale.as_str(),
        "at": m.moment.now.as_second(),
        "proved": proved.iter().map(|(fact, _)| fact.as_str()).collect::<Vec<_>>(),
        "age_s": ages,
        "levels": m.levels_met(),
        "shared": fields,
    });
    tell_one_factor(&mut attributes, &m.by_one_factor());
    attributes.to_string()
}

fn enqueue(m: &mut Machine<'_>, queue: QueueTarget) -> Next {
    let action = m.nonce;
    m.reply.verbs.push(Verb::Enqueue(Enqueue { queue, action }));
    Next::Wait
}
