//! The way to Redis: connections per runtime, made anew by themselves.
//!
//! Each worker of the server has a runtime of its own; using the connection of another runtime would cost every
//! question two more changes of thread. Waiting for replicas delays everything that comes after it on the same
//! connection: so it has a few connections of its own, which take turns.
//!
//! A question is sent once, and a second time only if that cannot do anything twice: either nothing had been
//! sent, or the question may be repeated. (A cluster's connection follows its slots and repeats by itself: a
//! compare-and-set then loses its own race, and is asked again.) What is said of an error never contains a value.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use ::redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use ::redis::cluster::{ClusterClient, ClusterConfig};
use ::redis::cluster_async::ClusterConnection;
use ::redis::cluster_routing::{
    MultipleNodeRoutingInfo, Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr,
};
use ::redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use ::redis::{
    Client, Cmd, ConnectionAddr, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult,
    Script, ServerErrorKind, Value, from_redis_value,
};
use arc_swap::ArcSwap;
use futures_util::future::try_join_all;
use tokio::runtime::{Handle, Id as RuntimeId};
use tokio::sync::{Mutex, OnceCell};
use tokio::time::Instant;

use super::super::{OpenError, Options, Replicas, StoreError};
use super::address::{self, Address, Sentinels};
use super::told::{code, late, told, unreadable};
use crate::limits::{
    STORE_ANSWER_TIMEOUT, STORE_CONNECT_TIMEOUT, STORE_QUESTION_TIMEOUT, STORE_WAITS_ON,
};

/// Connection attempts after the first; the next question begins anew.
const RECONNECTIONS: usize = 1;
/// How often a cluster is asked again while it moves a slot or chooses a new primary.
const CLUSTER_RETRIES: u32 = 6;
/// Milliseconds between them, at least and at most.
const CLUSTER_RETRY_WAIT_MS: (u64, u64) = (20, 400);
/// A connection to a cluster that is younger than this is not replaced when an answer does not come.
const CLUSTER_SETTLES: Duration = Duration::from_secs(3);

pub(super) struct Link {
    address: Address,
    options: Options,
    connections: ArcSwap<HashMap<(RuntimeId, Lane), Arc<Connection>>>,
    /// How many have waited for replicas.
    waited: AtomicUsize,
}

/// Which connection of a runtime: the first, or one of those that wait for replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Lane {
    First,
    Waits(usize),
}

/// A connection, or several that act as one.
enum Connection {
    One(ConnectionManager),
    /// Made once the Sentinels have said which server is the primary.
    Primary(Box<Sentinels>, OnceCell<Arc<Primary>>),
    Cluster(ClusterConnection, Instant),
}

/// The primary that Sentinels have named.
struct Primary {
    at: ConnectionAddr,
    manager: ConnectionManager,
    /// Whom to ask whether it still is one.
    sentinels: Mutex<SentinelClient>,
    named: Instant,
    /// The second, counted from then, in which they were asked last.
    asked: AtomicU64,
    /// They have named another one.
    replaced: AtomicBool,
}

