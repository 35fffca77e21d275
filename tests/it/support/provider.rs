//! The telephony provider's REST side: a small real HTTP server that records what it is asked and
//! answers as the provider does, or as badly as a test wants.

use std::collections::VecDeque;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, rt, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callgate::carrier::form;
use callgate::clock::{Clock as _, SystemClock};
use jiff::Timestamp;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::eventually::PATIENCE;

/// Fields or headers as a request has them.
pub(crate) fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The account that the provider knows.
pub(crate) const ACCOUNT_SID: &str = "AC00000000000000000000000000000001";
/// Its key.
pub(crate) const AUTH_TOKEN: &str = "hush-hush-auth-token";

/// The service whose codes it sends and checks.
pub(crate) const SERVICE_SID: &str = "VA00000000000000000000000000000001";
/// Where numbers are looked up.
const NUMBERS: &str = "/v2/PhoneNumbers/";

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The form's fields in their order.
    pub(crate) form: Vec<(String, String)>,
}

impl Request {
    /// The first value of a form field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether it asks for something to be done there: at a path that ends so.
    fn is_to(&self, end: &str) -> bool {
        self.method == "POST" && self.path.ends_with(end)
    }

    /// The value of a header by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// An answer other than the usual one.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// An error status with the provider's error code, if any, in a JSON body.
    Error { status: u16, code: Option<u32> },
    /// 429 with this `Retry-After`.
    TooMany { retry_after: Option<String> },
    /// This status and body.
    Raw { status: u16, body: Vec<u8> },
    /// The usual answer is carried out, but never comes.
    Hang,
    /// The usual answer, when it is let go.
    Held(CancellationToken),
    /// The usual answer is carried out, and the connection closed in its place.
    Drop,
    /// A redirect to this address.
    Redirect(String),
}

/// A call that was placed.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) sid: String,
    pub(crate) to: String,
    pub(crate) from: String,
    pub(crate) created: Timestamp,
    pub(crate) direction: String,
    pub(crate) status: String,
}

/// A message that was sent.
struct Message {
    to: String,
    body: String,
}

struct World {
    /// The time at which calls are created; `None`: the machine's.
    now: Option<Timestamp>,
    /// Who is let in, and with what.
    login: (String, String),
    requests: Vec<Request>,
    next: VecDeque<Answer>,
    /// What is to be done at such a path is answered like this before it is like others.
    next_to: Vec<(&'static str, Answer)>,
    /// Requests for this number are carried out, and not answered until then.
    hang_for: Option<(String, CancellationToken)>,
    calls: Vec<Placed>,
    messages: Vec<Message>,
    drawn: u64,
    /// What is said of numbers beside what is said of a mobile with which nothing is wrong.
    said: Vec<(String, serde_json::Value)>,
    verifications: Vec<Verification>,
}

/// A code of the provider's own.
#[derive(Clone, Debug)]
struct Verification {
    sid: String,
    to: String,
    code: String,
    sends: u32,
    checks: u32,
}

/// Sends and checks of one code.
const OF_ONE_CODE: u32 = 5;

struct Shared {
    world: Mutex<World>,
    changed: Condvar,
}

/// A running provider; it stops when dropped.
pub(crate) struct Provider {
    port: u16,
    shared: Arc<Shared>,
    server: ServerHandle,
}

impl Provider {
    /// Starts on a free port of the loopback.
    pub(crate) fn start() -> Self {
        let world = World {
            now: Some("2026-03-01T12:00:00Z".parse().unwrap()),
            login: (ACCOUNT_SID.into(), AUTH_TOKEN.into()),
            requests: Vec::new(),
            next: VecDeque::new(),
            next_to: Vec::new(),
            hang_for: None,
            calls: Vec::new(),
            messages: Vec::new(),
            drawn: 0,
            said: Vec::new(),
            verifications: Vec::new(),
        };
        let shared = Arc::new(Shared { world: Mutex::new(world), changed: Condvar::new() });
        let (tell, told) = mpsc::channel();
        let data = web::Data::from(Arc::clone(&shared));
        thread::spawn(move || {
            rt::System::new().block_on(async move {
                let app =
                    move || App::new().app_data(data.clone()).default_service(web::to(answer));
                let server = HttpServer::new(app)
                    .on_connect(|connection, extensions| {
                        let stream = connection.downcast_ref::<rt::net::TcpStream>().unwrap();
                        let stream = stream.as_fd().try_clone_to_owned().unwrap();
                        extensions.insert(Arc::new(TcpStream::from(stream)));
                    })
                    .workers(1)
                    // Longer than a client keeps it: none is asked on a connection that is being closed.
                    .keep_alive(Duration::from_mins(2))
                    .disable_signals()
                    .bind(("127.0.0.1", 0))
                    .unwrap();
                let port = server.addrs()[0].port();
                let server = server.run();
                tell.send((port, server.handle())).unwrap();
                server.await.unwrap();
            });
        });
        let (port, server) = told.recv_timeout(PATIENCE).unwrap();
        Self { port, shared, server }
    }

