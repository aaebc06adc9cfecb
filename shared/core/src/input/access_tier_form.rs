//! Owns how access tiers are written and read over the API. Must not know whom they fit, nor whether
//! the records that they name are there.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::access_tier::{AccessTier, MAX_ENTRIES, MAX_TIERS, Proof, TierOutcome};
use crate::field::{At, Field};
use crate::form::{Form, line, parsed, whole};
use crate::geo::{AsnEntry, CountryEntry, UNKNOWN};
use crate::group_form;
use crate::network_form;
use crate::resource::Widget;
use crate::terms::AdmissionTerms;
use crate::user::MAX_GROUPS;

/// The longest name of a tier, in characters.
const MAX_NAME: usize = 60;
/// The longest time limit, in seconds (7 days).
const LONGEST_SECONDS: u64 = 604_800;

/// The list of tiers: `[{"name": "Staff", "proof": "login", "login_groups": ["Staff"], "network":
/// "lab"}, …]`.
pub(crate) fn field<D>(name: &'static str, at: At<D, Vec<AccessTier>>) -> Field<D> {
    let read = move |form: &mut Form, record: &mut D| {
        *at(record) = form.objects(name, MAX_TIERS, read_one);
    };
    let show = move |record: &mut D| at(record).iter().map(view).collect();
    Field::custom(name, Widget::AccessTiers, read, show)
}

fn read_one(part: &mut Form) -> AccessTier {
    let tier = AccessTier {
        name: part.defaulted("name", String::new(), line(0..=MAX_NAME)),
        proof: part.defaulted("proof", Proof::Any, parsed(Proof::parse)),
        login_groups: part.list_of("login_groups", 0..=MAX_GROUPS, &line(1..=200)),
        countries: part.list("countries", MAX_ENTRIES, CountryEntry::parse),
        except_countries: part.list("except_countries", MAX_ENTRIES, CountryEntry::parse),
        asns: part.list("asns", MAX_ENTRIES, AsnEntry::parse),
        except_asns: part.list("except_asns", MAX_ENTRIES, AsnEntry::parse),
        outcome: part.defaulted("outcome", TierOutcome::Admit, parsed(TierOutcome::parse)),
        terms: AdmissionTerms {
            network: part.nullable("network", parsed(network_form::read_name)),
            group_id: part.nullable("group_id", parsed(group_form::read_id)),
            time_limit_seconds: part
                .nullable("session_time_limit_seconds", whole(60..=LONGEST_SECONDS)),
        },
    };
    judge(part, &tier);
    tier
}

/// What holds between the fields of a tier.
fn judge(part: &mut Form, tier: &AccessTier) {
    part.rule(|| {
        json!({
            "if": { "required": ["login_groups"], "properties": { "login_groups": { "minItems": 1 } } },
            "then": { "required": ["proof"], "properties": { "proof": { "const": "login" } } },
        })
    });
    if !tier.login_groups.is_empty() && tier.proof != Proof::Login {
        part.refuse("login_groups", "needs the proof login.");
    }
    for (listed, except, is_both) in [
        (
            "countries",
            "except_countries",
            !tier.countries.is_empty() && !tier.except_countries.is_empty(),
        ),
        (
            "asns",
            "except_asns",
            !tier.asns.is_empty() && !tier.except_asns.is_empty(),
        ),
    ] {
        part.rule(|| {
            json!({
                "if": { "required": [listed], "properties": { listed: { "minItems": 1 } } },
                "then": { "properties": { except: { "maxItems": 0 } } },
            })
        });
        part.rule(
            || json!({ "properties": { except: { "not": { "contains": { "const": UNKNOWN } } } } }),
        );
        if is_both {
            part.refuse(except, format!("cannot be combined with {listed}."));
        }
    }
    let lists_unknown = [
        (
            "except_countries",
            tier.except_countries.contains(&CountryEntry(None)),
        ),
        ("except_asns", tier.except_asns.contains(&AsnEntry(None))),
    ];
    for (name, is_wrong) in lists_unknown {
        if is_wrong {
            part.refuse(
                name,
                "fits no address that is unknown, so unknown cannot be in it.",
            );
        }
    }
    let terms = ["network", "group_id", "session_time_limit_seconds"];
    part.rule(|| {
        let null = || json!({ "type": "null" });
        json!({
            "if": { "required": ["outcome"], "properties": { "outcome": { "const": "deny" } } },
            "then": { "properties": terms.map(|name| (name, null())).into_iter().collect::<BTreeMap<_, _>>() },
        })
    });
    if !tier.admits() {
        for name in terms {
            if part.names(name) {
                part.refuse(name, "means nothing where the outcome is deny.");
            }
        }
    }
}

