//! Owns what holds between the fields of a cast: what a switch needs, what is kept while it is off,
//! and what is done to the counter. Must not know how a single field is read.

use serde_json::json;

use super::fields::CastFields;
use super::{ADD, CounterChange, MAX_SESSIONS};
use crate::cast::{Cast, CastSettings, IpLimit, KeptIpLimit};
use crate::form::{Form, Warning};
use crate::hook_form;
use crate::json_schema::needs;
use crate::permission::ClientSettings;
use crate::referrer::ReferrerRule;
use crate::url_rules::{self, OwnUrls};

/// What a change is made on.
pub(super) struct Change<'a> {
    pub(super) cast: &'a Cast,
    /// The Sessions Remaining that the document was made from.
    pub(super) read_at: Option<u64>,
    /// What is to be added to Sessions Remaining.
    pub(super) added: Option<i64>,
}

/// The settings that the fields make, and what is done to the counter.
pub(super) fn judge(
    form: &mut Form,
    fields: CastFields,
    change: Option<&Change<'_>>,
    own: &OwnUrls,
    warnings: &mut Vec<Warning>,
) -> (CastSettings, CounterChange) {
    let current = change.map(|change| change.cast);
    let counter = judge_total(form, &fields, change, warnings);
    let (ip_limit, kept_ip_limit) = judge_ip_limit(form, &fields, current, warnings);
    judge_error_url(form, &fields.settings, own);
    hook_form::judge(form, &fields.settings.hook);
    form.rule(|| {
        needs(
            "admission_hook_enabled",
            &json!(true),
            &["admission_hook_url"],
        )
    });
    let asks = &fields.settings.admission_hook;
    if asks.enabled && asks.url.is_none() {
        form.require(
            "admission_hook_url",
            "is required while admission_hook_enabled is on.",
        );
    }
    let client = fields.client_settings;
    let is_kept = !fields.enforce_client_settings && client != ClientSettings::default();
    let settings = CastSettings {
        previous_key: current
            .and_then(|cast| cast.settings.previous_key.clone())
            .filter(|previous| previous.key != fields.settings.key),
        ip_limit,
        kept_ip_limit,
        referrers: without_repeats(fields.settings.referrers),
        counted_since: counted_since(current, fields.settings.max_live_sessions),
        kept_client_settings: is_kept.then(|| client.clone()),
        enforced_client_settings: fields.enforce_client_settings.then_some(client),
        ..fields.settings
    };
    (settings, counter)
}

/// Limit Total Session and Sessions Remaining: what is done to the counter. The number stays while
/// the limit is off.
fn judge_total(
    form: &mut Form,
    fields: &CastFields,
    change: Option<&Change<'_>>,
    warnings: &mut Vec<Warning>,
) -> CounterChange {
    const NAME: &str = "sessions_remaining";
    form.rule(|| needs("limit_total_sessions", &json!(true), &[NAME]));
    let on = fields.settings.limit_total_sessions;
    let remaining = fields.sessions_remaining;
    if on && remaining.is_none() {
        form.require(NAME, "is required while limit_total_sessions is on.");
    }
    let stored = change.and_then(|change| change.cast.sessions_remaining());
    let set = remaining.filter(|remaining| form.names(NAME) && stored != Some(*remaining));
    if !on && set.is_some() {
        warnings.push(Warning {
            pointer: "/sessions_remaining",
            detail: "has no effect while limit_total_sessions is off; it is kept until then.",
        });
    }
    let set = set.map_or(CounterChange::Keep, CounterChange::Set);
    let Some(change) = change else {
        return set;
    };
    let current = change.cast.counter.remaining;
    let set = match (set, change.read_at) {
        // No claim moves it while the limit is off.
        _ if !change.cast.settings.limit_total_sessions => set,
        // The document has the number that it was made from; claims have moved it since.
        (CounterChange::Set(number), Some(read_at)) if number == read_at => CounterChange::Keep,
        (CounterChange::Set(_), Some(read_at)) if read_at != current => {
            form.refuse(
                NAME,
                format!(
                    "was {read_at} when this was read, and is {current} now: visitors count on. \
                     Read it again, or send {ADD}."
                ),
            );
            CounterChange::Keep
        }
        (CounterChange::Set(_), None) => {
            form.refuse(
                NAME,
                format!(
                    "is {current} now, and every claim moves it: send the ETag of what was read \
                     as If-Match to set another number, or {ADD} to change it by a difference."
                ),
            );
            CounterChange::Keep
        }
        (set, _) => set,
    };
    judge_difference(form, set, current, change.added)
}