    /// What to configure as the provider's address.
    pub(crate) fn api_base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Answers the next request in this way, the one after it in the next way given, and so on.
    pub(crate) fn next(&self, answer: Answer) {
        self.world().next.push_back(answer);
    }

    /// Answers the next message in this way, whatever else is asked before it.
    pub(crate) fn next_message(&self, answer: Answer) {
        self.next_to("/Messages.json", answer);
    }

    /// Answers the next that is to be done at a path that ends so in this way, whatever else is asked before it.
    pub(crate) fn next_to(&self, end: &'static str, answer: Answer) {
        self.world().next_to.push((end, answer));
    }

    /// Lets in who asks under this name, and with what belongs to it, and nobody else.
    pub(crate) fn lets_in(&self, user: &str, password: &str) {
        self.world().login = (user.to_owned(), password.to_owned());
    }

    /// The time at which calls are created from now on.
    pub(crate) fn set_now(&self, now: Timestamp) {
        self.world().now = Some(now);
    }

    /// Creates calls at the machine's time from now on.
    pub(crate) fn go_by_the_clock(&self) {
        self.world().now = None;
    }

    /// Looks at the requests so far, and at the calls, without taking copies of them all.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&[Request], &[Placed]) -> T) -> T {
        let world = self.world();
        at(&world.requests, &world.calls)
    }

    /// Answers no request that is for this number, whatever was to come next.
    pub(crate) fn hang_for(&self, to: &str) {
        self.world().hang_for = Some((to.to_owned(), CancellationToken::new()));
    }

    /// Answers requests for all numbers again, and those that wait for an answer.
    pub(crate) fn answer_all(&self) {
        if let Some((_, until)) = self.world().hang_for.take() {
            until.cancel();
        }
    }

    /// Answers as usual again.
    pub(crate) fn usual_again(&self) {
        self.world().next.clear();
    }

    /// Lists a call besides those that are placed.
    pub(crate) fn list(&self, call: Placed) {
        self.world().calls.push(call);
    }

    /// The calls so far, in the order in which they were placed.
    pub(crate) fn calls(&self) -> Vec<Placed> {
        self.world().calls.clone()
    }

    /// Says this of a number from now on: objects by the names of the look-up's fields.
    pub(crate) fn say_of(&self, number: &str, said: serde_json::Value) {
        self.world().said.insert(0, (number.to_owned(), said));
    }

    /// The look-ups so far.
    pub(crate) fn look_ups(&self) -> Vec<Request> {
        let requests = self.requests().into_iter();
        requests.filter(|request| request.path.starts_with(NUMBERS)).collect()
    }

    /// The code that was sent to a number, if it is still good.
    pub(crate) fn code_of(&self, number: &str) -> Option<String> {
        let world = self.world();
        let found = world.verifications.iter().find(|it| it.to == number);
        found.map(|it| it.code.clone())
    }

    /// Forgets the codes that were sent, as it does when they have run out.
    pub(crate) fn forget_codes(&self) {
        self.world().verifications.clear();
    }

    /// The codes asked to be sent so far.
    pub(crate) fn begun(&self) -> Vec<Request> {
        let requests = self.requests().into_iter();
        requests.filter(|request| request.path.ends_with("/Verifications")).collect()
    }

