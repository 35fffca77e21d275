//! Whether the servers of one store are set up alike: logged, counted and shown as ready tells it.
//!
//! What a caller may try, where a call leads and who is known must not depend on which server happens to answer. Servers
//! that are replaced one by one differ for a while: so nobody stops being ready for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use secrecy::ExposeSecret as _;
use tokio_util::sync::CancellationToken;

use crate::chance::SystemChance;
use crate::config::{Config, policy_sections};
use crate::exchange::Exchange;
use crate::exchange::fleet::{Member, Settings};
use crate::server::metrics::Metrics;
use crate::{chance, limits};

/// Enough digits of a server's name to tell the few servers of a store apart.
const NAME_DIGITS: usize = 8;

/// The parts of the settings that stay as they are while a server runs, as text that only a fingerprint is made of.
#[derive(Debug, Default)]
pub(super) struct Parts(Vec<(String, Vec<String>)>);

impl Parts {
    pub(super) fn of(config: &Config) -> Self {
        let policy = policy_sections(&config.policy);
        let policy = policy.map(|(name, text)| (format!("policy.{name}"), vec![text]));
        let twilio = &config.twilio;
        let mut tokens: Vec<_> =
            twilio.auth_tokens.iter().map(|token| token.expose_secret().to_owned()).collect();
        tokens.sort_unstable();
        let others = [
            ("lines", lines(config)),
            ("public_url", vec![config.public_url.clone()]),
            ("account_sid", vec![twilio.account_sid.clone()]),
            ("auth_tokens", tokens),
            ("vouchers", vec![config.voucher_key.to_string()]),
            ("peers", peers(config)),
        ];
        let others = others.into_iter().map(|(name, texts)| (name.to_owned(), texts));
        Self(policy.chain(others).collect())
    }

    fn settings(&self, exchange: &Exchange) -> Settings {
        let print = |(part, texts): &(String, Vec<String>)| {
            let texts: Vec<_> = texts.iter().map(String::as_bytes).collect();
            (part.clone(), exchange.fingerprint(part, &texts))
        };
        self.0.iter().map(print).collect()
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
fn peers(config: &Config) -> Vec<String> {
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
        let _ = writeln!(text, "lookup {} {fields:?} {unknown_may} {callers}", peer.url);
    }
    if let Some(verify) = &config.verify {
        let _ = writeln!(text, "verify {} {}", verify.peer.url, verify.service_sid);
    }
    let _ = writeln!(text, "mail {}", config.smtp.is_some());
    vec![text]
}

/// The fingerprints of it all, with what may be read again while the server runs.
fn settings(parts: &Parts, exchange: &Exchange) -> Settings {
    let mut all = parts.settings(exchange);
    let flows = super::watch::versions(exchange);
    let flows: Vec<_> =
        flows.iter().flat_map(|(flow, version)| [flow.as_bytes(), version.as_bytes()]).collect();
    all.insert("flows".into(), exchange.fingerprint("flows", &flows));
    if let Some(text) = exchange.directory().digest() {
        all.insert("accounts".into(), exchange.fingerprint("accounts", &[&text]));
    }
    all
}

/// Tells who differs, until the server stops.
pub(super) async fn watch(
    parts: Parts,
    exchange: Arc<Exchange>,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    let mut every = tokio::time::interval(limits::SERVERS_MEET_EVERY);
    let mut name = chance::id(&SystemChance).simple().to_string();
    name.truncate(NAME_DIGITS);
    let mut member = Member::new(name);
    let mut told = BTreeMap::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        let own = settings(&parts, &exchange);
        metrics.tell_settings(&own);
        if !exchange.store().is_shared() {
            continue;
        }
        // If the store does not answer, nothing is known of others: what was known stays.
        let Ok(others) = exchange.meet(&mut member, &own).await else { continue };
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
