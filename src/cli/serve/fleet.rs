//! Whether the servers of one store are set up alike: logged, counted and shown as ready tells it.
//!
//! What a caller may try, where a call leads and who is known must not depend on which server happens to answer. Servers
//! that are replaced one by one differ for a while: so nobody stops being ready for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use secrecy::ExposeSecret as _;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::carrier::twilio::Sender;
use crate::chance::SystemChance;
use crate::config::{Config, policy_sections};
use crate::engine::policy::Policy;
use crate::exchange::Exchange;
use crate::exchange::fleet::{Member, Settings, fingerprint};
use crate::flow::FlowSet;
use crate::server::metrics::Metrics;
use crate::store::envelope::Vault;
use crate::{chance, limits};

/// Enough digits of a server's name to tell the few servers of a store apart.
const NAME_DIGITS: usize = 8;

/// The fingerprints of what stays as it is while a server runs.
pub(super) fn fixed(config: &Config) -> Settings {
    let print =
        |part: &str, texts: &[&[u8]]| (part.to_owned(), fingerprint(&config.vault, part, texts));
    let policy = in_order(&config.policy);
    let policy = policy_sections(&policy)
        .map(|(name, text)| print(&format!("policy.{name}"), &[text.as_bytes()]));
    let twilio = &config.twilio;
    let tokens = twilio.auth_tokens.iter().map(|token| token.expose_secret().as_bytes());
    let tokens = Vec::from_iter(tokens.collect::<BTreeSet<_>>());
    let (lines, sender) = (lines(config), sender(twilio.sender.as_ref()));
    let lines: Vec<_> = lines.iter().map(String::as_bytes).collect();
    let others = [
        print("lines", &lines),
        print("public_url", &[config.public_url.as_bytes()]),
        print("account_sid", &[twilio.account_sid.as_bytes()]),
        print("auth_tokens", &tokens),
        print("sender", &[sender.as_bytes()]),
        print("vouchers", &[config.voucher_key.to_string().as_bytes()]),
        print("peers", &[peers(config).as_bytes()]),
    ];
    policy.chain(others).collect()
}

/// The same policy, however the lists in it are written.
fn in_order(policy: &Policy) -> Policy {
    let mut policy = policy.clone();
    let contact = &mut policy.contact;
    for lines in [&mut contact.sms_line_types, &mut contact.voice_line_types] {
        lines.sort_unstable();
        lines.dedup();
    }
    contact.countries.sort_unstable();
    contact.countries.dedup();
    policy
}

/// Whom messages come from.
fn sender(sender: Option<&Sender>) -> String {
    match sender {
        Some(Sender::From(from)) => format!("from {from}"),
        Some(Sender::MessagingService(sid)) => format!("messaging service {sid}"),
        None => String::new(),
    }
}

fn lines(config: &Config) -> Vec<String> {
    let mut lines: Vec<_> = config.lines.by_number.iter().collect();
    lines.sort_unstable_by_key(|(number, _)| *number);
    let line = |(number, line): &(&String, &crate::config::Line)| {
        let crate::config::Line {
            flow,
            flow_place: _,
            number: own,
            fallback_number,
            overflow_number,
        } = line;
        format!("{number} {flow} {own:?} {fallback_number:?} {overflow_number:?}")
    };
    lines.iter().map(line).collect()
}

/// Whom a server asks, and what about.
fn peers(config: &Config) -> String {
    let mut text = String::new();
    match &config.directory {
        crate::config::Directory::File(_) => text.push_str("file\n"),
        crate::config::Directory::Http(peer) => {
            let _ = writeln!(text, "http {}", peer.url);
        }
    }
    for (name, peer) in &config.backends {
        let _ = writeln!(text, "{name} {}", peer.url);
    }
    if let Some(lookup) = &config.lookup {
        let crate::config::Lookup { peer, fields, unknown_may, callers } = lookup;
        let fields: BTreeSet<_> = fields.iter().collect();
        let _ = writeln!(text, "lookup {} {fields:?} {unknown_may} {callers}", peer.url);
    }
    if let Some(verify) = &config.verify {
        let _ = writeln!(text, "verify {} {}", verify.peer.url, verify.service_sid);
    }
    let _ = writeln!(text, "mail {}", config.smtp.is_some());
    text
}

/// The fingerprint of the flows in use: of their names and texts, wherever their files lie.
fn of_flows(flows: &FlowSet, vault: &Vault) -> String {
    let texts: BTreeMap<_, _> = flows.iter().map(|flow| (flow.name.as_str(), &flow.text)).collect();
    let texts = texts.iter().flat_map(|(name, text)| [name.as_bytes(), text.as_bytes()]);
    fingerprint(vault, "flows", &texts.collect::<Vec<_>>())
}

/// Sets anew in the settings what may have been read again.
fn read_again(settings: &mut Settings, exchange: &Exchange, flows: &mut Option<Arc<FlowSet>>) {
    let present = exchange.flows();
    if flows.as_ref().is_none_or(|known| !Arc::ptr_eq(known, &present)) {
        settings.insert("flows".into(), of_flows(&present, exchange.vault()));
        *flows = Some(present);
    }
    if let Some(text) = exchange.directory().digest() {
        let print = fingerprint(exchange.vault(), "accounts", &[&text]);
        settings.insert("accounts".into(), print);
    }
}

/// Tells who differs, until the server stops. One that has its store to itself has nobody to compare with.
pub(super) async fn watch(
    mut own: Settings,
    exchange: Arc<Exchange>,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    if !exchange.store().is_shared() {
        return;
    }
    let mut every = interval(limits::SERVERS_MEET_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut name = chance::id(&SystemChance).simple().to_string();
    name.truncate(NAME_DIGITS);
    let mut member = Member::new(name);
    let (mut flows, mut told, mut failed) = (None, BTreeMap::new(), false);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        read_again(&mut own, &exchange, &mut flows);
        metrics.tell_settings(&own);
        let others = match exchange.meet(&mut member, &own).await {
            Ok(others) => others,
            // Nothing is known of others: what was known stays. That a store is away is told elsewhere.
            Err(error) => {
                if !failed && !error.store_is_away() {
                    failed = true;
                    tracing::warn!(%error, "what the servers of this store have noted of themselves cannot be read");
                }
                continue;
            }
        };
        failed = false;
        metrics.servers.set(1_u64.saturating_add(others.len() as u64));
        let differ: BTreeMap<_, _> =
            others.into_iter().filter(|(_, parts)| !parts.is_empty()).collect();
        metrics.tell_differing(differ.values().flatten().cloned().collect());
        tell(&member.name, &told, &differ);
        told = differ;
    }
}

fn tell(
    server: &str,
    before: &BTreeMap<String, BTreeSet<String>>,
    now: &BTreeMap<String, BTreeSet<String>>,
) {
    for (other, parts) in now.iter().filter(|(other, parts)| before.get(*other) != Some(*parts)) {
        let parts = parts.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        tracing::warn!(
            server,
            other,
            parts,
            "another server of this store is set up otherwise: what callers get depends on which of them answers"
        );
    }
    if now.is_empty() && !before.is_empty() {
        tracing::info!(server, "all servers of this store that are there are set up alike");
    }
}

#[cfg(test)]
mod tests;
