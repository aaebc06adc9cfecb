//! Owns the decision trace: what each rule says of a made-up visit, and on what grounds. The same
//! rules in the same order as for a real visit; nothing is spent.

use serde::Serialize;

use super::{Facts, ProofFact, Requirement, RuleId, evaluate};
use crate::access_tier::{self, AccessTier, DecidingTier, Shown};
use crate::cast::Cast;
use crate::denial::Denial;
use crate::quota::QuotaKind;

/// The result of one policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The rule, in one word.
    pub rule: &'static str,
    /// The question of the policy.
    pub question: &'static str,
    /// Whether the visitor passes. The first refusal is the answer that a visitor would get.
    pub passes: bool,
    /// The refusal's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// Why, in plain words.
    pub because: String,
    /// When it makes sense to come back, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

/// Asks every rule, also those after a refusal.
pub fn trace(facts: &Facts<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut observer = |rule: RuleId, verdict: Result<(), Denial>| {
        steps.push(step(rule, facts, verdict.err()));
        Ok(())
    };
    // Only a missing link ends it early, and that step has been recorded.
    let _ = evaluate(facts, &mut observer);
    steps
}

fn step(rule: RuleId, facts: &Facts<'_>, denial: Option<Denial>) -> Step {
    let explain = explain(rule, facts);
    let because = match &denial {
        None => explain,
        Some(denial) => format!(
            "{} {explain}",
            denial.detail.as_deref().unwrap_or(denial.code.sentence())
        ),
    };
    let (name, question) = rule.words();
    Step {
        rule: name,
        question,
        passes: denial.is_none(),
        code: denial.as_ref().map(|denial| denial.code.as_str()),
        because,
        retry_after: denial.and_then(|denial| denial.retry_after),
    }
}

