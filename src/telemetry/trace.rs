//! Traces: from a webhook to the message that was delivered because of it, sent by OTLP.
//!
//! Off unless `OTEL_EXPORTER_OTLP_ENDPOINT` names a collector; the other `OTEL_…` variables of the standard are
//! used too. An effect carries the trace that caused it into the outbox, so that whichever server delivers it
//! continues the same trace.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator as _};
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, SpanData, SpanExporter as Exports};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
const TRACEPARENT: &str = "traceparent";

/// Sends spans until it is stopped.
#[derive(Debug)]
pub(super) struct Export(SdkTracerProvider);

/// Why no traces are sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotSent {
    // An address may contain a password: it is not repeated.
    #[error("a variable `OTEL_EXPORTER_OTLP_…` is not as it should be")]
    Exporter(#[source] ExporterBuildError),
    #[error("their sender could not be made")]
    Thread,
}

impl Export {
    /// `None`: nobody wants traces.
    pub(super) fn start(environment: fn(&str) -> Option<String>) -> Result<Option<Self>, NotSent> {
        if ENDPOINTS.iter().find_map(|name| environment(name)).is_none() {
            return Ok(None);
        }
        let _ = rustls::crypto::ring::default_provider().install_default();
        // The exporter's own thread does the sending, with a client that must not be made within a runtime.
        let exporter = std::thread::spawn(|| SpanExporter::builder().with_http().build()).join();
        let exporter = exporter.map_err(|_| NotSent::Thread)?.map_err(NotSent::Exporter)?;
        let name = environment("OTEL_SERVICE_NAME").unwrap_or_else(|| "callgate".into());
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(Telling { exporter, is_failing: AtomicBool::new(false) })
            .with_resource(Resource::builder().with_service_name(name).build())
            .build();
        Ok(Some(Self(provider)))
    }

    pub(super) fn tracer(&self) -> SdkTracer {
        self.0.tracer("callgate")
    }

    /// Sends what is left.
    pub(super) fn stop(&self) {
        let _ = self.0.shutdown();
    }
}

/// Sends spans, and tells when none arrive any more, and when they do again.
#[derive(Debug)]
struct Telling {
    exporter: SpanExporter,
    is_failing: AtomicBool,
}

impl Exports for Telling {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let sent = self.exporter.export(batch).await;
        match (&sent, self.is_failing.swap(sent.is_err(), Ordering::Relaxed)) {
            (Err(error), false) => tracing::warn!(%error, "traces cannot be sent"),
            (Ok(()), true) => tracing::info!("traces are sent again"),
            _ => {}
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.exporter.shutdown()
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// The trace that we are in, as it travels; `None`: none.
pub fn parent() -> Option<String> {
    let context = Span::current().context();
    if !context.span().span_context().is_valid() {
        return None;
    }
    let mut carrier = Carrier::default();
    TraceContextPropagator::new().inject_context(&context, &mut carrier);
    carrier.0
}

/// Goes on, in this span, with a trace that has travelled.
pub fn follow(span: &Span, parent: Option<&str>) {
    if let Some(parent) = parent {
        let carrier = Carrier(Some(parent.to_owned()));
        let _ = span.set_parent(TraceContextPropagator::new().extract(&carrier));
    }
}

#[derive(Default)]
struct Carrier(Option<String>);

impl Injector for Carrier {
    fn set(&mut self, key: &str, value: String) {
        if key == TRACEPARENT {
            self.0 = Some(value);
        }
    }
}

impl Extractor for Carrier {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.as_deref().filter(|_| key == TRACEPARENT)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}
