//! Logs and traces, and counts of what is asked of others, wherever that happens.
//!
//! Secrets are kept out by their types. Other libraries log only warnings, whatever level is asked for: at a
//! finer level they would write down the data that they carry.

mod few;
mod json;
mod lines;
mod outside;
mod panics;
pub mod trace;

use std::io::IsTerminal as _;

use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

pub use self::few::Few;
use self::json::Json;
use self::lines::Lines;
pub use self::outside::{Outside, OutsideCounter, Peer};
pub use self::panics::tell_where;
use self::trace::Export;

/// Logs and traces, until it is dropped: then what is left of them is written and sent.
#[must_use]
#[derive(Debug)]
pub struct Watch {
    lines: Option<Lines>,
    export: Option<Export>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(export) = &self.export {
            export.stop();
        }
        if let Some(lines) = &self.lines {
            lines.write_out();
        }
    }
}

/// Writes logs to standard error: for people on a terminal, otherwise in JSON. `level` is `error`, `warn`,
/// `info`, `debug` or `trace`, for callgate's own lines. Sends traces if a variable of the `environment` says
/// where to.
pub fn start(level: Option<&str>, environment: fn(&str) -> Option<String>) -> Watch {
    let level = level.and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    let ours = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("callgate", level)
        // What strangers send that is not HTTP is refused with 400 and is nobody's error: otherwise they could
        // fill the errors with as many as they like.
        .with_target("actix_http::h1::dispatcher", LevelFilter::OFF)
        // A server of a cluster that is away would be reported at each attempt to reach it, a hundred times a
        // second; our own lines say what cannot be done without it.
        .with_target("redis", LevelFilter::OFF);
    let (export, failure) = match Export::start(environment) {
        Ok(export) => (export, None),
        Err(failure) => (None, Some(failure)),
    };
    // Spans are useful only in traces; if none are sent, they must cost nothing.
    let traces = export.as_ref().map(|export| {
        let spans = Targets::new().with_target("callgate", LevelFilter::DEBUG);
        tracing_opentelemetry::layer()
            .with_tracer(export.tracer())
            .with_location(false)
            .with_threads(false)
            .with_filter(spans)
    });
    let lines = if std::io::stderr().is_terminal() { None } else { Lines::start() };
    let layer = tracing_subscriber::fmt::layer();
    let layer = match &lines {
        None => layer.with_writer(std::io::stderr).boxed(),
        Some(lines) => layer.json().event_format(Json).with_writer(lines.clone()).boxed(),
    };
    let _ = tracing_subscriber::registry().with(layer.with_filter(ours)).with(traces).try_init();
    if let Some(failure) = failure {
        tracing::warn!(%failure, "no traces are sent");
    }
    Watch { lines, export }
}

/// An error and its causes, each of them once.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
