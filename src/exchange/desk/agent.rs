//! What a specialist sees of a call: what was proved, and the fields that it allows.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::engine::account::Claim;
use crate::engine::audit::Proving;
use crate::engine::call::{Asked, Call, Frame, Position};
use crate::engine::id::CallId;
use crate::exchange::{Exchange, ExchangeError};
use crate::flow::level::{Fact, Facts};
use crate::flow::name::FieldName;
use crate::flow::state::Kind;
use crate::flow::{Flow, FlowSet};

/// A call as a specialist sees it.
#[derive(Debug, Serialize)]
pub struct Seen {
    /// The call.
    pub id: String,
    /// The language spoken.
    pub locale: String,
    /// The facts proved, and how many seconds ago.
    pub age_s: Map<String, Value>,
    /// Those of them that a web session with one factor has made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub one_factor: Vec<Fact>,
    /// The levels met now.
    pub levels: Vec<String>,
    /// What the transfer shares and the facts allow, while the caller is handed over.
    pub shared: Map<String, Value>,
    /// What was asked for last.
    pub step_up: Option<Told>,
    /// Whether the call is over.
    pub over: bool,
}

/// What a specialist is told about a step-up that was asked for: pending, passed or failed.
#[derive(Debug, Serialize)]
pub struct Told {
    /// Its name.
    pub id: String,
    /// The level.
    pub level: String,
    /// What came of it.
    pub result: Proving,
}

impl From<&Asked> for Told {
    fn from(asked: &Asked) -> Self {
        Self { id: asked.id.to_string(), level: asked.level.to_string(), result: asked.result }
    }
}

impl Exchange {
    /// A call as a specialist sees it; `Ok(None)`: there is no such call.
    pub async fn seen_by_agent(&self, id: CallId) -> Result<Option<Seen>, ExchangeError> {
        let Some(loaded) = self.load(id).await? else { return Ok(None) };
        let call = &loaded.call;
        let flows = self.flows_of(call).await?;
        let now = call.seen.map_or(self.clock.now(), |seen| seen.max(self.clock.now()));
        let own = flows.get(call.flow.as_str());
        let over = call.end.is_some();
        let told = told(call);
        // Facts end with the call.
        let facts = if over { Facts::default() } else { told.clone() };
        let met = |flow: &Flow, level| {
            flow.levels.get(level).is_some_and(|level| level.is_met(&facts, now, call.risk()))
        };
        let levels = own.into_iter().flat_map(|flow| {
            flow.levels.keys().filter(|level| met(flow, *level)).map(ToString::to_string)
        });
        let may = |field: &FieldName| {
            own.is_some_and(|flow| flow.disclose.get(field).is_some_and(|level| met(flow, level)))
        };
        let named = if over { Vec::new() } else { shares(&flows, call) };
        let named: Vec<_> = named.into_iter().filter(|field| may(field)).collect();
        let age_s = told.0.iter().map(|(fact, proof)| {
            let age_s = now.duration_since(proof.at).as_secs().max(0);
            (fact.to_string(), age_s.into())
        });
        let age_s = age_s.collect();
        Ok(Some(Seen {
            id: id.to_string(),
            locale: call.locale.to_string(),
            age_s,
            one_factor: told.by_one_factor().collect(),
            levels: levels.collect(),
            shared: self.values(call, &named).await?,
            step_up: call.agent_step_up.as_ref().map(Told::from),
            over,
        }))
    }

    async fn values(
        &self,
        call: &Call,
        named: &[FieldName],
    ) -> Result<Map<String, Value>, ExchangeError> {
        let (Claim::Account(id), false) = (&call.claim, named.is_empty()) else {
            return Ok(Map::new());
        };
        let customer = self.directory.by_id(id.expose()).await?;
        let value = |field: &FieldName| {
            let value = customer.as_ref()?.account.fields.get(field.as_str())?;
            Some((field.to_string(), value.shown().json()))
        };
        Ok(named.iter().filter_map(value).collect())
    }
}

/// The facts that a specialist is told of. Of what the caller proves away from them only the result is told, when they
/// are back.
fn told(call: &Call) -> Facts {
    let before = call.agent_step_up.as_ref().and_then(|asked| asked.before.clone());
    let Some(mut facts) = before else { return call.facts.clone() };
    facts.0.retain(|fact, _| call.facts.has(*fact));
    facts
}

/// What the caller is away to prove.
fn pending(call: &Call) -> Option<&Asked> {
    call.agent_step_up.as_ref().filter(|asked| asked.result == Proving::Pending)
}

/// The fields that the transfer names in which the caller is, or which the caller has left to prove something.
fn shares(flows: &FlowSet, call: &Call) -> Vec<FieldName> {
    let left = call.frames.iter().rev().find_map(|frame| match frame {
        Frame::Agent(at) => Some(at),
        _ => None,
    });
    let transfer = |at: &Position| match &flows.get(at.flow.as_str())?.state(&at.state)?.kind {
        Kind::Transfer(transfer) => Some(transfer),
        _ => None,
    };
    let found =
        transfer(&call.at).or_else(|| left.filter(|_| pending(call).is_some()).and_then(transfer));
    let share = found.map(|transfer| transfer.share.as_slice()).unwrap_or_default();
    share.iter().map(|(field, _)| field.clone()).collect()
}
