//! Owns the landing page: what a visitor, or a program, sees of a link before anything is taken. Must not show what is the administrator's.

use askama::Template;
use casting_core::ticket::LAUNCH_TICKET_SECONDS;
use casting_core::{Opened, Terms};
use casting_web::{Forms, Page, Reply, Visit, reply};
use http::StatusCode;
use serde::Serialize;

#[derive(Template)]
#[template(path = "landing.html")]
struct Landing<'a> {
    opened: &'a Opened,
    ticket_seconds: u64,
}

/// What programs are told of a link.
#[derive(Serialize)]
struct Description<'a> {
    /// What it starts.
    name: &'a str,
    /// What a claim must bring besides the ticket.
    needs: [&'a str; 0],
    ticket: &'a str,
    /// Seconds from now.
    ticket_expires_in: u64,
    claim_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_until: Option<String>,
}

/// The page, or its description for a program.
pub(crate) fn reply(opened: &Opened, visit: &Visit, terms: &Terms) -> Reply {
    let settings = &opened.cast.settings;
    if visit.wants_json {
        let description = Description {
            name: &opened.image_name,
            needs: [],
            ticket: &opened.ticket,
            ticket_expires_in: LAUNCH_TICKET_SECONDS,
            claim_url: format!("{}/cast/{}/claims", terms.public_url, settings.key),
            valid_until: settings.valid_until.map(|until| until.to_string()),
        };
        return reply::json(StatusCode::OK, &description);
    }
    let main = Landing { opened, ticket_seconds: LAUNCH_TICKET_SECONDS };
    let page = Page {
        style: include_str!("../templates/landing.css"),
        script: include_str!("../templates/landing.js"),
        forms: Forms::LeadAway,
        framed_by: &settings.referrers,
        ..Page::new(&opened.image_name, &main)
    };
    page.reply(visit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::tests::{body, terms, visit};
    use casting_core::referrer::ReferrerRule;
    use casting_core::testing::{NOON, cast};

    fn opened() -> Opened {
        let mut cast = cast(1);
        cast.settings.name = "Internal name".into();
        cast.settings.description = "Internal notes".into();
        Opened { cast: cast.into(), image_name: "Paint <&> Draw".into(), ticket: "v1.ticket.signature".into() }
    }

    #[test]
    fn a_person_gets_one_button_and_nothing_of_the_administrators() {
        let reply = reply(&opened(), &visit("text/html"), &terms());
        let html = body(&reply);
        assert_eq!(reply.status(), 200);
        assert!(html.contains("<h1>Paint &#60;&#38;&#62; Draw</h1>"), "escaped");
        assert!(html.contains(&format!("method=\"post\" action=\"/cast/{}/claims\"", opened().cast.settings.key)));
        assert!(html.contains("name=\"ticket\" value=\"v1.ticket.signature\""));
        assert!(!html.contains("Internal"));
        assert!(html.len() < 10_000, "{} bytes", html.len());
        assert_eq!(reply.headers()["cache-control"], "no-store");
    }

    #[test]
    fn a_program_gets_what_a_claim_needs() {
        let mut opened = opened();
        std::sync::Arc::make_mut(&mut opened.cast).settings.valid_until = Some(NOON);
        insta::assert_snapshot!(body(&reply(&opened, &visit("application/json"), &terms())), @r#"{"name":"Paint <&> Draw","needs":[],"ticket":"v1.ticket.signature","ticket_expires_in":300,"claim_url":"https://cast.example.com/cast/wg7ndnwnxuz2qpp6wwvolf64ra/claims","valid_until":"2026-11-23T12:00:00Z"}"#);
    }

    #[test]
    fn only_the_sites_of_the_referrer_list_may_frame_it() {
        let mut opened = opened();
        let policy =
            |opened: &Opened| reply(opened, &visit("text/html"), &terms()).headers()["content-security-policy"].to_str().map(str::to_owned);
        assert!(policy(&opened).expect("text").contains("frame-ancestors 'none'"));
        std::sync::Arc::make_mut(&mut opened.cast).settings.referrers = vec![ReferrerRule::parse("=acme.com").expect("a rule")];
        assert!(policy(&opened).expect("text").contains("frame-ancestors acme.com:*;"));
    }
}
