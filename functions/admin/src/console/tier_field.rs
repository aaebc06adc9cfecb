//! Owns how access tiers are filled in: one group of fields for each, in an order that can be
//! changed. Must not know whom a tier fits.

use casting_core::access_tier::MAX_TIERS;
use casting_core::geo::UNKNOWN;
use casting_core::resource::OptionSource;
use serde_json::{Value, json};

use super::form::{Choice, Choices};
use super::form_parser::FormData;
use super::measure::{self, Unit};

/// How many empty tiers are offered.
const SPARE: usize = 1;
/// What must be shown, and how people read it; nothing chosen is no tier.
const PROOFS: [(&str, &str); 5] = [
    ("", "No tier"),
    ("any", "Anyone"),
    (
        "captcha",
        "Visitors who have solved the CAPTCHA or signed in",
    ),
    ("login", "Visitors who have signed in"),
    ("invitation", "Invited visitors"),
];
/// What becomes of those whom it fits.
const OUTCOMES: [(&str, &str); 2] = [("admit", "Get a session"), ("deny", "Are refused")];
/// How a list is meant: the field of the document, by the word that is sent.
const MODES: [(&str, &str); 2] = [("in", "from"), ("except", "not from")];
/// The units of a time limit.
const UNITS: [Unit; 4] = [
    (1, "seconds"),
    (60, "minutes"),
    (3600, "hours"),
    (86_400, "days"),
];

/// The tiers as they are filled in, a few empty ones at the end.
#[derive(Debug)]
pub struct Tiers(pub Vec<Tier>);

/// One tier.
#[derive(Debug)]
pub struct Tier {
    /// For administrators.
    pub name: String,
    /// What must be shown.
    pub proofs: Vec<Choice>,
    /// One group on each line.
    pub login_groups: String,
    /// Countries.
    pub countries: Origins,
    /// Autonomous systems.
    pub asns: Origins,
    /// What becomes of those whom it fits.
    pub outcomes: Vec<Choice>,
    /// Where their sessions run.
    pub networks: Vec<Choice>,
    /// In which group they are.
    pub groups: Vec<Choice>,
    /// How long their sessions live: what is typed, and the unit.
    pub limit: (String, Vec<Choice>),
}

/// A list of where visitors come from, or not.
#[derive(Debug)]
pub struct Origins {
    /// Which of the two.
    pub modes: Vec<Choice>,
    /// The entries, separated by commas.
    pub entries: String,
}

impl Tier {
    /// Whether it is one.
    pub fn is_used(&self) -> bool {
        !chosen(&self.proofs).is_empty()
    }

    /// What a browser sends of it, as the tier at this place.
    fn sends(&self, name: &str, at: usize) -> Vec<(String, String)> {
        let part = |part: &str| format!("{name}.{at}.{part}");
        let (limit, units) = &self.limit;
        [
            ("place", (at + 1).to_string()),
            ("name", self.name.clone()),
            ("proof", chosen(&self.proofs)),
            ("login_groups", self.login_groups.clone()),
            ("countries", self.countries.entries.clone()),
            ("countries.mode", chosen(&self.countries.modes)),
            ("asns", self.asns.entries.clone()),
            ("asns.mode", chosen(&self.asns.modes)),
            ("outcome", chosen(&self.outcomes)),
            ("network", chosen(&self.networks)),
            ("group_id", chosen(&self.groups)),
            ("limit", limit.clone()),
            ("limit.unit", chosen(units)),
        ]
        .into_iter()
        .map(|(field, value)| (part(field), value))
        .collect()
    }
}

impl Tiers {
    /// What a browser sends of them.
    pub fn sends(&self, name: &str) -> Vec<(String, String)> {
        let numbered = self.0.iter().enumerate();
        numbered
            .flat_map(|(at, tier)| tier.sends(name, at))
            .collect()
    }
}

fn chosen(choices: &[Choice]) -> String {
    let found = choices.iter().find(|choice| choice.chosen);
    found.map_or_else(String::new, |choice| choice.value.clone())
}

fn choices(options: &[(&str, &str)], value: &str) -> Vec<Choice> {
    let choice = |(known, words): &(&str, &str)| Choice {
        value: (*known).to_owned(),
        words: (*words).to_owned(),
        chosen: *known == value,
    };
    options.iter().map(choice).collect()
}

/// The records of this kind, none of them first; one that is no longer there is kept.
fn records(known: &Choices, from: OptionSource, none: &str, value: &str) -> Vec<Choice> {
    let mut options = vec![(String::new(), none.to_owned())];
    options.extend(known.get(&from).cloned().unwrap_or_default());
    if options.iter().all(|(id, _)| id != value) {
        options.push((value.to_owned(), format!("{value} (no longer there)")));
    }
    let choice = |(id, words): (String, String)| Choice {
        chosen: id == value,
        value: id,
        words,
    };
    options.into_iter().map(choice).collect()
}