    /// The entries asked about so far.
    pub(crate) fn checks(&self) -> Vec<Request> {
        let requests = self.requests().into_iter();
        requests.filter(|request| request.path.ends_with("/VerificationCheck")).collect()
    }

    /// The messages so far.
    pub(crate) fn messages(&self) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.is_to("/Messages.json")).collect()
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.world().requests.clone()
    }

    /// The requests so far, once there are at least so many.
    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Request> {
        let deadline = Instant::now() + PATIENCE;
        let mut world = self.world();
        while world.requests.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} of {count} requests came", world.requests.len());
            world = self.shared.changed.wait_timeout(world, left).unwrap().0;
        }
        world.requests.clone()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world.lock().unwrap()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // The command is sent when the future is made; there is nobody to wait for the stop.
        drop(self.server.stop(false));
    }
}

async fn answer(request: HttpRequest, body: web::Bytes, shared: web::Data<Shared>) -> HttpResponse {
    let (usual, special) = {
        let mut world = shared.world.lock().unwrap();
        let recorded = record(&request, &body);
        world.requests.push(recorded.clone());
        shared.changed.notify_all();
        let special = world.special(&recorded);
        let is_carried_out =
            matches!(special, None | Some(Answer::Hang | Answer::Held(_) | Answer::Drop));
        (is_carried_out.then(|| usual(&mut world, &recorded)), special)
    };
    let status = |status| StatusCode::from_u16(status).unwrap();
    match special {
        None => usual.unwrap(),
        Some(Answer::Error { status, code: Some(code) }) => error(status, code),
        Some(Answer::Error { status: error, code: None }) => HttpResponse::new(status(error)),
        Some(Answer::TooMany { retry_after }) => {
            let mut response = HttpResponse::TooManyRequests();
            if let Some(retry_after) = retry_after {
                response.insert_header(("Retry-After", retry_after));
            }
            response.json(json!({ "code": 20429, "message": "Too Many Requests", "status": 429 }))
        }
        Some(Answer::Raw { status: raw, body }) => HttpResponse::build(status(raw)).body(body),
        Some(Answer::Redirect(to)) => {
            HttpResponse::TemporaryRedirect().insert_header(("Location", to)).finish()
        }
        Some(Answer::Hang) => std::future::pending().await,
        Some(Answer::Held(until)) => {
            until.cancelled().await;
            usual.unwrap()
        }
        Some(Answer::Drop) => {
            let stream = request.conn_data::<Arc<TcpStream>>().unwrap();
            stream.shutdown(Shutdown::Both).unwrap();
            std::future::pending().await
        }
    }
}

impl World {
    /// The answer to a request, where it is not the usual one.
    fn special(&mut self, request: &Request) -> Option<Answer> {
        let hangs = self.hang_for.as_ref().filter(|(to, _)| request.field("To") == Some(to));
        if let Some((_, until)) = hangs {
            return Some(Answer::Held(until.clone()));
        }
        let own = self.next_to.iter().position(|(end, _)| request.is_to(end));
        let own = own.map(|at| self.next_to.remove(at).1);
        own.or_else(|| self.next.pop_front())
    }
}

fn record(request: &HttpRequest, body: &[u8]) -> Request {
    let headers = request.headers().iter();
    Request {
        method: request.method().to_string(),
        path: request.path().to_owned(),
        query: form::parse(request.query_string().as_bytes()).unwrap(),
        headers: headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect(),
        form: form::parse(body).unwrap(),
    }
}

