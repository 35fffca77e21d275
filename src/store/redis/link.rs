//! The connection to Redis: one, shared by all, made anew by itself.
//!
//! A question is put once, and a second time only where that cannot do anything twice: nothing had
//! been sent, or the question may be repeated. What is told of an error never has a value in it.

use std::sync::Arc;

use ::redis::aio::{ConnectionManager, ConnectionManagerConfig};
use ::redis::io::tcp::TcpSettings;
use ::redis::{
    Client, ConnectionInfo, ErrorKind, FromRedisValue, IntoConnectionInfo as _, Pipeline,
    ProtocolVersion, RedisError, RedisResult, ScriptInvocation, Value, from_redis_value,
};
use arc_swap::ArcSwap;

use super::super::{OpenError, StoreError};
use crate::limits::{
    STORE_ANSWER_TIMEOUT, STORE_CONNECT_TIMEOUT, STORE_QUESTION_TIMEOUT, STORE_SILENCE_MAX,
};

/// Connection attempts after the first; the next question begins anew.
const RECONNECTIONS: usize = 1;

pub(super) struct Link {
    client: Client,
    manager: ArcSwap<ConnectionManager>,
}

/// What is put to Redis.
#[derive(Clone, Copy)]
pub(super) enum Question<'a> {
    Script(&'a ScriptInvocation<'a>),
    Pipeline(&'a Pipeline),
}

/// Whether a question that may have been answered already may be put again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It reads, or does nothing the second time.
    May,
    /// The second answer would be another.
    MustNot,
}

impl Link {
    /// Needs a tokio runtime, and no Redis yet.
    pub(super) fn new(url: &str) -> Result<Self, OpenError> {
        let address = |_| OpenError::RedisAddress;
        let info = url.into_connection_info().map_err(address)?;
        let client = Client::open(settings(info, url)).map_err(address)?;
        let manager = manager(&client).map_err(address)?;
        Ok(Self { client, manager: ArcSwap::from_pointee(manager) })
    }

    pub(super) async fn ask<T: FromRedisValue>(
        &self,
        question: Question<'_>,
        again: Again,
    ) -> Result<T, StoreError> {
        let manager = self.manager.load_full();
        let asked = tokio::time::timeout(STORE_QUESTION_TIMEOUT, put(&manager, question, again));
        match asked.await {
            Ok(Ok(value)) => from_redis_value(value).map_err(|_| unreadable()),
            Ok(Err(error)) => {
                self.renew_after(&error, &manager);
                Err(told(&error))
            }
            Err(_) => Err(late()),
        }
    }

    /// The manager makes a broken connection anew, but keeps to one that was refused a log-in, and to
    /// a server that a fail-over has made a replica.
    fn renew_after(&self, error: &RedisError, used: &Arc<ConnectionManager>) {
        let stuck = error.kind() == ErrorKind::AuthenticationFailed
            || matches!(code(error).as_deref(), Some("WRONGPASS" | "NOAUTH" | "READONLY"));
        if stuck && let Ok(manager) = manager(&self.client) {
            self.manager.compare_and_swap(used, Arc::new(manager));
        }
    }
}

fn settings(info: ConnectionInfo, url: &str) -> ConnectionInfo {
    // A connection idle when the server went away is noticed, and made anew, with RESP3 alone.
    let mut redis = info.redis_settings().clone();
    if !url.contains("protocol=") {
        redis = redis.set_protocol(ProtocolVersion::RESP3);
    }
    let tcp = TcpSettings::default().set_nodelay(true);
    #[cfg(target_os = "linux")]
    let tcp = tcp.set_user_timeout(STORE_SILENCE_MAX);
    info.set_redis_settings(redis).set_tcp_settings(tcp)
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
        // The refusal may be an old one: the manager keeps it until it is asked again.
        Err(error) if error.is_connection_refusal() => question.put(&mut manager).await,
        Err(error) if again == Again::May && error.is_connection_dropped() => {
            question.put(&mut manager).await
        }
        answer => answer,
    }
}

impl Question<'_> {
    async fn put(self, manager: &mut ConnectionManager) -> RedisResult<Value> {
        match self {
            Self::Script(script) => script.invoke_async(manager).await,
            Self::Pipeline(pipeline) => pipeline.query_async(manager).await,
        }
    }
}

fn late() -> StoreError {
    StoreError::Unavailable("no answer in time".into())
}

pub(super) fn unreadable() -> StoreError {
    StoreError::Corrupt("not the kind of value that callgate writes there".into())
}

fn told(error: &RedisError) -> StoreError {
    let code = code(error);
    match (error.kind(), code.as_deref()) {
        _ if error.is_timeout() => late(),
        (ErrorKind::Io, _) => StoreError::Unavailable(error.to_string()),
        (ErrorKind::Parse | ErrorKind::UnexpectedReturnType, _) | (_, Some("WRONGTYPE")) => {
            unreadable()
        }
        // The code alone: what follows it may quote what was sent.
        (_, Some(code)) => StoreError::Unavailable(format!("Redis refused with {code}")),
        (_, None) => StoreError::Unavailable(error.category().to_owned()),
    }
}

/// The first word of what Redis answered, be it to a command or to one of a pipeline.
fn code(error: &RedisError) -> Option<String> {
    let of_pipeline = || {
        let errors = error.clone().into_server_errors()?;
        errors.first().map(|(_, error)| error.code().to_owned())
    };
    error.code().map(str::to_owned).or_else(of_pipeline)
}
