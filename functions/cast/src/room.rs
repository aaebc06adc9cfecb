//! Owns the page and document of the waiting room. Must not know whose turn it is.

use askama::Template;
use casting_core::urls;
use casting_core::{PublicUrls, Waiting};
use casting_web::words::{self, Words};
use casting_web::{FormAction, Page, Problem, Reply, Request, RequestContext, body, reply};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use url::form_urlencoded::Serializer;

/// The reload interval of the page without scripting, in seconds.
const REFRESH_SECONDS: u32 = 5;

#[derive(Template)]
#[template(path = "room.html")]
struct Room<'a> {
    key: &'a str,
    about: &'a str,
    message: &'a str,
    crowd: &'static str,
    waiting: &'a Waiting,
    words: &'static words::Room,
}

#[derive(Template)]
#[template(path = "left.html")]
struct Left<'a> {
    key: &'a str,
    words: &'static words::Room,
}

/// The visitor's position, for programs.
#[derive(Serialize)]
struct Place<'a> {
    state: &'static str,
    /// 1 is next; 0 has its turn.
    position: usize,
    /// The estimated wait; null without an estimate.
    estimate_seconds: Option<u64>,
    /// Whether a claim with the ticket makes sense now.
    turn: bool,
    /// When to poll again. After more than a minute without a poll the place is lost.
    ask_in_seconds: u64,
    /// The same as a sentence.
    message: &'a str,
    /// The URL to poll.
    room_url: &'a str,
    /// The new ticket, which replaces the previous one.
    ticket: &'a str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TicketDocument {
    ticket: String,
}

/// The ticket of a visitor who leaves.
///
/// # Errors
/// When the body is too large, of another type, or cannot be read.
pub(crate) fn read(request: &Request) -> Result<String, Problem> {
    if body::kind(request) == Some(body::Kind::Json) {
        return Ok(body::json::<TicketDocument>(request)?.ticket);
    }
    Ok(body::form(request)?
        .field("ticket")
        .unwrap_or_default()
        .to_owned())
}

/// Answers a claim that found no free session: people are redirected to the waiting room, programs
/// get their position.
pub(crate) fn seated(
    waiting: &Waiting,
    key: &str,
    visit: &RequestContext,
    urls: &PublicUrls,
) -> Reply {
    if !visit.wants_json {
        return reply::see_other(&path(waiting, key));
    }
    let mut reply = describe(waiting, key, visit, urls, StatusCode::ACCEPTED);
    reply::set_retry_after(&mut reply, Some(waiting.ask_in));
    reply
}

/// Shows a visitor's position.
pub(crate) fn reply(
    waiting: &Waiting,
    key: &str,
    visit: &RequestContext,
    urls: &PublicUrls,
) -> Reply {
    let visit = &visit.speaking(waiting.cast.settings.language.0);
    if visit.wants_json {
        return describe(waiting, key, visit, urls, StatusCode::OK);
    }
    let (settings, words) = (&waiting.cast.settings, visit.words.room());
    let message = position_message(waiting, visit.words);
    let main = Room {
        key,
        about: settings.title.as_deref().unwrap_or(words.about),
        message: &message,
        crowd: visit.words.landing().crowd,
        waiting,
        words,
    };
    let page = Page {
        style: include_str!("../templates/room.css"),
        script: include_str!(concat!(env!("OUT_DIR"), "/room.js")),
        refresh: Some(REFRESH_SECONDS),
        forms: FormAction::LeadAway,
        background: settings.background_url.as_deref(),
        ..Page::new(words.title, &main)
    };
    page.reply(visit)
}

/// The page after leaving.
pub(crate) fn left(key: &str, visit: &RequestContext) -> Reply {
    if visit.wants_json {
        return reply::no_content();
    }
    let words = visit.words.room();
    let main = Left { key, words };
    Page::new(words.left_title, &main).reply(visit)
}

fn describe(
    waiting: &Waiting,
    key: &str,
    visit: &RequestContext,
    urls: &PublicUrls,
    status: StatusCode,
) -> Reply {
    let place = Place {
        state: "waiting",
        position: waiting.position,
        estimate_seconds: waiting.estimate,
        turn: waiting.turn,
        ask_in_seconds: waiting.ask_in,
        message: &position_message(waiting, visit.words),
        room_url: &urls.absolute(&path(waiting, key)),
        ticket: &waiting.ticket,
    };
    reply::json(status, &place)
}

fn position_message(waiting: &Waiting, words: Words) -> String {
    if waiting.turn {
        return words.room().turn.to_owned();
    }
    format!(
        "{} {}",
        words.room().position(&waiting.position.to_string()),
        words::estimate(words, waiting.estimate)
    )
}

fn path(waiting: &Waiting, key: &str) -> String {
    let query = Serializer::new(String::new())
        .append_pair("ticket", &waiting.ticket)
        .finish();
    format!("{}?{query}", urls::waiting_room(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::tests::{body, urls, visit};
    use casting_core::testing::cast;

    fn waiting(position: usize, turn: bool) -> Waiting {
        Waiting {
            cast: cast(1).into(),
            ticket: "v1.place.sig".into(),
            position,
            estimate: (position > 1).then_some(230),
            turn,
            ask_in: 2,
        }
    }

    #[test]
    fn waiting_page_shows_position_estimate_and_button() {
        for (name, waiting, words, hidden) in [
            (
                "third",
                waiting(3, false),
                "You are number 3. About 4 minutes.",
                true,
            ),
            (
                "first",
                waiting(1, false),
                "You are number 1. We cannot say yet how long it takes.",
                true,
            ),
            ("their turn", waiting(1, true), "It is your turn.", false),
        ] {
            let reply = reply(&waiting, "some-key", &visit("text/html"), &urls());
            let html = body(&reply);
            assert!(html.contains(words), "{name}: {html}");
            assert_eq!(html.contains("<div id=\"turn\" hidden>"), hidden, "{name}");
            assert!(
                html.contains("<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>"),
                "{name}"
            );
            assert!(
                html.contains("method=\"post\" action=\"/cast/some-key/claims\""),
                "{name}"
            );
            assert!(
                html.contains("name=\"ticket\" value=\"v1.place.sig\"") && html.len() < 10_000,
                "{name}"
            );
            assert!(
                !html.contains("Cast 1"),
                "the cast's name is the administrator's"
            );
        }
    }

    #[test]
    fn queued_claim_redirects_to_the_waiting_room() {
        let person = seated(&waiting(3, false), "some-key", &visit("text/html"), &urls());
        assert_eq!(
            (
                person.status().as_u16(),
                person.headers()["location"].to_str().ok()
            ),
            (303, Some("/cast/some-key/room?ticket=v1.place.sig"))
        );
        let program = seated(
            &waiting(3, false),
            "some-key",
            &visit("application/json"),
            &urls(),
        );
        assert_eq!(
            (
                program.status().as_u16(),
                program.headers()["retry-after"].to_str().ok()
            ),
            (202, Some("2"))
        );
        insta::assert_snapshot!(body(&program), @r#"{"state":"waiting","position":3,"estimate_seconds":230,"turn":false,"ask_in_seconds":2,"message":"You are number 3. About 4 minutes.","room_url":"https://cast.example.com/cast/some-key/room?ticket=v1.place.sig","ticket":"v1.place.sig"}"#);
    }
}