fn texts(value: &Value) -> Vec<&str> {
    let items = value.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).collect()
}

/// The tiers in a document.
pub fn tiers(value: &Value, known: &Choices) -> Tiers {
    let of_document = value.as_array().into_iter().flatten();
    let mut tiers: Vec<Tier> = of_document.map(|value| tier(value, known)).collect();
    let wanted = (tiers.len() + SPARE).min(MAX_TIERS);
    while tiers.len() < wanted {
        tiers.push(tier(&Value::Null, known));
    }
    Tiers(tiers)
}

fn tier(value: &Value, known: &Choices) -> Tier {
    let text = |field: &str| value[field].as_str().unwrap_or_default();
    let origins = |listed: &str, except: &str| {
        let (mode, field) = if texts(&value[except]).is_empty() {
            ("in", listed)
        } else {
            ("except", except)
        };
        Origins {
            modes: choices(&MODES, mode),
            entries: texts(&value[field]).join(", "),
        }
    };
    let outcome = Some(text("outcome")).filter(|outcome| !outcome.is_empty());
    let limit = &value["session_time_limit_seconds"];
    let (typed, factor) = match (limit.as_u64(), limit.as_str()) {
        (Some(seconds), _) => measure::shown(seconds, &UNITS),
        (None, typed) => (typed.unwrap_or_default().to_owned(), 60),
    };
    let units = UNITS.iter().map(|(size, words)| Choice {
        value: size.to_string(),
        words: (*words).to_owned(),
        chosen: *size == factor,
    });
    Tier {
        name: text("name").to_owned(),
        proofs: choices(&PROOFS, text("proof")),
        login_groups: texts(&value["login_groups"]).join("\n"),
        countries: origins("countries", "except_countries"),
        asns: origins("asns", "except_asns"),
        outcomes: choices(&OUTCOMES, outcome.unwrap_or("admit")),
        networks: records(
            known,
            OptionSource::Network,
            "As the link says",
            text("network"),
        ),
        groups: records(known, OptionSource::Group, "None", text("group_id")),
        limit: (typed, units.collect()),
    }
}

/// Reads the tiers `{name}` from the fields `{name}.N.proof` and so on of each tier N, in the order
/// of their places. One without a proof is no tier.
pub fn read(name: &str, form_data: &FormData) -> Value {
    let mut tiers: Vec<(f64, Value)> = (0..MAX_TIERS)
        .filter_map(|at| {
            let typed = |part: &str| {
                let field = format!("{name}.{at}.{part}");
                form_data
                    .first(&field)
                    .unwrap_or_default()
                    .trim()
                    .to_owned()
            };
            let proof = typed("proof");
            if proof.is_empty() {
                return None;
            }
            let place = typed("place").parse().unwrap_or((at + 1) as f64);
            Some((place, read_one(&proof, typed)))
        })
        .collect();
    tiers.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    tiers.into_iter().map(|(_, tier)| tier).collect()
}

fn read_one(proof: &str, typed: impl Fn(&str) -> String) -> Value {
    let or_null = |text: String| {
        if text.is_empty() {
            Value::Null
        } else {
            json!(text)
        }
    };
    let groups: Vec<String> = lines(&typed("login_groups"));
    let lists = |field: &str, spelt: fn(&str) -> String| {
        let entries: Vec<String> = entries(&typed(field)).map(spelt).collect();
        if typed(&format!("{field}.mode")) == "except" {
            (Vec::new(), entries)
        } else {
            (entries, Vec::new())
        }
    };
    let (countries, except_countries) = lists("countries", spelt_country);
    let (asns, except_asns) = lists("asns", spelt_asn);
    let (limit, unit) = (typed("limit"), typed("limit.unit"));
    let factor = unit.parse().ok().filter(|factor| *factor > 0).unwrap_or(1);
    let limit = match measure::read(&limit, factor) {
        Some(seconds) => json!(seconds),
        None => or_null(limit),
    };
    json!({
        "name": typed("name"),
        "proof": proof,
        "login_groups": groups,
        "countries": countries,
        "except_countries": except_countries,
        "asns": asns,
        "except_asns": except_asns,
        "outcome": typed("outcome"),
        "network": or_null(typed("network")),
        "group_id": or_null(typed("group_id")),
        "session_time_limit_seconds": limit,
    })
}

fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

fn entries(text: &str) -> impl Iterator<Item = &str> {
    let apart = |c: char| c == ',' || c == ';' || c.is_whitespace();
    text.split(apart).filter(|entry| !entry.is_empty())
}

fn is_unknown(entry: &str) -> bool {
    entry.eq_ignore_ascii_case(UNKNOWN)
}

/// A country as the API spells it.
fn spelt_country(entry: &str) -> String {
    if is_unknown(entry) {
        UNKNOWN.to_owned()
    } else {
        entry.to_ascii_uppercase()
    }
}

