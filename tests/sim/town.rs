//! The servers, and the provider's way to them: requests that are sent again, twice, or elsewhere.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use callgate::carrier::signature;
use callgate::engine::id::{CallId, Nonce, Sid};
use secrecy::SecretString;
use tokio::time::Instant;

use super::oracle::{Answered, Who};
use super::server::Server;
use super::world::{PUBLIC_URL, World};
use crate::support::provider::AUTH_TOKEN;

/// How long the provider waits for an answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// What no answer of ours takes: the turn's deadline, and the network's time.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// A request of the provider.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) who: Who,
    pub(crate) sid: Sid,
    pub(crate) call: CallId,
    pub(crate) nonce: Option<Nonce>,
    pub(crate) path: String,
    pub(crate) form: Vec<(String, String)>,
    /// Whether the leg itself asks, and hears the answer.
    pub(crate) own: bool,
}

/// The town.
pub(crate) struct Town {
    pub(crate) world: Arc<World>,
    pub(crate) servers: RefCell<Vec<Option<Rc<Server>>>>,
    /// The code that a customer was told last.
    pub(crate) memory: RefCell<HashMap<usize, String>>,
    /// What an attacker may have seen go by.
    pub(crate) seen: RefCell<Vec<Request>>,
    /// Legs that are up.
    pub(crate) up: Cell<usize>,
}

impl Town {
    pub(crate) fn new(world: Arc<World>) -> Rc<Self> {
        Rc::new(Self {
            world,
            servers: RefCell::default(),
            memory: RefCell::default(),
            seen: RefCell::default(),
            up: Cell::new(0),
        })
    }

    fn any_server(&self) -> Option<Rc<Server>> {
        let servers = self.servers.borrow();
        let alive: Vec<_> = servers.iter().flatten().collect();
        (!alive.is_empty()).then(|| alive[self.world.dice.index(alive.len())].clone())
    }

    /// Sends a request once; `None`: there is no answer to be had.
    async fn send(&self, request: &Request) -> Option<(u16, String)> {
        let dice = &self.world.dice;
        tokio::time::sleep(dice.ms(1, 30)).await;
        let server = self.any_server()?;
        let url = format!("{PUBLIC_URL}{}", request.path);
        let signed = signature::sign(&SecretString::from(AUTH_TOKEN), &url, &request.form);
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        let body = body.extend_pairs(&request.form).finish();
        let asked = Instant::now();
        let answer = server.post(&request.path, &body, &signed);
        let answer = tokio::time::timeout(PATIENCE, answer).await.ok().flatten();
        if answer.is_some() && asked.elapsed() > ANSWER_MAX {
            self.world.oracle.violated(format!("an answer took {:?}", asked.elapsed()));
        }
        tokio::time::sleep(dice.ms(1, 30)).await;
        answer.filter(|_| !self.world.fails(40))
    }

    /// Asks for an answer that a leg can hear; `None`: there is none to be had.
    pub(crate) async fn ask(&self, request: &Request) -> Option<String> {
        let world = &self.world;
        let (asked, disturbed) = (Instant::now(), world.oracle.disturbances(request.call));
        let (status, document) = self.send(request).await?;
        if status != 200 {
            world.oracle.violated(format!("{} was answered with {status}", request.path));
            return None;
        }
        let Request { who, ref sid, call, nonce, own, .. } = *request;
        let document_ = document.as_str();
        let answered =
            Answered { who, sid, call, nonce, own, asked, disturbed, document: document_ };
        world.oracle.answered(world, answered).await;
        Some(document)
    }

    /// Reports something that asks for no answer: late, twice, or never.
    pub(crate) fn report(self: &Rc<Self>, request: &Request, after: Duration) {
        let world = &self.world;
        if world.fails(150) {
            return;
        }
        let times = if world.fails(150) { 2 } else { 1 };
        for _ in 0..times {
            let (town, request) = (self.clone(), request.clone());
            let after = after + world.dice.ms(0, 1_500);
            tokio::task::spawn_local(async move {
                tokio::time::sleep(after).await;
                if let Some((status, _)) = town.send(&request).await
                    && status != 204
                {
                    let path = &request.path;
                    town.world.oracle.violated(format!("{path} was answered with {status}"));
                }
            });
        }
    }
}
