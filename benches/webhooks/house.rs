//! callgate without its server: turns taken in this process, over a store that is measured.

use std::sync::Arc;

use callgate::chance::SystemChance;
use callgate::clock::SystemClock;
use callgate::diagnostic::{Problems, Sources};
use callgate::directory::Directory;
use callgate::directory::accounts::{Accounts, Secrets};
use callgate::engine::event::{Heard, Ring};
use callgate::engine::id::{CallId, Sid};
use callgate::engine::policy::Policy;
use callgate::engine::reply::{Reply, Verb};
use callgate::exchange::{Exchange, Parts, Request, Wants};
use callgate::flow::condition::Attestation;
use callgate::flow::{self, FlowSet};
use callgate::phone::PhoneNumber;
use callgate::secret::Secret;
use callgate::store::Store;
use callgate::store::envelope::Vault;

use super::call::{ACCOUNT_SID, ACCOUNTS, ENTRY, LINE, account, number};
use super::servers::STATE_KEY;

pub(crate) fn flows() -> FlowSet {
    let mut sources = Sources::default();
    sources.add("bench.toml", include_str!("flow.toml"));
    flow::read(&sources).0
}

pub(crate) fn vault() -> Vault {
    Vault::from_base64(STATE_KEY).expect("the key is the harness's own")
}

pub(crate) fn exchange(store: Arc<dyn Store>) -> Exchange {
    let ids = (0..ACCOUNTS).map(|n| format!("[[accounts]]\nid = \"{}\"\n", account(n)));
    let text: String = ids.collect();
    let problems = Problems::default();
    let accounts = Accounts::read(&"accounts".into(), &text, Secrets::Plain, &problems);
    Exchange::new(Parts {
        store,
        vault: vault(),
        directory: Arc::new(Directory::new(accounts)),
        clock: Arc::new(SystemClock),
        chance: Arc::new(SystemChance),
        policy: Policy::default(),
        flows: flows(),
    })
}

/// A caller who goes through the benchmark's call, turn by turn.
pub(crate) struct Caller {
    n: u64,
    sid: Sid,
    wants: Wants,
    turn: usize,
}

impl Caller {
    pub(crate) fn new(run: u64, n: u64) -> Self {
        let sid = Sid(format!("CA{run:016x}{n:016x}"));
        let wants = Wants::Ring(Box::new(ring(&sid, run, n)));
        Self { n, sid, wants, turn: 0 }
    }

    /// What is heard on the leg at this turn.
    pub(crate) fn heard(n: u64, turn: usize) -> Heard {
        let digits = match turn {
            0 => String::new(),
            1 => account(n as usize % ACCOUNTS),
            2 => ENTRY.to_owned(),
            _ => "1".to_owned(),
        };
        Heard { digits: Secret::new(digits), ..Heard::default() }
    }

    /// Takes one turn, as a webhook of the server does; `false`: it was the last.
    pub(crate) async fn turn(&mut self, exchange: &Exchange) -> bool {
        let call = CallId::of(ACCOUNT_SID, &self.sid);
        if let Wants::Ring(ring) = &mut self.wants
            && let Some(from) = &ring.from
        {
            ring.signals = exchange.signals(call, from).await;
        }
        let request = Request {
            call,
            sid: self.sid.clone(),
            wants: self.wants.clone(),
            heard: Self::heard(self.n, self.turn),
            fallback_number: None,
        };
        let (reply, _) = exchange.serve(&request).await.expect("the store answers");
        self.turn += 1;
        match next(&reply) {
            Some(wants) => {
                self.wants = wants;
                true
            }
            None => false,
        }
    }
}

pub(crate) fn ring(sid: &Sid, run: u64, n: u64) -> Ring {
    Ring {
        call: CallId::of(ACCOUNT_SID, sid),
        sid: sid.clone(),
        flow: "bench".into(),
        line: LINE.into(),
        from: PhoneNumber::parse(&number(run.wrapping_mul(10_000_000).wrapping_add(n))),
        attestation: Attestation::A,
        forwarded: false,
        signals: std::collections::BTreeSet::new(),
    }
}

fn next(reply: &Reply) -> Option<Wants> {
    reply.verbs.iter().find_map(|verb| match verb {
        Verb::Gather(gather) => Some(Wants::Turn(gather.action)),
        _ => None,
    })
}
