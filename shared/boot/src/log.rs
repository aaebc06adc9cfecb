//! Owns where the log goes and how much of it. Must not see requests: what is logged is said where
//! it happens, and never holds an event, a secret, a ticket or a cookie.

use casting_core::METRICS;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::metrics::Metrics;

/// The prefix of all our log targets.
const OURS: &str = "casting";

/// Writes one JSON object a line to standard output, which CloudWatch reads: what happened at
/// `level` (error, warn, info, debug or trace; anything else is info) in our own code, warnings in
/// all other crates, and metrics at every level with `stack` as a dimension. Does nothing when there is a log already.
pub fn to_stdout_as_json(level: Option<&str>, stack: Option<&str>) {
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false);
    let metrics = Metrics {
        stack: stack.map(str::to_owned),
    };
    let counts = metrics.with_filter(Targets::new().with_target(METRICS, LevelFilter::INFO));
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(filter(level)))
        .with(counts)
        .try_init();
}

/// The filter at this level, without metrics.
pub fn filter(level: Option<&str>) -> Targets {
    let level = level
        .and_then(|level| level.trim().parse().ok())
        .unwrap_or(LevelFilter::INFO);
    // The runtime's span carries the id of the invocation, and is an "info" of its own.
    let usual = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("lambda_runtime", LevelFilter::INFO)
        .with_target(OURS, level);
    usual.with_target(METRICS, LevelFilter::OFF)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn log_level_applies_to_own_crates_and_others_warn() {
        for (name, level, target, at, logged) in [
            ("by default", None, "casting_core::flow", Level::INFO, true),
            (
                "by default",
                None,
                "casting_core::flow",
                Level::DEBUG,
                false,
            ),
            (
                "a function",
                Some("debug"),
                "casting_fn_cast",
                Level::DEBUG,
                true,
            ),
            (
                "less",
                Some("WARN"),
                "casting_core::flow",
                Level::INFO,
                false,
            ),
            (
                "a word that is no level",
                Some("loud"),
                "casting_boot",
                Level::INFO,
                true,
            ),
            (
                "others",
                Some("trace"),
                "hyper_util::client",
                Level::INFO,
                false,
            ),
            (
                "what is counted",
                Some("trace"),
                METRICS,
                Level::INFO,
                false,
            ),
            (
                "others that warn",
                Some("error"),
                "hyper_util::client",
                Level::WARN,
                true,
            ),
        ] {
            assert_eq!(
                filter(level).would_enable(target, &at),
                logged,
                "{name}: {target} at {at}"
            );
        }
    }
}