/// What is done to the counter, with the difference that is to be added to it.
fn judge_difference(
    form: &mut Form,
    set: CounterChange,
    current: u64,
    added: Option<i64>,
) -> CounterChange {
    let Some(added) = added.filter(|added| *added != 0) else {
        return set;
    };
    if set != CounterChange::Keep {
        form.refuse(ADD, "cannot be sent with another sessions_remaining.");
        return set;
    }
    let sum = current.checked_add_signed(added);
    if sum.is_none_or(|sum| sum > MAX_SESSIONS) {
        let detail = format!("does not fit: there are {current}, and 0 to {MAX_SESSIONS} can be.");
        form.refuse(ADD, detail);
        return set;
    }
    CounterChange::Add(added)
}

/// Limit Requests Per IP, Sessions Allowed and Within Seconds; and what is kept of them while the
/// limit is off.
fn judge_ip_limit(
    form: &mut Form,
    fields: &CastFields,
    current: Option<&Cast>,
    warnings: &mut Vec<Warning>,
) -> (Option<IpLimit>, KeptIpLimit) {
    form.rule(|| {
        needs(
            "limit_requests_per_ip",
            &json!(true),
            &["sessions_allowed", "within_seconds"],
        )
    });
    let set = fields.ip_limit.clone();
    if !fields.limit_requests_per_ip {
        let before = current.map_or(KeptIpLimit::NONE, |cast| KeptIpLimit::of(&cast.settings));
        for (pointer, is_new) in [
            ("/sessions_allowed", set.sessions != before.sessions),
            (
                "/within_seconds",
                set.within_seconds != before.within_seconds,
            ),
        ] {
            if is_new {
                warnings.push(Warning {
                    pointer,
                    detail: "has no effect while limit_requests_per_ip is off; it is kept until \
                             then.",
                });
            }
        }
        return (None, set);
    }
    for (name, missing) in [
        ("sessions_allowed", set.sessions.is_none()),
        ("within_seconds", set.within_seconds.is_none()),
    ] {
        if missing {
            form.require(name, "is required while limit_requests_per_ip is on.");
        }
    }
    let limit = set.sessions.zip(set.within_seconds);
    let limit = limit.map(|(sessions, within_seconds)| IpLimit {
        sessions,
        within_seconds,
        by: set.by,
        exempt: set.exempt,
    });
    (limit, KeptIpLimit::NONE)
}

/// Error URL must not lead back to this deployment.
fn judge_error_url(form: &mut Form, settings: &CastSettings, own: &OwnUrls) {
    let judged = settings.error_url.as_deref();
    if let Some(Err(detail)) = judged.map(|url| url_rules::error_url(url, own)) {
        form.mistake("error_url", detail);
    }
}

fn without_repeats(rules: Vec<ReferrerRule>) -> Vec<ReferrerRule> {
    let mut once: Vec<ReferrerRule> = Vec::with_capacity(rules.len());
    for rule in rules {
        if !once.contains(&rule) {
            once.push(rule);
        }
    }
    once
}

/// Since which version of the cast its live sessions are counted: see [`CastSettings`].
fn counted_since(current: Option<&Cast>, max_live_sessions: Option<u32>) -> u64 {
    let Some(cast) = current else { return 1 };
    if cast.settings.max_live_sessions.is_none() && max_live_sessions.is_some() {
        cast.version + 1
    } else {
        cast.settings.counted_since
    }
}