/// The input of the policy.
fn explain(rule: RuleId, facts: &Facts<'_>) -> String {
    let Some(cast) = facts.cast else {
        return "There is no link with this key.".to_owned();
    };
    let settings = &cast.settings;
    let on = |on: bool, text: &str| {
        if on {
            text.to_owned()
        } else {
            "Off.".to_owned()
        }
    };
    match rule {
        RuleId::Enabled if !settings.enabled && facts.resumable().is_some() => {
            "Off; the visitor's own session continues.".to_owned()
        }
        RuleId::Enabled => on(settings.enabled, "The link is enabled."),
        RuleId::ValidUntil => settings.valid_until.map_or_else(
            || "No end is set.".to_owned(),
            |end| format!("It ends at {end}."),
        ),
        RuleId::OpenHours => settings.open_hours.as_ref().map_or_else(
            || "Always open.".to_owned(),
            |hours| {
                let spans: Vec<String> = hours.spans.iter().map(ToString::to_string).collect();
                format!("Open {} ({}).", spans.join("; "), hours.time_zone)
            },
        ),
        RuleId::Addresses => {
            let bans = facts.deployment.banned_addresses.len() + settings.banned_addresses.len();
            format!(
                "{} against {bans} bans and {} allowed blocks.",
                facts.address,
                settings.allowed_addresses.len()
            )
        }
        RuleId::Referrer if settings.referrers.is_empty() => "Every site is accepted.".to_owned(),
        RuleId::Referrer => {
            let rules: Vec<String> = settings.referrers.iter().map(ToString::to_string).collect();
            let allowed = rules.join(", ");
            facts.referrer.map_or_else(
                || format!("No referrer was sent; allowed: {allowed}."),
                |referrer| format!("Referrer: {referrer}; allowed: {allowed}."),
            )
        }
        RuleId::Login => match (settings.allow_anonymous, facts.user) {
            (_, Some(user)) => format!("Signed in as {}.", user.name),
            (true, None) => "Anonymous users are allowed.".to_owned(),
            (false, None) => {
                "The visitor is not signed in, and anonymous users are not allowed.".to_owned()
            }
        },
        RuleId::Resume => match (settings.allow_resume, facts.own_session) {
            (false, _) => "Off.".to_owned(),
            (true, Some(session)) => {
                format!("Session {} is theirs and is resumed.", session.id)
            }
            (true, None) => "No session to resume.".to_owned(),
        },
        RuleId::Maintenance => {
            let maintenance = &facts.deployment.maintenance;
            maintenance.since.filter(|_| maintenance.is_on).map_or_else(
                || on(maintenance.is_on, "On."),
                |since| {
                    let by = maintenance.by.as_deref().unwrap_or("an administrator");
                    format!("On since {since}, by {by}.")
                },
            )
        }
        RuleId::Invitation => invited(facts, settings.invitation_required),
        RuleId::Image => facts.image.map_or_else(
            || "The image is gone.".to_owned(),
            |image| format!("Image {}.", image.settings.name),
        ),
        RuleId::KasmUrl => match (&facts.parameters.kasm_url, &settings.kasm_url) {
            (Some(requested), _) if settings.dynamic_kasm_url => {
                format!("The visitor asks for {requested}.")
            }
            (Some(_), _) => {
                "The link does not accept kasm_url; the visitor's is ignored.".to_owned()
            }
            (None, Some(own)) => format!("The link's own: {own}."),
            (None, None) => "None.".to_owned(),
        },
        RuleId::Network => facts.parameters.docker_network.as_ref().map_or_else(
            || {
                facts.network.map_or_else(
                    || "The deployment's own.".to_owned(),
                    |network| format!("Network {}.", network.id),
                )
            },
            |requested| format!("The visitor asks for {requested}."),
        ),
        RuleId::Consent => match facts.consent {
            None => "Asked on the landing page when the visitor brings an address.".to_owned(),
            Some(given) => on(given, "Given."),
        },
        RuleId::Attempts => format!(
            "At most {} in a minute.",
            facts.deployment.attempts_per_minute
        ),
        RuleId::Captcha => {
            let kind = facts.deployment.captcha.kind.as_str();
            match facts.captcha_requirement(cast) {
                Requirement::No => "Not asked for.".to_owned(),
                Requirement::Optional => {
                    format!("Offered on the landing page ({kind}); an access tier asks for it.")
                }
                Requirement::Required => format!("Asked for on the landing page ({kind})."),
            }
        }
        RuleId::AccessTiers if settings.access_tiers.is_empty() => "Off.".to_owned(),
        RuleId::AccessTiers => tiered(facts, cast),
        RuleId::Turn if !settings.waiting_room => "Off.".to_owned(),
        RuleId::Turn => {
            let waiting = facts.queue.map_or(0, |view| view.queue.waiting(facts.now));
            format!("In the waiting room: {waiting}.")
        }
        RuleId::LiveLimits => {
            let most = |most: Option<u32>| {
                most.map_or_else(|| "no limit".to_owned(), |most| most.to_string())
            };
            let user = most(facts.user.and(facts.grant.sessions_per_user));
            format!(
                "Per user {user}; this link {}; all links {}.",
                most(settings.max_live_sessions),
                most(facts.deployment.max_sessions)
            )
        }
        RuleId::Budget => {
            let set = super::budget::budgets(cast, facts.deployment, facts.now);
            let texts: Vec<String> = set.iter().map(budget_text).collect();
            if texts.is_empty() {
                "No budget.".to_owned()
            } else {
                texts.join(" ")
            }
        }
        RuleId::IpWindow => match &settings.ip_limit {
            None => "Off.".to_owned(),
            Some(limit) if super::ip_window::applies(Some(limit), facts.address).is_none() => {
                "This address is exempt.".to_owned()
            }
            Some(limit) => {
                let used = facts.window.map_or(0, |window| {
                    window.count(crate::rate_window::RateWindow::cutoff(limit, facts.now))
                });
                format!(
                    "{used} of {} in {} seconds are used.",
                    limit.sessions, limit.within_seconds
                )
            }
        },
        RuleId::Total if settings.limit_total_sessions => {
            format!("{} remain.", cast.counter.remaining)
        }
        RuleId::Total => "Off.".to_owned(),
        RuleId::Hook => settings.admission_hook.server().map_or_else(
            || "Off.".to_owned(),
            |server| {
                let hook = &settings.admission_hook;
                format!(
                    "{server} would be asked, for {} ms; without an answer the link is {}.",
                    hook.millis,
                    hook.unanswered.as_str()
                )
            },
        ),
    }
}