/// What is sent to Redis.
#[derive(Clone, Copy)]
pub(super) enum Question<'a> {
    /// A script, and a call of it.
    Script(&'a Script, &'a Cmd),
    Pipeline(&'a Pipeline),
    /// Something that writes, and then waits, on the same connection to the server that has its slot, until so
    /// many replicas have it: both answers. Another connection knows nothing of what was written on this one, and
    /// after a fail-over may lead to a server that has none of it.
    Replicated(Writes<'a>, u16, Replicas),
    /// To every primary.
    Everywhere(&'a Cmd),
}

/// What is written.
#[derive(Clone, Copy)]
pub(super) enum Writes<'a> {
    /// By a script, and one call of it.
    Script(&'a Script, &'a Cmd),
    Command(&'a Cmd),
}

/// Whether a question may be sent again that may have been answered already.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It reads, or does nothing the second time.
    May,
    /// The second answer would be another.
    MustNot,
}

impl Link {
    /// Connects only when Redis is needed.
    pub(super) fn new(url: &str, options: Options) -> Result<Self, OpenError> {
        let address = Address::parse(url, &options)?;
        if options.ca_pem.as_deref().is_some_and(|pem| !address::is_authority(pem)) {
            return Err(OpenError::Authority);
        }
        options.client.as_ref().map_or(Ok(()), address::check_client)?;
        let (connections, waited) = (ArcSwap::default(), AtomicUsize::new(0));
        let link = Self { address, options, connections, waited };
        // Errors of the address are found now, not at the first call.
        match &link.address {
            Address::One(_) => link.connect().map(drop).map_err(|_| OpenError::RedisAddress),
            Address::Sentinels(sentinels) => {
                link.sentinel_client(sentinels).map(drop).map_err(|_| OpenError::SentinelAddress)
            }
            Address::Cluster(_) => link.connect().map(drop).map_err(|_| OpenError::ClusterAddress),
        }?;
        Ok(link)
    }

    /// The certificates that we show to servers, in PEM.
    pub(super) fn our_certificates(&self) -> Option<&[u8]> {
        self.options.client.as_ref().map(|client| client.chain_pem.as_slice())
    }

    pub(super) async fn ask<T: FromRedisValue>(
        &self,
        question: Question<'_>,
        again: Again,
    ) -> Result<T, StoreError> {
        let lane = match question {
            Question::Replicated(..) => {
                Lane::Waits(self.waited.fetch_add(1, Ordering::Relaxed) % STORE_WAITS_ON)
            }
            _ => Lane::First,
        };
        let mut connection = self.connection(lane).map_err(|error| told(&error))?;
        connection.look_at_the_primary();
        let asked = async {
            match self.put(&connection, question, again).await {
                // Nobody is there any more, and nothing was sent: the Sentinels may name another primary by now.
                Err(error) if error.is_connection_refusal() && connection.is_of_sentinels() => {
                    self.forget(&connection);
                    connection = self.connection(lane)?;
                    self.put(&connection, question, again).await
                }
                answer => answer,
            }
        };
        match tokio::time::timeout(STORE_QUESTION_TIMEOUT, asked).await {
            Ok(Ok(value)) => from_redis_value(value).map_err(|_| unreadable()),
            Ok(Err(error)) => {
                if connection.is_stuck_after(&error) {
                    self.forget(&connection);
                }
                Err(told(&error))
            }
            Err(_) => {
                if connection.is_stuck_after_silence() {
                    self.forget(&connection);
                }
                Err(late())
            }
        }
    }

    /// These things, grouped as one script may touch them together: all of them, or in a cluster each by itself,
    /// so that the others are answered where a part of it is away.
    pub(super) fn together<'k, T>(&self, things: &'k [T]) -> impl Iterator<Item = &'k [T]> {
        let clustered = matches!(self.address, Address::Cluster(_));
        things.chunks(if clustered { 1 } else { things.len().max(1) })
    }

    /// This runtime's connection.
    fn connection(&self, lane: Lane) -> RedisResult<Arc<Connection>> {
        let own = (Handle::current().id(), lane);
        match self.connections.load().get(&own) {
            Some(connection) if connection.is_replaced() => self.forget(connection),
            Some(connection) => return Ok(connection.clone()),
            None => {}
        }
        let made = Arc::new(self.connect()?);
        self.connections.rcu(|connections| {
            let mut connections = HashMap::clone(connections);
            connections.entry(own).or_insert_with(|| made.clone());
            connections
        });
        let connections = self.connections.load();
        Ok(connections.get(&own).cloned().unwrap_or(made))
    }

    /// Drops this connection: the next question makes a new one.
    fn forget(&self, used: &Arc<Connection>) {
        self.connections.rcu(|connections| {
            let mut connections = HashMap::clone(connections);
            connections.retain(|_, connection| !Arc::ptr_eq(connection, used));
            connections
        });
    }

    /// Connects to nobody yet.
    fn connect(&self) -> RedisResult<Connection> {
        match &self.address {
            Address::One(info) => Ok(Connection::One(manager(&self.client((**info).clone())?)?)),
            Address::Sentinels(sentinels) => {
                Ok(Connection::Primary(sentinels.clone(), OnceCell::new()))
            }
            Address::Cluster(nodes) => {
                let (least, most) = CLUSTER_RETRY_WAIT_MS;
                let mut cluster = ClusterClient::builder(nodes.iter().cloned())
                    .connection_timeout(STORE_CONNECT_TIMEOUT)
                    .response_timeout(STORE_ANSWER_TIMEOUT)
                    .overall_response_timeout(Some(STORE_QUESTION_TIMEOUT))
                    .retries(CLUSTER_RETRIES)
                    .min_retry_wait(least)
                    .max_retry_wait(most)
                    .retry_wait_formula(2, least)
                    .tcp_settings(address::tcp());
                if let Some(certificates) = address::certificates(&self.options) {
                    cluster = cluster.certs(certificates);
                }
                let cluster = cluster.build()?;
                let cluster =
                    cluster.get_pending_async_connection_with_config(ClusterConfig::default());
                Ok(Connection::Cluster(cluster, Instant::now()))
            }
        }
    }

    fn client(&self, info: ::redis::ConnectionInfo) -> RedisResult<Client> {
        match address::certificates(&self.options) {
            Some(certificates) if address::tls(&info).is_some() => {
                Client::build_with_tls(info, certificates)
            }
            _ => Client::open(info),
        }
    }

    fn sentinel_client(&self, sentinels: &Sentinels) -> RedisResult<SentinelClient> {
        let Sentinels { at, user, password, primary, server } = sentinels;
        let kind = SentinelServerType::Master;
        let redis = server.redis_settings();
        let mut client = SentinelClientBuilder::new(at.iter().cloned(), primary, kind)?
            .set_client_to_redis_db(redis.db())
            .set_client_to_redis_protocol(::redis::ProtocolVersion::RESP3)
            .set_client_to_redis_tcp_settings(server.tcp_settings().clone());
        if let Some(user) = redis.username() {
            client = client.set_client_to_redis_username(user);
        }
        if let Some(password) = redis.password() {
            client = client.set_client_to_redis_password(password);
        }
        if let Some(user) = user {
            client = client.set_client_to_sentinel_username(user);
        }
        if let Some(password) = password {
            client = client.set_client_to_sentinel_password(password);
        }
        if let Some(tls) = address::tls(server) {
            client = client.set_client_to_redis_tls_mode(tls).set_client_to_sentinel_tls_mode(tls);
        }
        if let Some(certificates) = address::certificates(&self.options) {
            client = client
                .set_client_to_redis_certificates(certificates.clone())
                .set_client_to_sentinel_certificates(certificates);
        }
        client.build()
    }

    /// Asks the Sentinels who the primary is.
    async fn primary(&self, sentinels: &Sentinels) -> RedisResult<Arc<Primary>> {
        let mut sentinels = self.sentinel_client(sentinels)?;
        let client = sentinels.async_get_client().await?;
        Ok(Arc::new(Primary {
            at: client.get_connection_info().addr().clone(),
            manager: manager(&client)?,
            sentinels: Mutex::new(sentinels),
            named: Instant::now(),
            asked: AtomicU64::new(0),
            replaced: AtomicBool::new(false),
        }))
    }

    async fn put(
        &self,
        connection: &Connection,
        question: Question<'_>,
        again: Again,
    ) -> RedisResult<Value> {
        match connection {
            Connection::One(manager) => put(manager, question, again).await,
            Connection::Primary(sentinels, primary) => {
                let primary = primary.get_or_try_init(|| self.primary(sentinels)).await?;
                put(&primary.manager, question, again).await
            }
            Connection::Cluster(cluster, _) => put_to_cluster(cluster.clone(), question).await,
        }
    }
}

