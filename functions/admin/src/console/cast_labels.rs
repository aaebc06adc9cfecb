//! Owns the summary of a cast's settings in a few sentences, and its status in one word. Must not
//! know how they are filled in.

use casting_core::open_hours::OpenHours;
use casting_core::resource::OptionSource;
use casting_core::time::Timestamp;
use serde_json::Value;

use super::form::Choices;
use super::page_context::Severity;
use super::schedule_field;
use super::table::Badge;
use super::time_format::{grouped, length};
use super::zone::Zone;

/// Whether it is so.
pub fn on(cast: &Value, field: &str) -> bool {
    cast[field].as_bool().unwrap_or_default()
}

/// A text; empty when there is none.
pub fn text<'a>(document: &'a Value, field: &str) -> &'a str {
    document[field].as_str().unwrap_or_default()
}

/// How many lines a list has.
fn count(cast: &Value, field: &str) -> usize {
    cast[field].as_array().map_or(0, Vec::len)
}

/// Where the link stands at this moment, in a word. `maintenance` is the deployment's.
pub fn state(cast: &Value, now: Timestamp, maintenance: bool) -> Badge {
    let ends = Timestamp::parse(text(cast, "valid_until"));
    if !on(cast, "enabled") {
        Badge::new(Severity::Plain, "Off")
    } else if ends.is_some_and(|ends| ends <= now) {
        Badge::new(Severity::Bad, "Expired")
    } else if on(cast, "limit_total_sessions") && cast["sessions_remaining"].as_u64() == Some(0) {
        Badge::new(Severity::Bad, "Used up")
    } else if hours_of(cast).is_some_and(|hours| !hours.is_open(now)) {
        Badge::new(Severity::Warn, "Closed now")
    } else if maintenance {
        Badge::new(Severity::Warn, "Maintenance")
    } else if cast["max_live_sessions"].as_u64() == Some(0) {
        Badge::new(Severity::Warn, "No sessions")
    } else {
        Badge::new(Severity::Good, "On")
    }
}

fn hours_of(cast: &Value) -> Option<OpenHours> {
    serde_json::from_value(cast["open_hours"].clone()).ok()
}

/// What the link does, a sentence for each thing that matters to a visitor.
pub fn sentences(cast: &Value, choices: &Choices, zone: &Zone) -> Vec<String> {
    let mut sentences = vec![who(cast)];
    if on(cast, "invitation_required") {
        sentences.push("By invitation only.".to_owned());
    }
    let lists = [
        ("restrict_to_referrers", "sites"),
        ("allowed_addresses", "address blocks"),
    ];
    for (field, what) in lists {
        match count(cast, field) {
            0 => {}
            1 => sentences.push(format!(
                "Only from: {}.",
                cast[field][0].as_str().unwrap_or_default()
            )),
            many => sentences.push(format!("Only from {many} listed {what}.")),
        }
    }
    if count(cast, "banned_addresses") > 0 {
        sentences.push(format!(
            "{} banned.",
            plural(
                count(cast, "banned_addresses") as u64,
                "address block is",
                "address blocks are"
            )
        ));
    }
    let tiers = count(cast, "access_tiers");
    if tiers > 0 {
        let tiers = plural(tiers as u64, "access tier decides", "access tiers decide");
        sentences.push(format!("{tiers} who gets which session."));
    }
    if on(cast, "admission_hook_enabled") {
        let open = text(cast, "admission_hook_fails") == "open";
        sentences.push(format!(
            "A server is asked about each visitor; without an answer {}.",
            if open {
                "they come in"
            } else {
                "nobody comes in"
            }
        ));
    }
    sentences.extend(limits(cast));
    if let Some(hours) = hours_of(cast) {
        let lines = schedule_field::plan(&cast["open_hours"]).lines;
        let spans: Vec<String> = lines
            .iter()
            .map(schedule_field::Line::words)
            .filter(|words| !words.is_empty())
            .collect();
        sentences.push(format!("Open {} ({}).", spans.join("; "), hours.time_zone));
    }
    if let Some(ends) = Timestamp::parse(text(cast, "valid_until")) {
        sentences.push(format!("Ends {}.", zone.minute(ends)));
    }
    if let Some(times) = cast["extensions_allowed"]
        .as_u64()
        .filter(|times| *times > 0)
    {
        let minutes = cast["extension_minutes"].as_u64().unwrap_or_default();
        sentences.push(format!(
            "Owners may extend a session {}, by {} each.",
            plural(times, "time", "times"),
            plural(minutes, "minute", "minutes")
        ));
    }
    sentences.push(landing(cast, choices));
    if on(cast, "enable_sharing") {
        let who = if on(cast, "allow_anonymous_viewers") {
            "anyone"
        } else {
            "anyone who is signed in"
        };
        let lobby = if on(cast, "enable_lobby") {
            ", once the owner lets them in"
        } else {
            ""
        };
        sentences.push(format!(
            "Sessions are shared: {who} with the share link can watch{lobby}."
        ));
    }
    sentences
}

