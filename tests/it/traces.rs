//! Traces: one from the webhook that asked for a message to its delivery, and no secret in it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use crate::support::eventually::eventually;
use crate::support::house::{ACCOUNT, House, MOBILE, PIN};
use crate::support::listener::Listener;
use crate::support::provider::Provider;
use crate::support::telephone::{Telephone, digits};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_trace_leads_from_a_webhook_to_the_message_it_caused() {
    let received: Arc<Mutex<Vec<u8>>> = Arc::default();
    let spans: Arc<Mutex<Vec<Span>>> = Arc::default();
    let collector = Listener::start({
        let (received, spans) = (received.clone(), spans.clone());
        move |path, body| {
            assert_eq!(path, "/v1/traces");
            received.lock().unwrap().extend_from_slice(body);
            let request = ExportTraceServiceRequest::decode(body).unwrap();
            let all = request.resource_spans.into_iter().flat_map(|r| r.scope_spans);
            spans.lock().unwrap().extend(all.flat_map(|scope| scope.spans));
        }
    });
    let provider = Provider::start();
    let mut house = House::set_up("embedded:calls.redb", &provider.api_base());
    house.set_environment("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url());
    house.set_environment("OTEL_BSP_SCHEDULE_DELAY", "50");
    house.restart();

    let mut phone = Telephone::new("CA00000000000000000000000000000007", "+15005550777");
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    phone.key(&house, PIN).await;
    phone.key(&house, "1").await;
    let delivered = eventually("the span of the delivery", || {
        let spans = spans.lock().unwrap();
        spans.iter().find(|span| span.name == "deliver" && says(span, "send_sms")).cloned()
    });
    let code = provider.requests().into_iter().find_map(|r| r.field("Body").map(digits)).unwrap();
    let webhook = eventually("the span of the webhook that caused it", || {
        let spans = spans.lock().unwrap();
        spans.iter().find(|span| span.span_id == delivered.parent_span_id).cloned()
    });
    assert_eq!(webhook.name, "webhook");
    assert_eq!(webhook.trace_id, delivered.trace_id);
    house.terminate();
    assert_eq!(house.wait(), Some(0));

    let bytes = received.lock().unwrap().clone();
    let text = String::from_utf8_lossy(&bytes);
    for secret in [PIN, ACCOUNT, &MOBILE[1..], "15005550777", &code] {
        assert!(!text.contains(secret), "`{secret}` is in a trace");
    }
    let count = spans.lock().unwrap().iter().filter(|span| span.name == "webhook").count();
    assert_eq!(count, 4, "what was left is sent at the end");
}

/// Whoever looks for a server that was stopped finds its last calls too, under the name that it was given.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_sent_yet_is_sent_in_the_end() {
    let received: Arc<Mutex<Vec<ExportTraceServiceRequest>>> = Arc::default();
    let collector = Listener::start({
        let received = received.clone();
        move |_, body| {
            received.lock().unwrap().push(ExportTraceServiceRequest::decode(body).unwrap());
        }
    });
    let mut house = House::set_up("memory:", &Provider::start().api_base());
    house.set_environment("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url());
    house.set_environment("OTEL_BSP_SCHEDULE_DELAY", "3600000");
    house.set_environment("OTEL_SERVICE_NAME", "ivr-2");
    house.restart();
    Telephone::new("CA1", "+15005550777").ring(&house).await;
    assert!(received.lock().unwrap().is_empty(), "an hour is not over");
    house.terminate();
    assert_eq!(house.wait(), Some(0));
    let received = received.lock().unwrap();
    let all = received.iter().flat_map(|request| &request.resource_spans);
    let told: Vec<_> = all.map(|of| format!("{of:?}")).collect();
    assert!(
        told.iter().any(|of| of.contains("\"webhook\"") && of.contains("\"ivr-2\"")),
        "{told:?}"
    );
}

/// A collector that refuses is told of once, and once when it takes traces again; nobody waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_takes_nothing_is_told_of_once() {
    const REFUSED: usize = 3;
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", collector.local_addr().unwrap());
    std::thread::spawn(move || {
        for (n, connection) in collector.incoming().enumerate() {
            let mut connection = BufReader::new(connection.unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                connection.read_line(&mut line).unwrap();
                if let Some(said) = line.to_lowercase().strip_prefix("content-length:") {
                    length = said.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            connection.read_exact(&mut vec![0; length]).unwrap();
            let status = if n < REFUSED { "400 Bad Request" } else { "200 OK" };
            let answer =
                format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            connection.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    let mut house = House::set_up("memory:", &Provider::start().api_base());
    house.set_environment("OTEL_EXPORTER_OTLP_ENDPOINT", &url);
    house.set_environment("OTEL_BSP_SCHEDULE_DELAY", "20");
    house.restart();
    let mut calls = 0;
    while !house.log().contains("traces are sent again") {
        calls += 1;
        assert!(calls < 3_000, "{}", house.log());
        Telephone::new(&format!("CA{calls:032}"), "+15005550777").ring(&house).await;
    }
    let log = house.log();
    assert_eq!(log.matches("traces cannot be sent").count(), 1, "{log}");
}

fn says(span: &Span, what: &str) -> bool {
    span.attributes.iter().any(|attribute| format!("{:?}", attribute.value).contains(what))
}
