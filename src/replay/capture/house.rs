//! A house of its own for a capture: the real server on a port of this machine, a store in memory, and a
//! carrier that does everything at once.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, web};
use jiff::Timestamp;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::Captured;
use crate::carrier::signature::{Bases, Keys, sign};
use crate::chance::SeededChance;
use crate::clock::VirtualClock;
use crate::config::Lines;
use crate::directory::Directory;
use crate::engine::call::Call;
use crate::engine::id::CallId;
use crate::engine::policy::Policy;
use crate::engine::question::Verdict;
use crate::exchange::{Exchange, ExchangeError, Parts};
use crate::flow::FlowSet;
use crate::flow::state::Kind;
use crate::limits;
use crate::outbox::Outbox;
use crate::replay::world::{Message, World};
use crate::server::metrics::Metrics;
use crate::server::{self, Gate, Kept};
use crate::store::envelope::Vault;
use crate::store::memory::MemoryStore;
use crate::telemetry::Few;

/// The server answers within its own deadline; this is for one that does not answer at all.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a house is set up with.
#[derive(Debug)]
pub struct Blueprint {
    /// The flows.
    pub flows: FlowSet,
    /// Where the numbers lead.
    pub lines: Lines,
    /// The customers.
    pub directory: Arc<Directory>,
    /// What their secrets are hashed with.
    pub vault: Vault,
    /// How often anything may be tried.
    pub policy: Policy,
    /// The provider's account; `None`: whichever.
    pub account_sid: Option<String>,
    /// What the provider signs with: one, or several while one replaces another.
    pub tokens: Vec<SecretString>,
    /// What the provider knew us by.
    pub public_url: String,
    /// When it begins.
    pub clock: Timestamp,
}

/// The house.
#[derive(Debug)]
pub struct House {
    exchange: Arc<Exchange>,
    outbox: Arc<Outbox>,
    world: Arc<World>,
    keys: Keys,
    token: SecretString,
    public_url: String,
    address: SocketAddr,
    server: ServerHandle,
}

/// Why a house cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum HouseError {
    /// The request is not to be posted.
    #[error("{0}")]
    Request(String),
    /// The token is empty.
    #[error("the token is empty: nothing can be checked with it")]
    NoToken,
    /// It cannot be set up or reached.
    #[error("the server cannot be reached: {0}")]
    Server(#[from] std::io::Error),
    /// The call cannot be read.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
}

