//! Owns how a weekly plan is filled in: days to tick, and from when to when. Must not know what is
//! open then.

use serde_json::{Value, json};

use super::form_parser::FormData;

/// The days as a span names them, and as people do.
pub const DAYS: [(&str, &str); 7] = [
    ("mon", "Mon"),
    ("tue", "Tue"),
    ("wed", "Wed"),
    ("thu", "Thu"),
    ("fri", "Fri"),
    ("sat", "Sat"),
    ("sun", "Sun"),
];
/// The most lines that a plan can have.
const MOST: usize = 20;
/// How many empty lines are offered.
const SPARE: usize = 2;

/// The plan as it is filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The time zone.
    pub zone: String,
    /// The lines, a few empty ones at the end.
    pub lines: Vec<Line>,
}

/// One line of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Line {
    /// The days, as a span names them.
    pub days: Vec<String>,
    /// When it begins, such as `09:00`.
    pub from: String,
    /// When it ends.
    pub to: String,
}

impl Line {
    /// Whether this day is ticked.
    pub fn has(&self, day: &str) -> bool {
        self.days.iter().any(|ticked| ticked == day)
    }

    /// As people write it: `Mon\u{2013}Fri 09:00\u{2013}17:00`; empty when nothing is said.
    pub fn words(&self) -> String {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for at in (0..DAYS.len()).filter(|at| DAYS.get(*at).is_some_and(|(day, _)| self.has(day))) {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == at => *last = at,
                _ => runs.push((at, at)),
            }
        }
        let name = |at: usize| DAYS.get(at).map_or("", |(_, words)| *words);
        let run = |(first, last): &(usize, usize)| match last - first {
            0 => name(*first).to_owned(),
            1 => format!("{}, {}", name(*first), name(*last)),
            _ => format!("{}\u{2013}{}", name(*first), name(*last)),
        };
        let days: Vec<String> = runs.iter().map(run).collect();
        if days.is_empty() {
            String::new()
        } else {
            format!("{} {}\u{2013}{}", days.join(", "), self.from, self.to)
        }
    }
}

/// The plan in a document.
pub fn plan(value: &Value) -> Plan {
    let spans = value["spans"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut lines: Vec<Line> = spans.iter().filter_map(Value::as_str).map(line).collect();
    let wanted = (lines.len() + SPARE).min(MOST);
    lines.resize(wanted.max(lines.len()), Line::default());
    Plan {
        zone: value["time_zone"].as_str().unwrap_or_default().to_owned(),
        lines,
    }
}

/// A span such as `mon,tue 09:00-17:00`, also one that is not quite right.
fn line(span: &str) -> Line {
    let (days, hours) = span.trim().split_once(' ').unwrap_or(("", span));
    let (from, to) = hours.trim().split_once('-').unwrap_or((hours, ""));
    let days = days.split(',').flat_map(between).collect();
    Line {
        days,
        from: from.trim().to_owned(),
        to: to.trim().to_owned(),
    }
}

/// `mon-wed` as single days.
fn between(days: &str) -> Vec<String> {
    let at = |name: &str| DAYS.iter().position(|(day, _)| *day == name);
    let (first, last) = days.split_once('-').unwrap_or((days, days));
    let (Some(first), Some(last)) = (at(first), at(last)) else {
        return Vec::new();
    };
    let count = (last + 7 - first) % 7;
    DAYS.iter()
        .cycle()
        .skip(first)
        .take(count + 1)
        .map(|(day, _)| (*day).to_owned())
        .collect()
}

/// Reads the plan `{name}` from the fields `{name}.zone`, and `{name}.N.day`, `.from` and `.to` for
/// each line N. Lines in which nothing is said are left out; without a line there is no plan.
pub fn read(name: &str, form_data: &FormData) -> Value {
    let mut spans = Vec::new();
    for at in 0..MOST {
        let field = |part: &str| format!("{name}.{at}.{part}");
        let (day, from, to) = (field("day"), field("from"), field("to"));
        let days: Vec<&str> = DAYS
            .iter()
            .map(|(day, _)| *day)
            .filter(|known| form_data.all(&day).any(|day| day == *known))
            .collect();
        let hour = |name: &str| form_data.first(name).unwrap_or_default().trim().to_owned();
        let (from, to) = (hour(&from), hour(&to));
        if !days.is_empty() || !from.is_empty() || !to.is_empty() {
            spans.push(format!("{} {from}-{to}", days.join(",")));
        }
    }
    if spans.is_empty() {
        return Value::Null;
    }
    let zone = form_data
        .first(&format!("{name}.zone"))
        .unwrap_or_default()
        .trim()
        .to_owned();
    json!({ "time_zone": zone, "spans": spans })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedule_spans_become_form_rows() {
        for (span, days, from, to) in [
            ("mon,tue 09:00-17:00", &["mon", "tue"][..], "09:00", "17:00"),
            (
                "sat-mon 22:00-02:00",
                &["sat", "sun", "mon"],
                "22:00",
                "02:00",
            ),
            (" 09:00-17:00", &[], "09:00", "17:00"),
            ("mon 9-", &["mon"], "9", ""),
            ("nonsense", &[], "nonsense", ""),
        ] {
            let line = line(span);
            assert_eq!(
                (line.days, line.from.as_str(), line.to.as_str()),
                (days.iter().map(|d| (*d).to_owned()).collect(), from, to),
                "{span}"
            );
        }
    }

    #[test]
    fn schedule_form_offers_spare_rows_up_to_the_limit() {
        let plan_of = |count: usize| {
            plan(&json!({"time_zone": "UTC", "spans": vec!["mon 09:00-17:00"; count]}))
                .lines
                .len()
        };
        assert_eq!(
            (plan_of(0), plan_of(1), plan_of(19), plan_of(20)),
            (2, 3, 20, 20)
        );
        assert_eq!(plan(&Value::Null).lines.len(), 2);
    }

    #[test]
    fn consecutive_days_are_shown_as_a_range() {
        for (span, words) in [
            (
                "mon,tue,wed,thu,fri 09:00-17:00",
                "Mon\u{2013}Fri 09:00\u{2013}17:00",
            ),
            (
                "mon,wed,sat,sun 09:00-17:00",
                "Mon, Wed, Sat, Sun 09:00\u{2013}17:00",
            ),
            ("fri 22:00-24:00", "Fri 22:00\u{2013}24:00"),
        ] {
            assert_eq!(line(span).words(), words);
        }
        assert_eq!(Line::default().words(), "");
    }

    #[test]
    fn empty_schedule_form_means_no_schedule() {
        let zone = vec![
            ("open_hours.zone".to_owned(), "UTC".to_owned()),
            ("open_hours.0.from".to_owned(), " ".to_owned()),
        ];
        assert_eq!(read("open_hours", &FormData::new(zone)), Value::Null);
    }
}