/// A tier as the API shows it; what is read can be sent back.
fn view(tier: &AccessTier) -> Value {
    let AccessTier {
        name,
        proof,
        login_groups,
        countries,
        except_countries,
        asns,
        except_asns,
        outcome,
        terms,
    } = tier;
    json!({
        "name": name,
        "proof": proof,
        "login_groups": login_groups,
        "countries": countries,
        "except_countries": except_countries,
        "asns": asns,
        "except_asns": except_asns,
        "outcome": outcome,
        "network": terms.network,
        "group_id": terms.group_id,
        "session_time_limit_seconds": terms.time_limit_seconds,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::json_schema::SchemaBuilder;

    fn reading(tiers: &Value) -> Result<Vec<AccessTier>, Vec<String>> {
        let mut form =
            Form::over(Map::new(), &json!({ "access_tiers": tiers }), &[]).expect("an object");
        let tiers = form.objects("access_tiers", MAX_TIERS, read_one);
        let pointers = |error: crate::form::FieldError| error.pointer;
        form.finish()
            .map(|()| tiers)
            .map_err(|errors| errors.0.into_iter().map(pointers).collect())
    }

    #[test]
    fn each_field_of_a_tier_is_checked_as_its_schema_says() {
        let schema = SchemaBuilder::of(|form| {
            form.objects("access_tiers", MAX_TIERS, read_one);
        })
        .whole();
        let validator = jsonschema::options().build(&schema).expect("a schema");
        let group = format!("g{}", "a".repeat(26));
        for (name, tier, wrong) in [
            ("nothing", json!({}), vec![]),
            (
                "everything",
                json!({"name": "Staff", "proof": "login", "login_groups": ["Staff"], "countries": ["DE", "unknown"],
                    "except_asns": ["AS64496"], "outcome": "admit", "network": "lab", "group_id": group,
                    "session_time_limit_seconds": 600}),
                vec![],
            ),
            ("no object", json!("any"), vec![""]),
            ("a stray", json!({"proofs": "any"}), vec!["/proofs"]),
            ("another proof", json!({"proof": "face"}), vec!["/proof"]),
            (
                "groups without a login",
                json!({"login_groups": ["A"]}),
                vec!["/login_groups"],
            ),
            (
                "groups with another proof",
                json!({"proof": "any", "login_groups": ["A"]}),
                vec!["/login_groups"],
            ),
            (
                "an empty group",
                json!({"proof": "login", "login_groups": [""]}),
                vec!["/login_groups/0"],
            ),
            (
                "no country",
                json!({"countries": ["UK"]}),
                vec!["/countries/0"],
            ),
            (
                "a small country",
                json!({"countries": ["DE", "de"]}),
                vec!["/countries/1"],
            ),
            (
                "in and not in",
                json!({"countries": ["DE"], "except_countries": ["FR"]}),
                vec!["/except_countries"],
            ),
            (
                "not in the unknown",
                json!({"except_countries": ["unknown"]}),
                vec!["/except_countries"],
            ),
            ("a bare number", json!({"asns": ["64496"]}), vec!["/asns/0"]),
            ("a number", json!({"asns": [64496]}), vec!["/asns/0"]),
            (
                "in systems and not in others",
                json!({"asns": ["AS1"], "except_asns": ["AS2"]}),
                vec!["/except_asns"],
            ),
            (
                "a refusal",
                json!({"outcome": "deny", "network": null}),
                vec![],
            ),
            (
                "a refusal with terms",
                json!({"outcome": "deny", "network": "lab", "session_time_limit_seconds": 60}),
                vec!["/network", "/session_time_limit_seconds"],
            ),
            (
                "no network",
                json!({"network": "The Lab"}),
                vec!["/network"],
            ),
            (
                "the default network",
                json!({"network": "default"}),
                vec!["/network"],
            ),
            ("no group", json!({"group_id": "staff"}), vec!["/group_id"]),
            (
                "too short",
                json!({"session_time_limit_seconds": 59}),
                vec!["/session_time_limit_seconds"],
            ),
            (
                "a long name",
                json!({"name": "n".repeat(61)}),
                vec!["/name"],
            ),
        ] {
            let tiers = json!([{}, tier]);
            let expected: Vec<String> = wrong
                .iter()
                .map(|pointer| format!("/access_tiers/1{pointer}"))
                .collect();
            let found = reading(&tiers).err().unwrap_or_default();
            assert_eq!(found, expected, "{name}");
            let fits = validator.is_valid(&json!({ "access_tiers": tiers }));
            assert_eq!(fits, wrong.is_empty(), "{name}, by its schema");
        }
    }

    #[test]
    fn tiers_that_are_read_can_be_sent_back() {
        let tiers = json!([
            {"name": "Staff", "proof": "login", "login_groups": ["Staff"], "network": "lab"},
            {"proof": "captcha", "except_countries": ["FR"], "asns": ["AS64496", "unknown"],
                "session_time_limit_seconds": 600},
            {"outcome": "deny"},
        ]);
        let read = reading(&tiers).expect("is read");
        let shown: Value = read.iter().map(view).collect();
        assert_eq!(reading(&shown).expect("is read again"), read);
        assert_eq!(shown[1]["asns"], json!(["AS64496", "unknown"]));
    }

    #[test]
    fn list_has_a_longest_length() {
        assert!(reading(&json!(vec![json!({}); MAX_TIERS])).is_ok());
        let wrong = reading(&json!(vec![json!({}); MAX_TIERS + 1])).expect_err("is too long");
        assert_eq!(wrong, ["/access_tiers"]);
    }
}
