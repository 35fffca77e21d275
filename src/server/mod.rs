//! HTTP: the provider's webhooks on one listener, the house's own requests on another.

mod admin;
mod connection;
mod decode;
mod gate;
mod intake;
mod kept;
pub mod metrics;
mod webhook;

use std::future::ready;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_http::HttpService;
use actix_http::error::DispatchError;
use actix_server::{Server, ServerHandle};
use actix_service::{ServiceFactoryExt as _, fn_service, map_config};
use actix_web::dev::AppConfig;
use actix_web::{App, web};
use tokio::net::{TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::carrier::signature::{Bases, Keys};
use crate::config::{AdminToken, Lines};
use crate::exchange::Exchange;
use crate::limits;
use crate::outbox::Outbox;
use crate::telemetry::Few;

use connection::Connection;
pub use gate::Gate;
pub use kept::Kept;
use metrics::Metrics;

/// What the listeners share.
#[derive(Debug)]
pub struct House {
    /// Where events go.
    pub exchange: Arc<Exchange>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Which number leads to which flow.
    pub lines: Lines,
    /// What webhooks are signed with.
    pub keys: Keys,
    /// The address by which the provider knows us.
    pub public_url: String,
    /// How that address may be written where it is signed.
    pub bases: Bases,
    /// The provider's account; `None`: any, as in the demo.
    pub account_sid: Option<String>,
    /// Who may use the admin API.
    pub admin_tokens: Vec<AdminToken>,
    /// How many turns are under way.
    pub gate: Gate,
    /// What could not be noted yet.
    pub kept: Kept,
    /// Limits how much the log says of refused requests.
    pub refusals: Few,
    /// What carries out effects.
    pub outbox: Arc<Outbox>,
    /// Cancelled when the server is told to stop.
    pub stop: CancellationToken,
    /// For how long it then goes on serving as not ready, so that a proxy notices.
    pub drain: Duration,
}

/// Why a server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// An address is taken, or is not ours.
    #[error("cannot listen on {address}: {source}; stop what listens there, or change `{key}`")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Its key in the configuration.
        key: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// It ran and failed.
    #[error("the server failed: {0}")]
    Failed(#[from] std::io::Error),
}

/// Listeners that are bound, so that no later step can fail because of an address.
#[derive(Debug)]
pub struct Listeners {
    public: TcpListener,
    admin: TcpListener,
}

impl Listeners {
    /// Binds both. Must be called within a tokio runtime.
    pub fn bind(public: SocketAddr, admin: SocketAddr) -> Result<Self, ServerError> {
        let bind = |address, key| {
            listen(address).map_err(|source| ServerError::Listen { address, key, source })
        };
        Ok(Self { public: bind(public, "listen")?, admin: bind(admin, "admin_listen")? })
    }

    /// The addresses, with the ports that the system chose.
    pub fn addresses(&self) -> std::io::Result<(SocketAddr, SocketAddr)> {
        Ok((self.public.local_addr()?, self.admin.local_addr()?))
    }
}

/// Listens, with room for all who connect at once. Without room, the system lets clients try again a second
/// later; or it waits for them to speak first, and forgets them: a client that says nothing is then unknown to
/// the server.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As the standard library does: a server that has just been stopped can be replaced at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(limits::CONNECTIONS_WAITING_MAX)?.into_std()
}

/// The provider's routes, on the [`House`] of the application: what the public listener serves.
pub fn webhooks(config: &mut web::ServiceConfig) {
    webhook::routes(config);
}

/// Serves until it is told to stop, then finishes the turns in progress; `connections` is how many webhook
/// connections each worker takes.
pub async fn run(
    house: Arc<House>,
    listeners: Listeners,
    workers: usize,
    connections: usize,
) -> Result<(), ServerError> {
    let (stop, drain) = (house.stop.clone(), house.drain);
    let shared = web::Data::from(house);
    let public = serve(
        Side {
            listener: listeners.public,
            routes: webhooks,
            workers,
            connections,
            stops_within: limits::SHUTDOWN_GRACE,
        },
        &shared,
    )?;
    let admin = serve(
        Side {
            listener: listeners.admin,
            routes: admin::routes,
            workers: 1,
            connections: limits::ADMIN_CONNECTIONS_MAX,
            stops_within: Duration::from_secs(1),
        },
        &shared,
    )?;
    let stopping = stop_both(public.handle(), admin.handle(), stop, drain);
    let minutes = tokio::spawn(count_minutes(shared.clone()));
    let (public, admin, ()) = tokio::join!(public, admin, stopping);
    minutes.abort();
    shared.refusals.next_minute();
    public?;
    admin?;
    Ok(())
}

/// One of the two listeners, with what it serves.
struct Side {
    listener: TcpListener,
    routes: fn(&mut web::ServiceConfig),
    workers: usize,
    /// For each worker.
    connections: usize,
    stops_within: Duration,
}

/// Serves one of them. It is assembled here, as `HttpServer` would do it, for the sake of [`Connection`].
fn serve(side: Side, house: &web::Data<House>) -> std::io::Result<Server> {
    let Side { listener, routes, workers, connections, stops_within } = side;
    let server = Server::build()
        .workers(workers)
        .max_concurrent_connections(connections)
        .shutdown_timeout(stops_within.as_secs())
        .disable_signals();
    let (stops, house) = (server.graceful_shutdown_signal(), house.clone());
    let server = server.listen("callgate", listener, move || {
        let app = App::new().app_data(house.clone()).configure(routes);
        let stops = stops.clone();
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stops = stops.clone();
                async move { stops.notified().await }
            })
            .client_request_timeout(limits::REQUEST_HEAD_TIMEOUT)
            .client_disconnect_timeout(limits::REQUEST_HEAD_TIMEOUT)
            .h1(map_config(app, |()| AppConfig::default()));
        let connection = |stream: TcpStream| {
            let from = stream.peer_addr().ok();
            ready(Ok::<_, DispatchError>((Connection::new(stream), from)))
        };
        fn_service(connection).and_then(http)
    })?;
    Ok(server.run())
}

/// Reports once a minute what was left out of the log in that minute.
async fn count_minutes(house: web::Data<House>) {
    let mut minute = tokio::time::interval(Duration::from_mins(1));
    loop {
        minute.tick().await;
        house.refusals.next_minute();
    }
}

async fn stop_both(
    public: ServerHandle,
    admin: ServerHandle,
    stop: CancellationToken,
    drain: Duration,
) {
    stop.cancelled().await;
    tokio::time::sleep(drain).await;
    public.stop(true).await;
    admin.stop(true).await;
}