fn who(cast: &Value) -> String {
    match (on(cast, "allow_anonymous"), on(cast, "require_captcha")) {
        (true, true) => "Anyone with the link can start a session after a CAPTCHA.",
        (true, false) => "Anyone with the link can start a session without signing in.",
        (false, _) => "Visitors must sign in.",
    }
    .to_owned()
}

fn limits(cast: &Value) -> Vec<String> {
    let mut sentences = Vec::new();
    let number = |field: &str| cast[field].as_u64();
    if on(cast, "limit_total_sessions") {
        let remaining = number("sessions_remaining").unwrap_or_default();
        sentences.push(format!(
            "{} remaining.",
            plural(remaining, "session", "sessions")
        ));
    }
    if let (true, Some(sessions), Some(within)) = (
        on(cast, "limit_requests_per_ip"),
        number("sessions_allowed"),
        number("within_seconds"),
    ) {
        let by = if text(cast, "limit_requests_by") == "browser" {
            "browser"
        } else {
            "network address"
        };
        sentences.push(format!(
            "At most {} per {by} in {}.",
            plural(sessions, "session", "sessions"),
            length(within)
        ));
    }
    if let Some(most) = number("max_live_sessions") {
        sentences.push(format!(
            "At most {} at the same time.",
            plural(most, "session", "sessions")
        ));
    }
    let budgets = [
        ("budget_per_hour_cents", "an hour"),
        ("budget_per_day_cents", "a day"),
        ("budget_per_month_cents", "a month"),
        ("budget_in_all_cents", "all time"),
    ];
    for (field, window) in budgets {
        if let Some(cents) = number(field) {
            let (dollars, cents) = (cents / 100, cents % 100);
            sentences.push(format!("A budget of ${dollars}.{cents:02} for {window}."));
        }
    }
    if on(cast, "waiting_room") {
        sentences.push("When full, visitors wait in a queue.".to_owned());
    }
    if sentences.is_empty() {
        sentences.push("No limit on the number of sessions.".to_owned());
    }
    sentences
}

fn landing(cast: &Value, choices: &Choices) -> String {
    let image = name_of(choices, OptionSource::Image, text(cast, "image_id"));
    let image = if image.is_empty() {
        "a session".to_owned()
    } else {
        format!("a session of {image}")
    };
    let opens = match (text(cast, "kasm_url"), on(cast, "allow_dynamic_kasm_url")) {
        ("", false) => String::new(),
        ("", true) => ", which may open an address from the link".to_owned(),
        (url, false) => format!(", which opens {url}"),
        (url, true) => format!(", which opens {url} or an address from the link"),
    };
    format!("Starts {image}{opens}.")
}

/// How people read what was picked; what is not among the choices is shown as it is.
pub fn name_of(choices: &Choices, from: OptionSource, value: &str) -> String {
    let found = choices
        .get(&from)
        .and_then(|options| options.iter().find(|(known, _)| known == value));
    found.map_or_else(|| value.to_owned(), |(_, words)| words.clone())
}

