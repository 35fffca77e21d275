//! The business's own back ends, which `lookup` states ask: `POST {url}/{path} {"account", "proved", "values"}`
//! is answered with a JSON object that contains the values asked for.

use std::collections::BTreeMap;

use async_trait::async_trait;
use tokio::time::Instant;

use super::{Failure, Peer};
use crate::engine::question::LookUp;
use crate::flow::name::VariableName;
use crate::flow::value::Value;
use crate::limits;
use crate::telemetry::{Outside, OutsideCounter, Peer as Of};

/// Whoever answers look-ups: back ends over HTTP, or a transcript.
#[async_trait]
pub trait Backends: Send + Sync + std::fmt::Debug {
    /// Asks once; `key` names the question, for a back end that must not do something twice. `None`: no useful
    /// answer came before `until`.
    async fn ask(
        &self,
        question: &LookUp,
        key: &str,
        until: Instant,
    ) -> Option<BTreeMap<VariableName, Value>>;
}

/// Back ends over HTTP, by the names that the configuration gives them.
#[derive(Debug)]
pub struct HttpBackends {
    peers: BTreeMap<String, Peer>,
    asked: OutsideCounter,
}

impl HttpBackends {
    /// These back ends, with their requests counted.
    pub fn new(peers: BTreeMap<String, Peer>, asked: OutsideCounter) -> Self {
        Self { peers, asked }
    }
}

#[async_trait]
impl Backends for HttpBackends {
    async fn ask(
        &self,
        question: &LookUp,
        key: &str,
        until: Instant,
    ) -> Option<BTreeMap<VariableName, Value>> {
        let (backend, path) = (&question.backend, &question.path);
        let Some(peer) = self.peers.get(backend) else {
            tracing::error!(backend, path, "the configuration names no such back end");
            self.asked.count(Of::Backend, Outside::Failed);
            return None;
        };
        let body = question.body();
        let asked = peer.ask(path, Some(key), &body, limits::LOOKUP_BYTES_MAX);
        let answer = tokio::time::timeout_at(until, asked).await.unwrap_or(Err(Failure::Late));
        match answer {
            Ok(answer) => {
                let found = question.read(&answer);
                if found.is_none() {
                    tracing::warn!(backend, path, "a back end's answer lacks what was asked for");
                }
                let outcome = if found.is_some() { Outside::Done } else { Outside::Failed };
                self.asked.count(Of::Backend, outcome);
                found
            }
            Err(failure) => {
                tracing::warn!(backend, path, %failure, "a back end did not answer");
                let refused = matches!(failure, Failure::Status(400..500));
                let outcome = if refused { Outside::Refused } else { Outside::Failed };
                self.asked.count(Of::Backend, outcome);
                None
            }
        }
    }
}