impl House {
    /// Sets it up within a runtime, and serves until it is closed.
    pub fn open(blueprint: Blueprint) -> Result<Self, HouseError> {
        let keys = Keys::new(&blueprint.tokens).ok_or(HouseError::NoToken)?;
        let token = blueprint.tokens.into_iter().next().ok_or(HouseError::NoToken)?;
        let world = Arc::new(World::with_codes_of(blueprint.policy.otp.digits));
        let exchange = Exchange::new(Parts {
            store: Arc::new(MemoryStore::new()),
            vault: blueprint.vault,
            directory: blueprint.directory,
            clock: Arc::new(VirtualClock::at(blueprint.clock)),
            chance: Arc::new(SeededChance::new(1)),
            policy: blueprint.policy,
            flows: blueprint.flows,
        });
        let exchange = exchange.asking(world.clone()).looking_up(world.clone(), false);
        let exchange = Arc::new(exchange.verifying_with(world.clone()));
        let metrics = Arc::new(Metrics::default().with(exchange.guards(), exchange.tally()));
        let outbox = Outbox::new(exchange.clone(), world.clone(), Some(world.clone()));
        let shared = web::Data::new(server::House {
            exchange: exchange.clone(),
            metrics: metrics.clone(),
            lines: blueprint.lines,
            keys: keys.clone(),
            bases: Bases::of(&blueprint.public_url),
            public_url: blueprint.public_url.clone(),
            account_sid: blueprint.account_sid,
            admin_tokens: Vec::new(),
            gate: Gate::new(metrics.turns_in_progress.clone(), limits::TURNS_IN_PROGRESS),
            kept: Kept::default(),
            refusals: Few::default(),
            outbox: outbox.clone(),
            stop: CancellationToken::new(),
            drain: Duration::ZERO,
        });
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let app = move || App::new().app_data(shared.clone()).configure(server::webhooks);
        let server = HttpServer::new(app).workers(1).disable_signals().listen(listener)?.run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self {
            outbox,
            exchange,
            world,
            keys,
            token,
            public_url: blueprint.public_url,
            address,
            server: handle,
        })
    }

    /// Stops serving.
    pub async fn close(self) {
        self.server.stop(true).await;
    }

    /// What the provider knew us by.
    pub(super) fn public_url(&self) -> &str {
        &self.public_url
    }

    /// Whether a request is the provider's.
    pub fn signed(&self, target: &str, fields: &[(String, String)], signature: &str) -> bool {
        self.keys.verify(&Bases::of(&self.public_url), target, fields, signature)
    }

    /// The signature of a request that was changed after it was captured.
    pub(super) fn sign(&self, target: &str, fields: &[(String, String)]) -> String {
        let base = self.public_url.trim_end_matches('/');
        sign(&self.token, &format!("{base}{target}"), fields)
    }

    /// A call as it stands.
    pub async fn call(&self, call: Option<CallId>) -> Result<Option<Call>, HouseError> {
        let Some(call) = call else { return Ok(None) };
        Ok(self.exchange.load(call).await?.map(|loaded| loaded.call))
    }

    /// How many turns a call has had that waits for a code; `None`: it waits for none.
    pub(super) async fn waits_for_code(
        &self,
        call: Option<CallId>,
    ) -> Result<Option<usize>, HouseError> {
        let Some(call) = self.call(call).await? else { return Ok(None) };
        let flows = self.exchange.flows_of(&call).await?;
        let flow = flows.get(call.at.flow.as_str());
        let state = flow.and_then(|flow| flow.state(&call.at.state));
        let waits = state.is_some_and(|state| {
            matches!(
                state.kind,
                Kind::GatherOtp(_) | Kind::GatherServiceCode(_) | Kind::Callback(_)
            )
        });
        Ok(if waits { Some(self.exchange.journal(call.id).await?.len()) } else { None })
    }

    /// Whether an entry was found to be wrong after the first so many turns of a call.
    pub(super) async fn judged_wrong_since(
        &self,
        call: Option<CallId>,
        turns: usize,
    ) -> Result<bool, HouseError> {
        let Some(call) = call else { return Ok(false) };
        let journal = self.exchange.journal(call).await?;
        let mut answers = journal.iter().skip(turns).flat_map(|entry| &entry.answers);
        Ok(answers.any(|answer| answer.verdict() == Some(Verdict::Wrong)))
    }

    /// Does what is due outside.
    pub(super) async fn settle(&self) -> Result<(), HouseError> {
        self.outbox.drain().await?;
        Ok(())
    }

    /// The messages sent for a call, oldest first.
    pub(super) fn messages(&self, call: CallId) -> Vec<Message> {
        self.world.messages(call)
    }

    /// Posts a request, and returns the status and the body of the answer.
    pub(super) async fn post(&self, request: &Captured) -> Result<(u16, String), HouseError> {
        let (address, bytes) = (self.address, bytes_of(request));
        let answered = tokio::task::spawn_blocking(move || exchange(address, &bytes)).await;
        Ok(answered.map_err(std::io::Error::other)??)
    }
}

/// The request on the wire.
fn bytes_of(request: &Captured) -> Vec<u8> {
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
    for (name, value) in &request.headers {
        let ours = ["connection", "content-length", "expect", "transfer-encoding"];
        if !ours.contains(&name.to_ascii_lowercase().as_str()) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    head.push_str(&format!("Content-Length: {}\r\nConnection: close\r\n\r\n", request.body.len()));
    [head.as_bytes(), &request.body].concat()
}

fn exchange(address: SocketAddr, request: &[u8]) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let other = |what: &str| std::io::Error::other(what.to_owned());
    match response.parse(&answer).map_err(std::io::Error::other)? {
        httparse::Status::Complete(head) => {
            let body = String::from_utf8_lossy(answer.get(head..).unwrap_or_default());
            Ok((response.code.unwrap_or_default(), body.into_owned()))
        }
        httparse::Status::Partial => Err(other("the answer is cut off")),
    }
}