/// An autonomous system as the API spells it, also where only its number was typed.
fn spelt_asn(entry: &str) -> String {
    if is_unknown(entry) {
        return UNKNOWN.to_owned();
    }
    let entry = entry.to_ascii_uppercase();
    if entry.bytes().all(|b| b.is_ascii_digit()) {
        format!("AS{entry}")
    } else {
        entry
    }
}

/// What a remark is about: `2/countries/0` is `tier 3: entry 1 of countries`; empty for the list.
pub fn subject(rest: &str) -> String {
    let mut parts = rest.split('/');
    let number = |part: Option<&str>| part.and_then(|part| part.parse::<usize>().ok());
    let Some(at) = number(parts.next()) else {
        return String::new();
    };
    let field = parts.next().map(|field| match field {
        "login_groups" => "groups of the login",
        "countries" | "except_countries" => "countries",
        "asns" | "except_asns" => "networks (ASN)",
        "group_id" => "group",
        "session_time_limit_seconds" => "time limit",
        other => other,
    });
    match (field, number(parts.next())) {
        (None, _) => format!("tier {} ", at + 1),
        (Some(field), None) => format!("tier {}: {field} ", at + 1),
        (Some(field), Some(entry)) => {
            format!("tier {}: entry {} of {field} ", at + 1, entry + 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(fields: &[(&str, &str)]) -> FormData {
        let fields = fields
            .iter()
            .map(|(name, value)| (format!("access_tiers.{name}"), (*value).to_owned()));
        FormData::new(fields.collect())
    }

    fn read_of(fields: &[(&str, &str)]) -> Value {
        read("access_tiers", &sent(fields))
    }

    #[test]
    fn typed_tiers_become_those_of_the_api() {
        let read = read_of(&[
            ("0.proof", "login"),
            ("0.name", " Staff "),
            ("0.login_groups", "cn=a,ou=b\r\n\r\nStaff"),
            ("0.countries", "de, at;Unknown"),
            ("0.countries.mode", "in"),
            ("0.asns", "64496 as64497"),
            ("0.asns.mode", "except"),
            ("0.outcome", "admit"),
            ("0.network", "lab"),
            ("0.group_id", ""),
            ("0.limit", "1.5"),
            ("0.limit.unit", "3600"),
        ]);
        let expected = json!([{
            "name": "Staff", "proof": "login", "login_groups": ["cn=a,ou=b", "Staff"],
            "countries": ["DE", "AT", "unknown"], "except_countries": [],
            "asns": [], "except_asns": ["AS64496", "AS64497"],
            "outcome": "admit", "network": "lab", "group_id": null, "session_time_limit_seconds": 5400,
        }]);
        assert_eq!(read, expected);
    }

    #[test]
    fn places_order_the_tiers_and_no_proof_removes_one() {
        let read = read_of(&[
            ("0.proof", "any"),
            ("0.place", "3"),
            ("1.proof", ""),
            ("1.place", "1"),
            ("1.network", "lab"),
            ("2.proof", "login"),
            ("2.place", "1.5"),
            ("3.proof", "captcha"),
            ("3.place", "soon"),
        ]);
        let proofs: Vec<&str> = read
            .as_array()
            .expect("a list")
            .iter()
            .map(|tier| tier["proof"].as_str().expect("a proof"))
            .collect();
        assert_eq!(proofs, ["login", "any", "captcha"]);
    }

    #[test]
    fn nonsense_stays_as_it_was_typed() {
        let read = read_of(&[
            ("0.proof", "face"),
            ("0.limit", "long"),
            ("0.countries", "Europe"),
        ]);
        let tier = &read[0];
        assert_eq!(tier["proof"], "face");
        assert_eq!(tier["session_time_limit_seconds"], "long");
        assert_eq!(tier["countries"], json!(["EUROPE"]));
        let shown = tiers(&read, &Choices::default());
        assert_eq!(shown.0[0].limit.0, "long");
    }

    #[test]
    fn one_tier_more_than_there_are_is_offered() {
        for (count, expected) in [(0, 1), (3, 4), (MAX_TIERS, MAX_TIERS)] {
            let value = json!(vec![json!({"proof": "any"}); count]);
            let shown = tiers(&value, &Choices::default());
            assert_eq!(shown.0.len(), expected);
            assert_eq!(shown.0.iter().filter(|tier| tier.is_used()).count(), count);
        }
    }

    #[test]
    fn remark_names_tier_and_field() {
        for (rest, expected) in [
            ("", ""),
            ("1", "tier 2 "),
            ("0/network", "tier 1: network "),
            ("2/except_countries/3", "tier 3: entry 4 of countries "),
        ] {
            assert_eq!(subject(rest), expected, "{rest}");
        }
    }
}