impl Connection {
    /// A manager reconnects by itself, but keeps a connection whose log-in was refused, or whose server has
    /// become a replica in a fail-over, or is gone.
    fn is_stuck_after(&self, error: &RedisError) -> bool {
        let refused = error.kind() == ErrorKind::AuthenticationFailed
            || matches!(code(error).as_deref(), Some("WRONGPASS" | "NOAUTH" | "READONLY"));
        let gone = error.is_io_error() || error.is_timeout() || error.is_connection_dropped();
        match self {
            Self::One(_) => refused,
            Self::Cluster(..) => refused || error.is_timeout() && self.is_stuck_after_silence(),
            Self::Primary(..) => refused || gone || code(error).as_deref() == Some("MASTERDOWN"),
        }
    }

    fn is_of_sentinels(&self) -> bool {
        matches!(self, Self::Primary(..))
    }

    /// Checks now and then, while the primary is in use, whether it still is one.
    fn look_at_the_primary(&self) {
        let Self::Primary(_, primary) = self else { return };
        if let Some(primary) = primary.get().filter(|primary| primary.is_to_be_looked_at()) {
            let primary = primary.clone();
            tokio::spawn(async move { primary.look().await });
        }
    }

    fn is_replaced(&self) -> bool {
        let Self::Primary(_, primary) = self else { return false };
        primary.get().is_some_and(|primary| primary.replaced.load(Ordering::Relaxed))
    }

    /// A server that falls silent would be asked for ever, even when another one has long taken its place: only a
    /// new connection finds that out.
    fn is_stuck_after_silence(&self) -> bool {
        match self {
            Self::One(_) => false,
            Self::Cluster(_, made) => made.elapsed() > CLUSTER_SETTLES,
            Self::Primary(..) => true,
        }
    }
}

impl Primary {
    /// Once in each second, whoever asks. A primary that the Sentinels have replaced goes on answering until they
    /// make it a replica, some ten seconds later, and forgets what it was told until then.
    fn is_to_be_looked_at(&self) -> bool {
        let now = self.named.elapsed().as_secs();
        self.asked.fetch_max(now, Ordering::Relaxed) < now
    }

