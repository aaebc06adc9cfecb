//! Owns the abuse report of a session: what can be told to those who report abuse, and where it is
//! acted on. Must not know how sessions are kept.

use askama::Template;
use serde_json::Value;

use super::cast_labels::text;
use super::layout::{Place, Screen};
use super::page_context::PageContext;
use super::paths;
use super::sessions::{invited, origin, owner, tier};
use super::shown;

/// What can be done, and where.
struct Act {
    words: &'static str,
    label: &'static str,
    href: String,
}

#[derive(Template)]
#[template(path = "console/abuse.html")]
struct Main<'a> {
    id: &'a str,
    report: String,
    acts: Vec<Act>,
}

/// The page of a session, as the API shows the session.
pub fn page(context: &PageContext, session: &Value) -> Screen {
    let id = text(session, "id");
    let main = shown(&Main {
        id,
        report: report(session),
        acts: acts(context, session),
    });
    let reference = text(session, "reference");
    let mut screen = Screen::new(Place::Sessions, "Abuse report", main);
    screen.lead = format!("What is known of session {reference}.");
    screen.trail = vec![
        ("Sessions".into(), paths::SESSIONS.into()),
        (format!("Session {reference}"), paths::session(id)),
    ];
    screen
}

/// The facts of a session, a line each, with times in UTC. Nothing in it identifies a person who
/// has not logged in.
pub fn report(session: &Value) -> String {
    let plain = |field: &str| text(session, field).to_owned();
    let (link, _) = origin(session);
    let ended = match text(session, "ended_at") {
        "" => "not yet".to_owned(),
        at => at.to_owned(),
    };
    let user = match text(&session["owner"], "kind") {
        "user" => format!("{} ({})", owner(session), text(&session["owner"], "id")),
        _ => owner(session),
    };
    let network = match text(session, "network") {
        "" => "default".to_owned(),
        name => name.to_owned(),
    };
    let facts = [
        ("Reference", plain("reference")),
        ("Session", plain("id")),
        ("Claimed", plain("created_at")),
        ("Ready", plain("ready_at")),
        ("Entered", plain("entered_at")),
        ("Ended", ended),
        ("Why it ended", plain("reason").replace('-', " ")),
        ("Address of the task", plain("task_address")),
        ("Task", text(&session["task"], "arn").to_owned()),
        ("Link", link),
        ("Image", plain("image_name")),
        ("Network", network),
        ("Opened at the start", plain("kasm_url")),
        ("Opened last", plain("go_url")),
        ("User", user),
        ("Invitation", invited(session)),
        ("Access tier", tier(session)),
        ("Came from", plain("referrer")),
        ("Hash of the visitor's address", plain("address_hash")),
    ];
    let known = facts.iter().filter(|(_, value)| !value.is_empty());
    known
        .map(|(name, value)| format!("{name}: {}\n", value.replace(char::is_control, " ")))
        .collect()
}

/// What can be done about it, the most urgent first.
fn acts(context: &PageContext, session: &Value) -> Vec<Act> {
    let (id, cast) = (text(session, "id"), text(session, "cast_id"));
    let is_live = !["stopping", "ended"].contains(&text(session, "state"));
    let stop = (is_live && context.may("sessions")).then(|| Act {
        words: "It ends at once, and its visitor reads your reason.",
        label: "Stop the session",
        href: paths::session_stop(id),
    });
    let claims = Act {
        words: "Whether the same visitor came by other links, or more often.",
        label: "Claims from the same address",
        href: paths::claims_from(text(session, "address_hash")),
    };
    let link = (!cast.is_empty()).then(|| Act {
        words: "Disable it, give it a new key, block addresses, or let fewer visitors in.",
        label: "The link",
        href: paths::cast(cast),
    });
    let invitations = (!invited(session).is_empty()).then(|| Act {
        words: "Revoke the one that this visitor came by.",
        label: "Invitations to the link",
        href: paths::cast_invitations(cast),
    });
    let network = Act {
        words: "Where sessions can reach less of the internet.",
        label: "Networks",
        href: paths::NETWORKS.to_owned(),
    };
    let all = [stop, Some(claims), link, invitations, Some(network)];
    all.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn report_says_what_is_known_and_nothing_else() {
        let lived = json!({
            "id": "s1", "reference": "R-1", "created_at": "2026-06-01T12:00:00Z", "ready_at": "2026-06-01T12:00:05Z",
            "entered_at": null, "ended_at": "2026-06-01T12:30:00Z", "reason": "unattended-cpu", "task_address": "203.0.113.9",
            "task": {"arn": "arn:aws:ecs:eu-central-1:1:task/c/9", "status": "STOPPED"}, "pool": null,
            "cast_id": "c1", "cast_name": "Demo", "cast_key": "k", "image_name": "Browser", "network": "quiet",
            "owner": {"kind": "user", "id": "u1", "name": "Bob"}, "invitation": {"name": "Ann", "label": "Sales"},
            "access_tier": {"number": 2, "name": "Staff\nUser: Eve"}, "referrer": "example.com", "address_hash": "h1",
        });
        let fresh = json!({
            "id": "s2", "reference": "R-2", "created_at": "2026-06-01T12:00:00Z", "image_name": "Browser",
            "cast_name": "Demo", "cast_key": "k", "owner": {"kind": "anonymous", "id": "a23456789"}, "address_hash": "h1",
        });
        for (name, session, lines) in [
            (
                "one that has ended",
                lived,
                "Reference: R-1\nSession: s1\nClaimed: 2026-06-01T12:00:00Z\nReady: 2026-06-01T12:00:05Z\n\
                 Ended: 2026-06-01T12:30:00Z\nWhy it ended: unattended cpu\nAddress of the task: 203.0.113.9\n\
                 Task: arn:aws:ecs:eu-central-1:1:task/c/9\nLink: Demo (k)\nImage: Browser\nNetwork: quiet\n\
                 User: Bob (u1)\nInvitation: Ann (Sales)\nAccess tier: Tier 2: Staff User: Eve\nCame from: example.com\n\
                 Hash of the visitor's address: h1\n",
            ),
            (
                "one that starts",
                fresh,
                "Reference: R-2\nSession: s2\nClaimed: 2026-06-01T12:00:00Z\nEnded: not yet\nLink: Demo (k)\n\
                 Image: Browser\nNetwork: default\nUser: Anonymous a2345678\nHash of the visitor's address: h1\n",
            ),
        ] {
            assert_eq!(report(&session), lines, "{name}");
        }
    }
}
