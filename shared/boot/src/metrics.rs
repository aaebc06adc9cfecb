//! Owns the metrics: turns what the rules count into lines of CloudWatch's embedded metric format,
//! which CloudWatch reads from the log. Must not decide what is counted: that is said where it
//! happens, as an event of the target [`METRICS`].

use std::fmt::Debug;
use std::io::Write;

use casting_core::METRICS;
use casting_core::time::{Clock, Timestamp};
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::system::SystemClock;

/// The CloudWatch namespace of our metrics.
pub const NAMESPACE: &str = "SessionCasting";

/// The dimension that keeps the metrics of several stacks in one account apart.
const STACK: &str = "stack";

/// Writes each count as one line to standard output.
pub(crate) struct Metrics {
    /// The stack that these are metrics of; `None` leaves the dimension out.
    pub(crate) stack: Option<String>,
}

impl<S: Subscriber> Layer<S> for Metrics {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if event.metadata().target() != METRICS {
            return;
        }
        let mut counted = Counted::of(self.stack.as_deref());
        event.record(&mut counted);
        // A metric that cannot be written is no reason to let a request fail.
        let _ = writeln!(
            std::io::stdout().lock(),
            "{}",
            counted.line(SystemClock.now())
        );
    }
}

/// The numbers of an event are metrics, its texts their dimensions; displayed values (`%`) stand
/// only in the line, for searches of the log.
#[derive(Default)]
struct Counted {
    metrics: Vec<(&'static str, Value)>,
    dimensions: Vec<(&'static str, String)>,
    properties: Vec<(&'static str, String)>,
}

impl Counted {
    /// Nothing yet, with the dimension `stack`.
    fn of(stack: Option<&str>) -> Self {
        Self {
            dimensions: stack
                .map(|stack| (STACK, stack.to_owned()))
                .into_iter()
                .collect(),
            ..Self::default()
        }
    }

    fn line(&self, now: Timestamp) -> Value {
        let unit = |name: &str| {
            if name.ends_with("_ms") {
                "Milliseconds"
            } else {
                "Count"
            }
        };
        let metrics: Vec<Value> = self
            .metrics
            .iter()
            .map(|(name, _)| json!({ "Name": name, "Unit": unit(name) }))
            .collect();
        let dimensions: Vec<&str> = self.dimensions.iter().map(|(name, _)| *name).collect();
        let directive =
            json!([{ "Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": metrics }]);
        let mut line = Map::from_iter([(
            "_aws".to_owned(),
            json!({ "Timestamp": now.millis(), "CloudWatchMetrics": directive }),
        )]);
        line.extend(
            self.dimensions
                .iter()
                .chain(&self.properties)
                .map(|(name, value)| ((*name).to_owned(), json!(value))),
        );
        line.extend(
            self.metrics
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        Value::Object(line)
    }
}

impl Visit for Counted {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.metrics.push((field.name(), json!(value)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.metrics.push((field.name(), json!(value)));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.dimensions.push((field.name(), value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.properties.push((field.name(), format!("{value:?}")));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// Keeps the lines that would be written.
    struct Kept(Arc<Mutex<Vec<Value>>>);

    impl<S: Subscriber> Layer<S> for Kept {
        fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
            let mut counted = Counted::of(Some("casting-dev"));
            event.record(&mut counted);
            self.0
                .lock()
                .expect("unpoisoned")
                .push(counted.line(Timestamp::from_millis(1_700_000_000_000)));
        }
    }

    #[test]
    fn event_fields_become_metrics_and_dimensions() {
        let kept = Arc::default();
        tracing::subscriber::with_default(
            tracing_subscriber::registry().with(Kept(Arc::clone(&kept))),
            || {
                tracing::info!(target: METRICS, sessions = 1_u64, start_ms = 1500_u64, state = "ready", reference = %"k3f7-2mqa");
            },
        );
        let expected = json!({
            "_aws": {
                "Timestamp": 1_700_000_000_000_u64,
                "CloudWatchMetrics": [{
                    "Namespace": "SessionCasting", "Dimensions": [["stack", "state"]],
                    "Metrics": [{ "Name": "sessions", "Unit": "Count" }, { "Name": "start_ms", "Unit": "Milliseconds" }],
                }],
            },
            "stack": "casting-dev", "state": "ready", "reference": "k3f7-2mqa", "sessions": 1, "start_ms": 1500,
        });
        assert_eq!(*kept.lock().expect("unpoisoned"), [expected]);
    }
}