/// A cast's name in a list, with enough of its key to distinguish it from another of that name.
pub fn called(name: &str, key: &str) -> String {
    const SHOWN: usize = 10;
    let dots = if key.chars().count() > SHOWN {
        "\u{2026}"
    } else {
        ""
    };
    match key {
        "" => name.to_owned(),
        key => format!(
            "{name} ({}{dots})",
            key.chars().take(SHOWN).collect::<String>()
        ),
    }
}

/// A number with its noun.
pub fn plural(number: u64, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        grouped(number),
        if number == 1 { one } else { many }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use casting_core::testing::NOON;
    use serde_json::json;

    #[test]
    fn casts_with_equal_names_are_distinguishable() {
        for (name, key, expected) in [
            ("Demo", "short-key", "Demo (short-key)"),
            ("Demo", "a-key-that-is-long", "Demo (a-key-that\u{2026})"),
            ("Demo", "", "Demo"),
        ] {
            assert_eq!(called(name, key), expected);
        }
    }

    #[test]
    fn link_status_is_its_first_blocker() {
        for (fields, word) in [
            (
                json!({"enabled": false, "valid_until": "2020-01-01T00:00:00Z"}),
                "Off",
            ),
            (
                json!({"enabled": true, "valid_until": "2026-11-23T12:00:00Z"}),
                "Expired",
            ),
            (
                json!({"enabled": true, "limit_total_sessions": true, "sessions_remaining": 0}),
                "Used up",
            ),
            (
                json!({"enabled": true, "limit_total_sessions": false, "sessions_remaining": 0}),
                "On",
            ),
            (
                json!({"enabled": true, "max_live_sessions": 0}),
                "No sessions",
            ),
            // NOON is a Monday.
            (
                json!({"enabled": true, "open_hours": {"time_zone": "UTC", "spans": ["tue 09:00-17:00"]}}),
                "Closed now",
            ),
            (
                json!({"enabled": true, "open_hours": {"time_zone": "UTC", "spans": ["mon 09:00-17:00"]}}),
                "On",
            ),
        ] {
            assert_eq!(state(&fields, NOON, false).text, word, "{fields}");
            let in_maintenance = if word == "On" || word == "No sessions" {
                "Maintenance"
            } else {
                word
            };
            assert_eq!(state(&fields, NOON, true).text, in_maintenance, "{fields}");
        }
    }

    #[test]
    fn link_is_summarised_in_sentences() {
        let plain = sentences(
            &json!({"image_id": "i1"}),
            &Choices::from([(OptionSource::Image, vec![("i1".into(), "Chromium".into())])]),
            &Zone::default(),
        );
        assert_eq!(
            plain,
            [
                "Visitors must sign in.",
                "No limit on the number of sessions.",
                "Starts a session of Chromium."
            ]
        );
        let full = sentences(
            &json!({
                "allow_anonymous": true, "require_captcha": true, "restrict_to_referrers": ["acme.com"], "limit_total_sessions": true,
                "sessions_remaining": 1200, "limit_requests_per_ip": true, "sessions_allowed": 1, "within_seconds": 60,
                "kasm_url": "https://example.com/", "enable_sharing": true, "enable_lobby": true,
                "valid_until": "2026-12-31T18:00:00Z", "admission_hook_enabled": true,
            }),
            &Choices::default(),
            &Zone::named("Europe/Berlin").expect("a zone"),
        );
        assert_eq!(
            full,
            [
                "Anyone with the link can start a session after a CAPTCHA.",
                "Only from: acme.com.",
                "A server is asked about each visitor; without an answer nobody comes in.",
                "1\u{202f}200 sessions remaining.",
                "At most 1 session per network address in 1 min.",
                "Ends 31 Dec 2026, 19:00 CET.",
                "Starts a session, which opens https://example.com/.",
                "Sessions are shared: anyone who is signed in with the share link can watch, once the owner lets them in.",
            ]
        );
    }
}
