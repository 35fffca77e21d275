//! A line of the log as JSON: `{"timestamp", "level", "fields", "target"}`, and `"spans"` if it is within some.
//!
//! In the form of `tracing-subscriber`, but with lists as lists, and completed before it is handed on: one line
//! for each turn must cost little.

use std::cell::Cell;
use std::fmt::{self, Debug};

use serde::Serializer as _;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_log::NormalizeEvent as _;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::clock::{Clock as _, SystemClock};

/// Fields that hold lists of our own words, whose `Debug` is JSON.
const LISTS: [&str; 3] = ["factors", "judged", "proved"];

pub(super) struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        thread_local! {
            /// The buffer of the line before.
            static ROOM: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
        }
        let normal = event.normalized_metadata();
        let about = normal.as_ref().unwrap_or_else(|| event.metadata());
        write!(writer, "{{\"timestamp\":\"{:.6}\",\"level\":\"", SystemClock.now())?;
        writer.write_str(about.level().as_str())?;
        let mut line = Line(ROOM.take());
        line.raw("\",\"fields\":{");
        event.record(&mut line);
        line.raw("},\"target\":");
        line.text(about.target());
        if let Some(spans) = context.event_scope() {
            line.raw(",\"spans\":[");
            for span in spans.from_root() {
                line.raw_after(b'[', "{\"name\":");
                line.text(span.name());
                if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                    line.raw(",\"fields\":");
                    line.raw(fields);
                }
                line.raw("}");
            }
            line.raw("]");
        }
        line.raw("}\n");
        let Line(mut bytes) = line;
        let written = std::str::from_utf8(&bytes).map_err(|_| fmt::Error);
        let written = written.and_then(|text| writer.write_str(text));
        bytes.clear();
        ROOM.set(bytes);
        written
    }
}

/// A line as it grows. Nothing that is written into memory fails.
struct Line(Vec<u8>);

impl Line {
    fn raw(&mut self, json: &str) {
        self.0.extend_from_slice(json.as_bytes());
    }

    /// The next of several; the first of them comes right after this bracket.
    fn raw_after(&mut self, bracket: u8, json: &str) {
        if self.0.last() != Some(&bracket) {
            self.0.push(b',');
        }
        self.raw(json);
    }

    fn text(&mut self, text: &str) {
        let _ = serde_json::Serializer::new(&mut self.0).serialize_str(text);
    }

    /// A field. Where in its source somebody's line stands is of the machine that they were built on.
    fn field(&mut self, field: &Field, value: impl FnOnce(&mut Self)) {
        if !field.name().starts_with("log.") {
            self.raw_after(b'{', "\"");
            self.raw(field.name());
            self.raw("\":");
            value(self);
        }
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.field(field, |line| line.text(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.field(field, |line| {
            let _ = serde_json::Serializer::new(&mut line.0).serialize_u64(value);
        });
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.field(field, |line| {
            let _ = serde_json::Serializer::new(&mut line.0).serialize_i64(value);
        });
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.field(field, |line| {
            let _ = serde_json::Serializer::new(&mut line.0).serialize_f64(value);
        });
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.field(field, |line| line.raw(if value { "true" } else { "false" }));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.field(field, |line| {
            if LISTS.contains(&field.name()) {
                let _ = std::io::Write::write_fmt(&mut line.0, format_args!("{value:?}"));
            } else {
                let shown = format_args!("{value:?}");
                let _ = serde_json::Serializer::new(&mut line.0).collect_str(&shown);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that are written meanwhile, without their time and place.
    fn lines_of(log: impl FnOnce()) -> Vec<Value> {
        let kept = Kept::default();
        let writer = kept.clone();
        let layer = tracing_subscriber::fmt::layer().json().event_format(Json);
        let layer = layer.with_writer(move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        let line = |line: &str| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            let fields = line.as_object_mut().unwrap();
            let at: jiff::Timestamp =
                fields.remove("timestamp").unwrap().as_str().unwrap().parse().unwrap();
            assert!(at <= SystemClock.now());
            assert_eq!(fields.remove("target").unwrap(), module_path!());
            line
        };
        text.lines().map(line).collect()
    }

    #[test]
    fn a_line_is_json_whatever_it_says() {
        let nothing: Option<&str> = None;
        let lines = lines_of(|| {
            tracing::info!(
                call.id = %"7",
                turns = 3_u64,
                less = -1,
                half = 0.5,
                none = f64::NAN,
                well = true,
                nothing,
                text = "\"quoted\"\n\u{1b}[31m, é",
                shown = ?"a \"b\"",
                proved = ?["pin", "sms_otp"],
                log.file = "/home/builder/lib.rs",
                log.line = 7_u64,
                "a turn"
            );
            tracing::warn!("nothing else");
        });
        let fields = json!({
            "message": "a turn", "call.id": "7", "turns": 3, "less": -1, "half": 0.5, "none": null, "well": true,
            "text": "\"quoted\"\n\u{1b}[31m, é", "shown": "\"a \\\"b\\\"\"", "proved": ["pin", "sms_otp"],
        });
        let alone = json!({ "level": "WARN", "fields": { "message": "nothing else" } });
        assert_eq!(lines, [json!({ "level": "INFO", "fields": fields }), alone]);
    }

    #[test]
    fn a_line_tells_what_it_is_within() {
        let lines = lines_of(|| {
            let outer = tracing::info_span!("outer", call.id = 7, outcome = tracing::field::Empty);
            let _outer = outer.enter();
            outer.record("outcome", "Turn");
            let _inner = tracing::info_span!("inner").entered();
            tracing::info!("within");
        });
        let outer = json!({ "name": "outer", "fields": { "call.id": 7, "outcome": "Turn" } });
        let spans = json!([outer, { "name": "inner", "fields": {} }]);
        let line = json!({ "level": "INFO", "fields": { "message": "within" }, "spans": spans });
        assert_eq!(lines, [line]);
    }
}