/// Which tier decides, and what it gives; also with the CAPTCHA solved, if that was not said.
fn tiered(facts: &Facts<'_>, cast: &Cast) -> String {
    let (tiers, shown) = (&cast.settings.access_tiers, facts.shown(cast));
    let mut text = format!("{}.", decides(tiers, &shown));
    let is_open = facts.proof == ProofFact::NotAsked
        && facts.captcha_requirement(cast) == Requirement::Optional;
    if is_open {
        let solved = Shown {
            captcha: true,
            ..shown
        };
        text.push_str(&format!(
            " With the CAPTCHA solved: {}.",
            decides(tiers, &solved)
        ));
    }
    if tiers.iter().any(AccessTier::asks_origin) {
        text.push_str(&format!(" The address: {}.", shown.origin));
    }
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

fn decides(tiers: &[AccessTier], shown: &Shown<'_>) -> String {
    let Some((at, tier)) = access_tier::choose(tiers, shown) else {
        return "no tier fits this visitor".to_owned();
    };
    let decides = DecidingTier::of(at, tier);
    if !tier.admits() {
        return format!("{decides} refuses");
    }
    let terms = &tier.terms;
    let network = terms.network.as_ref();
    let given = [
        network.map(|network| format!("network {network}")),
        (terms.group_id.as_ref()).map(|group| format!("group {group}")),
        (terms.time_limit_seconds).map(|limit| format!("at most {limit} seconds")),
    ];
    let given: Vec<String> = given.into_iter().flatten().collect();
    if given.is_empty() {
        format!("{decides} admits, as the link says")
    } else {
        format!("{decides} admits: {}", given.join(", "))
    }
}

fn budget_text(budget: &super::budget::Budget) -> String {
    let window = match budget.kind {
        QuotaKind::BudgetHour => "in an hour, all links together",
        QuotaKind::BudgetDay => "in a day, all links together",
        QuotaKind::LinkBudgetHour => "in an hour, this link",
        QuotaKind::LinkBudgetDay => "in a day, this link",
        QuotaKind::LinkBudgetMonth => "in a month, this link",
        _ => "in all, this link",
    };
    let cents = budget.cents;
    format!("${}.{:02} {window}.", cents / 100, cents % 100)
}

fn invited(facts: &Facts<'_>, is_required: bool) -> String {
    match (facts.invitation.is_named, facts.invitation.found) {
        (false, _) if is_required => "None is named, and one is required.".to_owned(),
        (false, _) => "None is named, and none is required.".to_owned(),
        (true, None) => "It is none of this link.".to_owned(),
        (true, Some(found)) => {
            let (settings, opened) = (&found.settings, facts.invitation.opened_at);
            let mut text = format!("Invitation of {}", settings.name);
            if !settings.label.is_empty() {
                text.push_str(&format!(" ({})", settings.label));
            }
            text.push_str(&format!(", for {} uses", settings.uses));
            if let Some(end) = found.ends_at(opened) {
                text.push_str(&format!(", until {end}"));
            }
            if let Some(minutes) = settings.activation_minutes.filter(|_| opened.is_none()) {
                text.push_str(&format!(", for {minutes} minutes once it is opened"));
            }
            if let Some(revoked) = found.revoked_at {
                text.push_str(&format!(", revoked at {revoked}"));
            }
            text + "."
        }
    }
}

impl RuleId {
    /// The rule in one word, and as a question.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Enabled => ("enabled", "Does the link exist, and is it enabled?"),
            Self::ValidUntil => ("valid_until", "Is it still valid?"),
            Self::OpenHours => ("open_hours", "Is it open at this hour?"),
            Self::Addresses => ("addresses", "Is this address allowed?"),
            Self::Referrer => ("referrer", "Does the visitor come from a listed site?"),
            Self::Login => ("login", "Is the visitor signed in, if required?"),
            Self::Attempts => ("attempts", "Has this address tried too often?"),
            Self::Resume => ("resume", "Does the visitor have a session already?"),
            Self::Maintenance => ("maintenance", "Is the deployment not in maintenance?"),
            Self::Invitation => (
                "invitation",
                "Is the visitor\u{2019}s invitation good, if one is named or required?",
            ),
            Self::Image => ("image", "Can the image be started?"),
            Self::KasmUrl => ("kasm_url", "Can the address be opened?"),
            Self::Network => ("network", "Can the network be used?"),
            Self::Consent => ("consent", "Does the visitor agree to the address?"),
            Self::Captcha => ("captcha", "Is the CAPTCHA solved?"),
            Self::AccessTiers => (
                "access_tiers",
                "Does an access tier admit the visitor, and on which terms?",
            ),
            Self::Turn => ("turn", "Is it the visitor's turn?"),
            Self::LiveLimits => ("live_limits", "Is there room for another session?"),
            Self::Budget => ("budget", "Is there budget for another session?"),
            Self::IpWindow => (
                "ip_window",
                "Has this address had too many sessions lately?",
            ),
            Self::Total => ("total", "Do sessions remain?"),
            Self::Hook => (
                "admission_hook",
                "Does the server of the admission hook let the visitor in?",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access_tier::Proof;
    use crate::geo::{AddressOrigin, Country, CountryEntry};
    use crate::network::NetworkName;
    use crate::policy::tests::Fixture;
    use crate::policy::{Verdict, admit};
    use crate::referrer::ReferrerRule;
    use crate::terms::AdmissionTerms;

    #[test]
    fn trace_has_every_rule_and_the_first_refusal_decides() {
        let mut fixture = Fixture::plain();
        fixture.cast.settings.referrers = vec![ReferrerRule::parse("acme.com").expect("a host")];
        fixture.cast.settings.limit_total_sessions = true;
        let facts = Facts {
            referrer: Some("evil.org"),
            ..fixture.facts()
        };
        let steps = trace(&facts);
        let refused: Vec<_> = steps
            .iter()
            .filter(|step| !step.passes)
            .map(|step| step.rule)
            .collect();
        assert_eq!((steps.len(), refused), (22, vec!["referrer", "total"]));
        let Verdict::Deny(denial) = admit(&facts) else {
            panic!("is refused")
        };
        assert_eq!(
            steps.iter().find_map(|step| step.code),
            Some(denial.code.as_str())
        );
        let because = &steps[4].because;
        assert!(
            because.contains("evil.org") && because.contains("acme.com"),
            "{because}"
        );
    }

    #[test]
    fn trace_without_a_link_has_one_step() {
        let fixture = Fixture::plain();
        let steps = trace(&Facts {
            cast: None,
            ..fixture.facts()
        });
        assert_eq!(
            steps
                .iter()
                .map(|step| (step.rule, step.passes))
                .collect::<Vec<_>>(),
            [("enabled", false)]
        );
    }

    #[test]
    fn trace_says_which_tier_decides_and_what_it_gives() {
        let tier = |name: &str, proof, network: &str| AccessTier {
            name: name.into(),
            proof,
            terms: AdmissionTerms {
                network: NetworkName::parse(network),
                ..AdmissionTerms::default()
            },
            ..AccessTier::default()
        };
        let mut fixture = Fixture::plain();
        fixture.cast.settings.access_tiers = vec![
            tier("People", Proof::Captcha, "lab"),
            AccessTier {
                countries: vec![CountryEntry::parse("DE").expect("a country")],
                ..tier("", Proof::Any, "offline")
            },
        ];
        let german = AddressOrigin {
            country: Country::parse("DE"),
            asn: None,
        };
        for (name, proof, origin, passes, expected) in [
            (
                "not said",
                ProofFact::NotAsked,
                german,
                true,
                "Tier 2 admits: network offline. With the CAPTCHA solved: tier 1, \
                 \u{201c}People\u{201d} admits: network lab. The address: country DE, network unknown.",
            ),
            (
                "solved",
                ProofFact::Passed,
                german,
                true,
                "Tier 1, \u{201c}People\u{201d} admits: network lab. The address: country DE, network \
                 unknown.",
            ),
            (
                "not solved",
                ProofFact::Missing,
                german,
                true,
                "Tier 2 admits: network offline. The address: country DE, network unknown.",
            ),
        ] {
            let steps = trace(&Facts {
                proof,
                origin,
                ..fixture.facts()
            });
            let step = steps.iter().find(|step| step.rule == "access_tiers");
            let step = step.expect("a step");
            assert_eq!(
                (step.passes, step.because.as_str()),
                (passes, expected),
                "{name}"
            );
        }
        let steps = trace(&Facts {
            proof: ProofFact::Missing,
            ..fixture.facts()
        });
        let step = steps.iter().find(|step| step.rule == "access_tiers");
        let step = step.expect("a step");
        assert_eq!((step.passes, step.code), (false, Some("access-denied")));
        assert!(
            step.because.contains("No tier fits this visitor."),
            "{}",
            step.because
        );
    }
}