/// What the provider answers when nothing is wrong, or something is wrong with the request.
fn usual(world: &mut World, request: &Request) -> HttpResponse {
    let (user, password) = &world.login;
    let credentials = STANDARD.encode(format!("{user}:{password}"));
    if request.header("authorization") != Some(&format!("Basic {credentials}")) {
        return error(401, 20003);
    }
    if let Some(number) = request.path.strip_prefix(NUMBERS)
        && request.method == "GET"
    {
        return look_up(world, request, number);
    }
    let service = format!("/v2/Services/{SERVICE_SID}/");
    match (request.method.as_str(), request.path.strip_prefix(&service)) {
        ("POST", Some("Verifications")) => return verify(world, request),
        ("POST", Some("VerificationCheck")) => return check(world, request),
        _ => {}
    }
    let account = format!("/2010-04-01/Accounts/{ACCOUNT_SID}/");
    let resource = request.path.strip_prefix(&account).and_then(|path| path.strip_suffix(".json"));
    match (request.method.as_str(), resource) {
        ("POST", Some("Messages")) => {
            let field = |name| request.field(name).unwrap_or_default().to_owned();
            world.messages.push(Message { to: field("To"), body: field("Body") });
            let sid = format!("SM{:032x}", world.messages.len());
            HttpResponse::Created().json(json!({ "sid": sid, "status": "queued" }))
        }
        ("POST", Some("Calls")) => {
            let field = |name| request.field(name).unwrap_or_default().to_owned();
            let call = Placed {
                sid: format!("CA{:032x}", world.calls.len() + 1),
                to: field("To"),
                from: field("From"),
                created: world.now.unwrap_or_else(|| SystemClock.now()),
                direction: "outbound-api".into(),
                status: "queued".into(),
            };
            world.calls.push(call.clone());
            HttpResponse::Created().json(shown(&call))
        }
        ("GET", Some("Messages")) => list_messages(world, request),
        ("GET", Some("Calls")) => list(world, request),
        ("POST", Some(call)) if call.starts_with("Calls/") => update(world, request, &call[6..]),
        _ => error(404, 20404),
    }
}

fn update(world: &mut World, request: &Request, sid: &str) -> HttpResponse {
    match world.calls.iter_mut().find(|call| call.sid == sid) {
        None => error(404, 20404),
        Some(call) if call.status == "completed" => error(400, 21220),
        Some(call) => {
            if let Some(status) = request.field("Status") {
                status.clone_into(&mut call.status);
            }
            HttpResponse::Ok().json(shown(call))
        }
    }
}

/// Sends a code, or the same again.
fn verify(world: &mut World, request: &Request) -> HttpResponse {
    let (Some(to), Some("sms")) = (request.field("To"), request.field("Channel")) else {
        return error(400, 60200);
    };
    if !world.verifications.iter().any(|it| it.to == to) {
        world.drawn += 1;
        let (drawn, to) = (world.drawn, to.to_owned());
        let code = format!("{:06}", (drawn * 271_828 + 314_159) % 1_000_000);
        let sid = format!("VE{drawn:032x}");
        world.verifications.push(Verification { sid, to, code, sends: 0, checks: 0 });
    }
    let pending = world.verifications.iter_mut().find(|it| it.to == to).unwrap();
    if pending.sends >= OF_ONE_CODE {
        return error(429, 60203);
    }
    pending.sends += 1;
    HttpResponse::Created().json(json!({
        "sid": pending.sid, "service_sid": SERVICE_SID, "account_sid": ACCOUNT_SID, "to": to,
        "channel": "sms", "status": "pending", "valid": false, "send_code_attempts": [],
    }))
}

/// Says whether an entry is the code, which is gone once it was.
fn check(world: &mut World, request: &Request) -> HttpResponse {
    let Some(code) = request.field("Code").filter(|code| (4..=10).contains(&code.len())) else {
        return error(400, 60200);
    };
    let by = (request.field("To"), request.field("VerificationSid"));
    let found = world.verifications.iter_mut().find(|it| match by {
        (Some(to), None) => it.to == to,
        (None, Some(sid)) => it.sid == sid,
        _ => false,
    });
    let Some(pending) = found else { return error(404, 20404) };
    if pending.checks >= OF_ONE_CODE {
        return error(429, 60202);
    }
    pending.checks += 1;
    let (right, sid, to) = (pending.code == code, pending.sid.clone(), pending.to.clone());
    if right {
        world.verifications.retain(|it| it.sid != sid);
    }
    let status = if right { "approved" } else { "pending" };
    HttpResponse::Ok().json(json!({
        "sid": sid, "service_sid": SERVICE_SID, "account_sid": ACCOUNT_SID, "to": to,
        "channel": "sms", "status": status, "valid": right,
    }))
}

