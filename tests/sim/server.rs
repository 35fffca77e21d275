//! A server: the real routes, exchange and outbox, on a wire of its own.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::to_bytes;
use actix_web::dev::Service as _;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, web};
use callgate::carrier::signature::{Bases, Keys};
use callgate::config::{Line, Lines};
use callgate::diagnostic::Place;
use callgate::exchange::Exchange;
use callgate::outbox::Outbox;
use callgate::server::metrics::Metrics;
use callgate::server::{Gate, House, Kept, webhooks};
use callgate::telemetry::Few;
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use secrecy::SecretString;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::planted::Plant;
use super::telco;
use super::wire::Wire;
use super::world::{LINE, PUBLIC_URL, World};
use crate::support::provider::{ACCOUNT_SID, AUTH_TOKEN};

/// Who takes callers whom nobody can serve.
const FALLBACK: &str = "+15005550009";
/// More than any run has at once.
const TURNS_MAX: u64 = 1_000;

type App_ = Box<dyn Fn(TestRequest) -> LocalBoxFuture<'static, (u16, String)>>;

/// A server that is up.
pub(crate) struct Server {
    /// Cancelled when it dies: nothing comes back to it, and nothing from it.
    pub(crate) life: CancellationToken,
    stop: CancellationToken,
    outbox: RefCell<Option<JoinHandle<()>>>,
    app: App_,
}

impl Server {
    pub(crate) async fn start(world: &Arc<World>) -> Rc<Self> {
        let life = CancellationToken::new();
        let wire = Wire { world: world.clone(), life: life.clone() };
        let line = Arc::new(telco::Line(wire.clone()));
        let mut exchange = Exchange::new(world.parts(Arc::new(wire))).verifying_in_place();
        if world.codes_by_provider {
            exchange = exchange.verifying_with(line.clone());
        }
        if world.looks_up {
            exchange = exchange.looking_up(line.clone(), true);
        }
        let exchange = Arc::new(exchange);
        let stop = CancellationToken::new();
        let outbox = Outbox::new(exchange.clone(), line.clone(), Some(line));
        let app = app(world, exchange, outbox.clone(), stop.clone()).await;
        let outbox = RefCell::new(Some(tokio::spawn(outbox.run(stop.clone()))));
        Rc::new(Self { life, stop, outbox, app })
    }

    /// It dies, wherever it is.
    pub(crate) fn kill(&self) {
        self.life.cancel();
    }

    /// It finishes what it has begun, and ends.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        let outbox = self.outbox.borrow_mut().take();
        if let Some(outbox) = outbox {
            outbox.await.unwrap();
        }
        self.kill();
    }

    /// Posts a form; `None`: the server died before it answered.
    pub(crate) async fn post(
        &self,
        path: &str,
        body: &str,
        signature: &str,
    ) -> Option<(u16, String)> {
        let request = TestRequest::post()
            .uri(path)
            .insert_header((CONTENT_TYPE, "application/x-www-form-urlencoded"))
            .insert_header(("X-Twilio-Signature", signature))
            .set_payload(body.to_owned());
        let answer = (self.app)(request);
        tokio::select! {
            biased;
            () = self.life.cancelled() => None,
            answer = answer => Some(answer),
        }
    }
}

async fn app(
    world: &World,
    exchange: Arc<Exchange>,
    outbox: Arc<Outbox>,
    stop: CancellationToken,
) -> App_ {
    let metrics = Arc::new(Metrics::default());
    let line = Line {
        flow: "bank".into(),
        flow_place: Place { file: "callgate.toml".into(), span: 0..0 },
        number: None,
        fallback_number: Some(FALLBACK.into()),
        overflow_number: None,
    };
    let house = House {
        exchange,
        metrics: metrics.clone(),
        lines: Lines { by_number: [(LINE.to_owned(), line)].into_iter().collect() },
        keys: Keys::new(&[SecretString::from(AUTH_TOKEN)]).unwrap(),
        bases: Bases::of(PUBLIC_URL),
        public_url: PUBLIC_URL.into(),
        account_sid: Some(ACCOUNT_SID.into()),
        admin_tokens: Vec::new(),
        gate: Gate::new(metrics.turns_in_progress.clone(), TURNS_MAX),
        kept: Kept::default(),
        refusals: Few::default(),
        outbox,
        stop,
        drain: Duration::ZERO,
    };
    let app = App::new().app_data(web::Data::new(house)).configure(webhooks);
    let app = Rc::new(init_service(app).await);
    let (plant, asked) = (world.plant, Rc::new(RefCell::new(HashSet::new())));
    Box::new(move |request| {
        let (app, asked) = (app.clone(), asked.clone());
        let request = request.to_request();
        let path = request.path().to_owned();
        async move {
            let response = app.call(request).await.unwrap();
            let status = response.status().as_u16();
            let body = to_bytes(response.into_body()).await.unwrap_or_default();
            let mut body = String::from_utf8(body.to_vec()).unwrap();
            let again = !asked.borrow_mut().insert(path);
            if plant == Some(Plant::SaysNothing) && again && status == 200 {
                body = callgate::twiml::hangup();
            }
            if plant == Some(Plant::AnswersAnew) && again {
                body = body.replace("<Say ", "<Say  ");
            }
            (status, body)
        }
        .boxed_local()
    })
}