    /// Asks the Sentinels; if none answers, the primary stays.
    async fn look(&self) {
        let Ok(mut sentinels) = self.sentinels.try_lock() else { return };
        let named =
            tokio::time::timeout(STORE_QUESTION_TIMEOUT, sentinels.async_get_client()).await;
        if let Ok(Ok(client)) = named
            && *client.get_connection_info().addr() != self.at
        {
            self.replaced.store(true, Ordering::Relaxed);
        }
    }
}

fn manager(client: &Client) -> RedisResult<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(STORE_CONNECT_TIMEOUT))
        .set_response_timeout(Some(STORE_ANSWER_TIMEOUT))
        .set_number_of_retries(RECONNECTIONS);
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}

async fn put(
    manager: &ConnectionManager,
    question: Question<'_>,
    again: Again,
) -> RedisResult<Value> {
    let mut manager = manager.clone();
    match question.put(&mut manager).await {
        // The refusal may be old: the manager keeps it until it is asked again.
        Err(error) if error.is_connection_refusal() => question.put(&mut manager).await,
        Err(error) if again == Again::May && error.is_connection_dropped() => {
            question.put(&mut manager).await
        }
        answer => answer,
    }
}

/// A pipeline of a cluster may go to only one node: the commands are sent singly, all at once.
async fn put_to_cluster(
    mut cluster: ClusterConnection,
    question: Question<'_>,
) -> RedisResult<Value> {
    match question {
        Question::Script(script, call) => run(script, call, &mut cluster).await,
        Question::Pipeline(pipeline) => {
            let answers = pipeline.cmd_iter().map(async |command| {
                let mut cluster = cluster.clone();
                command.query_async::<Value>(&mut cluster).await
            });
            Ok(Value::Array(try_join_all(answers).await?))
        }
        Question::Replicated(writes, slot, replicas) => {
            let together = writes.and_wait(replicas);
            let put = async |mut cluster: ClusterConnection| {
                let holder =
                    SingleNodeRoutingInfo::SpecificNode(Route::new(slot, SlotAddr::Master));
                let answers = cluster.route_pipeline(together.clone(), 0, 2, holder).await?;
                Value::Array(answers).extract_error()
            };
            match put(cluster.clone()).await {
                Err(error) if is_elsewhere(&error) => {
                    writes.lead(&error, &mut cluster).await?;
                    put(cluster).await
                }
                answer => answer,
            }
        }
        Question::Everywhere(command) => {
            let to = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
            let Value::Map(answers) = cluster.route_command(command.clone(), to).await? else {
                return Ok(Value::Array(Vec::new()));
            };
            Ok(Value::Array(answers.into_iter().map(|(_, answer)| answer).collect()))
        }
    }
}

/// Runs a script by its name; if it is not known there yet, loads it first.
async fn run(script: &Script, call: &Cmd, on: &mut impl ConnectionLike) -> RedisResult<Value> {
    match call.query_async(on).await {
        Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
            script.load_async(on).await?;
            call.query_async(on).await
        }
        answer => answer,
    }
}

/// Whether a server does not know the script, or no longer has the slot.
fn is_elsewhere(error: &RedisError) -> bool {
    matches!(code(error).as_deref(), Some("NOSCRIPT" | "MOVED" | "ASK" | "TRYAGAIN"))
}

impl Writes<'_> {
    /// After that error: loads the script, or sends a single command to where the slot is now, so that the
    /// connection learns the way.
    async fn lead(self, error: &RedisError, to: &mut impl ConnectionLike) -> RedisResult<()> {
        match self {
            Self::Script(script, _) if code(error).as_deref() == Some("NOSCRIPT") => {
                script.load_async(to).await.map(drop)
            }
            Self::Script(script, call) => run(script, call, to).await.map(drop),
            Self::Command(command) => command.query_async(to).await,
        }
    }

    fn and_wait(self, replicas: Replicas) -> Pipeline {
        let (Self::Script(_, command) | Self::Command(command)) = self;
        let mut together = ::redis::pipe();
        together.add_command(command.clone());
        together.cmd("WAIT").arg(replicas.count).arg(replicas.within_ms);
        together
    }
}

impl Question<'_> {
    async fn put(self, to: &mut impl ConnectionLike) -> RedisResult<Value> {
        match self {
            Self::Script(script, call) => run(script, call, to).await,
            Self::Pipeline(pipeline) => pipeline.query_async(to).await,
            Self::Replicated(writes, _, replicas) => {
                let together = writes.and_wait(replicas);
                match together.query_async(to).await {
                    Err(error) if is_elsewhere(&error) => {
                        writes.lead(&error, to).await?;
                        together.query_async(to).await
                    }
                    answer => answer,
                }
            }
            Self::Everywhere(command) => {
                Ok(Value::Array(vec![command.query_async::<Value>(to).await?]))
            }
        }
    }
}