/// What is said of a number: the fields that were asked for, and nothing else.
fn look_up(world: &World, request: &Request, number: &str) -> HttpResponse {
    let Some(digits) = number.strip_prefix("%2B") else { return error(404, 20404) };
    let number = format!("+{digits}");
    let mut answer = json!({
        "calling_country_code": "1", "country_code": "US", "phone_number": number,
        "national_format": digits, "valid": true, "validation_errors": null,
        "caller_name": null, "sim_swap": null, "call_forwarding": null,
        "line_type_intelligence": null, "reassigned_number": null,
        "url": format!("https://lookups.twilio.com/v2/PhoneNumbers/{number}"),
    });
    let mut said = json!({
        "line_type_intelligence": {
            "error_code": null, "mobile_country_code": "240", "mobile_network_code": "38",
            "carrier_name": "Wireless", "type": "mobile",
        },
        "sim_swap": {
            "last_sim_swap": {
                "last_sim_swap_date": "2020-04-27T10:18:50Z", "swapped_period": "PT168H",
                "swapped_in_period": false,
            },
            "carrier_name": "Wireless", "error_code": null,
        },
        "call_forwarding": { "call_forwarding_enabled": false, "error_code": null },
        "reassigned_number": {
            "last_verified_date": "2024-01-01", "is_number_reassigned": "no", "error_code": null,
        },
    });
    let of_it = world.said.iter().find(|(of, _)| *of == number);
    for (field, value) in of_it.iter().flat_map(|(_, said)| said.as_object().unwrap()) {
        said[field] = value.clone();
    }
    let fields = request.query.iter().find(|(key, _)| key == "Fields");
    for field in fields.map_or("", |(_, fields)| fields.as_str()).split(',') {
        answer[field] = said[field].clone();
    }
    HttpResponse::Ok().json(answer)
}

/// A page of calls, the latest first.
fn list_messages(world: &World, request: &Request) -> HttpResponse {
    let asked = |name: &str| request.query.iter().find(|(key, _)| key == name).unwrap().1.as_str();
    let to = asked("To");
    let latest = world.messages.iter().rev().filter(|message| message.to == to);
    let shown = latest.map(|message| json!({ "to": message.to, "body": message.body }));
    let page: Vec<_> = shown.take(asked("PageSize").parse().unwrap()).collect();
    HttpResponse::Ok().json(json!({ "messages": page, "next_page_uri": null }))
}

fn list(world: &World, request: &Request) -> HttpResponse {
    let asked = |name: &str| {
        request.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    };
    let number = |name, default| asked(name).map_or(default, |text| text.parse().unwrap());
    let (page, size) = (number("Page", 0), number("PageSize", 50));
    let mut calls: Vec<_> = world.calls.iter().collect();
    calls.sort_by_key(|call| std::cmp::Reverse(call.created));
    calls.retain(|call| asked("To").is_none_or(|to| to == call.to));
    calls.retain(|call| asked("From").is_none_or(|from| from == call.from));
    let more = calls.len() > (page + 1) * size;
    let next = more.then(|| {
        let encoded = |name| asked(name).unwrap_or_default().replace('+', "%2B");
        format!(
            "{}?To={}&From={}&PageSize={size}&Page={}&PageToken=PA1",
            request.path,
            encoded("To"),
            encoded("From"),
            page + 1,
        )
    });
    let calls: Vec<_> = calls.into_iter().skip(page * size).take(size).map(shown).collect();
    HttpResponse::Ok().json(json!({ "calls": calls, "page": page, "next_page_uri": next }))
}

fn shown(call: &Placed) -> serde_json::Value {
    json!({
        "sid": call.sid,
        "to": call.to,
        "from": call.from,
        "date_created": call.created.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string(),
        "start_time": null,
        "direction": call.direction,
        "status": call.status,
    })
}

fn error(status: u16, code: u32) -> HttpResponse {
    HttpResponse::build(StatusCode::from_u16(status).unwrap()).json(json!({
        "code": code,
        "message": "no",
        "more_info": format!("https://www.twilio.com/docs/errors/{code}"),
        "status": status,
    }))
}
