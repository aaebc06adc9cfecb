//! Owns the pages and documents of a share link: the way in, and the lobby where its visitors ask
//! and wait. Works without scripting; must not know who is let in.

use askama::Template;
use casting_core::denial::DenialCode;
use casting_core::person_name::WATCHER_CHARS;
use casting_core::user::User;
use casting_core::{
    AskToWatch, ControlPlane, LobbyStage, LobbyVisit, ShareVisitor, Watching, urls,
};
use casting_web::credentials::{LOBBY_COOKIE, SetCookie};
use casting_web::words::{self, around};
use casting_web::{
    FormAction, Function, HandlerError, Page, Reply, Request, RequestContext, body, reply,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};

/// The reload interval of the waiting page without scripting, in seconds.
const REFRESH_SECONDS: u32 = 5;
/// The `Retry-After` of a full lobby, in seconds.
const FULL_SECONDS: u64 = 60;

#[derive(Template)]
#[template(path = "lobby.html")]
struct LobbyPage<'a> {
    title: &'static str,
    /// The last segment of the share link.
    name: &'a str,
    visit: &'a LobbyVisit,
    /// Whether there is a form to ask with, or an answer to wait for.
    asks: bool,
    waits: bool,
    note: Option<&'static str>,
    /// The sentence around the name of the visitor's login.
    signed_in: Option<(String, &'a str, String)>,
    longest: usize,
    words: &'static words::Lobby,
}

/// Where the visitor is, for programs.
#[derive(Serialize)]
struct LobbyDocument<'a> {
    state: &'static str,
    /// What a request is made with.
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<&'a str>,
}

/// A request by a program.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestDocument {
    ticket: String,
    #[serde(default)]
    name: String,
}

/// Follows a share link; visitors who must log in first come back here.
pub(crate) async fn watch(
    control_plane: &ControlPlane,
    visit: &RequestContext,
) -> Result<Reply, HandlerError> {
    let name = visit.route(Function::Session)?.segment;
    let user = user(control_plane, visit);
    let visitor = ShareVisitor {
        user: user.as_ref(),
        ticket: visit.cookie(LOBBY_COOKIE),
    };
    // Who waits only looks: the way in is good once.
    if visit.wants_json && visitor.ticket.is_some() {
        let lobby = control_plane.lobby(name, visitor).await?;
        return Ok(shown(&lobby, name, visit));
    }
    match control_plane.watch(name, visitor).await {
        Ok(Watching::Enters(url)) => Ok(reply::see_other(&url)),
        Ok(Watching::Lobby(lobby)) => Ok(shown(&lobby, name, visit)),
        Err(refusal) if !visit.wants_json && refusal.denial().code == DenialCode::LoginRequired => {
            Ok(reply::see_other(&urls::login_to(&urls::share_named(name))))
        }
        Err(refusal) => Err(refusal.into()),
    }
}

/// Asks the session's owner.
pub(crate) async fn ask(
    control_plane: &ControlPlane,
    request: &Request,
    visit: &RequestContext,
) -> Result<Reply, HandlerError> {
    visit.not_cross_site()?;
    let segment = visit.route(Function::Session)?.segment;
    let user = user(control_plane, visit);
    let RequestDocument { ticket, name } = if body::kind(request) == Some(body::Kind::Json) {
        body::json(request)?
    } else {
        let form = body::form(request)?;
        let field = |name| form.field(name).unwrap_or_default().to_owned();
        RequestDocument {
            ticket: field("ticket"),
            name: field("name"),
        }
    };
    let asks = AskToWatch {
        user: user.as_ref(),
        ticket: &ticket,
        name: &name,
        address: visit.source()?,
    };
    let lobby = control_plane.ask_to_watch(segment, asks).await?;
    let path = urls::share_named(segment);
    let mut reply = if visit.wants_json || lobby.stage == LobbyStage::Full {
        shown(&lobby, segment, visit)
    } else {
        reply::see_other(&path)
    };
    if lobby.stage != LobbyStage::Full {
        let cookie = SetCookie {
            name: LOBBY_COOKIE,
            value: &lobby.ticket,
            path: &path,
            max_age: lobby.seconds,
            secure: control_plane.urls.is_secure(),
        };
        reply::set_cookie(&mut reply, &cookie);
    }
    Ok(reply)
}

/// The user who has logged in.
fn user(control_plane: &ControlPlane, visit: &RequestContext) -> Option<User> {
    let now = control_plane.clock.now();
    visit.login(&control_plane.keys, control_plane.urls.is_secure(), now)
}

fn asks(stage: LobbyStage) -> bool {
    matches!(
        stage,
        LobbyStage::Asks | LobbyStage::Unanswered | LobbyStage::Full
    )
}

/// The lobby as this visitor sees it.
fn shown(lobby: &LobbyVisit, name: &str, visit: &RequestContext) -> Reply {
    let stage = lobby.stage;
    if visit.wants_json {
        return describe(lobby);
    }
    let visit = visit.speaking(lobby.language).branded(lobby.brand.clone());
    let words = visit.words.lobby();
    let (title, status) = match stage {
        LobbyStage::Full => (words.full_title, StatusCode::TOO_MANY_REQUESTS),
        LobbyStage::TurnedAway => (words.turned_away_title, StatusCode::FORBIDDEN),
        LobbyStage::Waits => (words.waiting_title, StatusCode::OK),
        LobbyStage::Asks | LobbyStage::Unanswered | LobbyStage::Admitted => {
            (words.title, StatusCode::OK)
        }
    };
    let main = LobbyPage {
        title,
        name,
        visit: lobby,
        asks: asks(stage),
        waits: stage == LobbyStage::Waits,
        note: match stage {
            LobbyStage::Full => Some(words.full),
            LobbyStage::Unanswered => Some(words.unanswered),
            _ => None,
        },
        signed_in: lobby.user.as_deref().map(|user| {
            let (before, after) = around(|name| words.signed_in(name));
            (before, user, after)
        }),
        longest: WATCHER_CHARS,
        words,
    };
    let waits = main.waits;
    let page = Page {
        status,
        style: include_str!("../templates/lobby.css"),
        script: if waits {
            include_str!("../templates/lobby.js")
        } else {
            ""
        },
        refresh: waits.then_some(REFRESH_SECONDS),
        forms: FormAction::LeadAway,
        ..Page::new(title, &main)
    };
    with_retry(page.reply(&visit), stage)
}

fn describe(lobby: &LobbyVisit) -> Reply {
    let stage = lobby.stage;
    let document = LobbyDocument {
        state: match stage {
            LobbyStage::Asks => "ask",
            LobbyStage::Unanswered => "unanswered",
            LobbyStage::Full => "full",
            LobbyStage::Waits => "waiting",
            LobbyStage::Admitted => "admitted",
            LobbyStage::TurnedAway => "turned-away",
        },
        ticket: asks(stage).then_some(&lobby.ticket),
    };
    let status = match stage {
        LobbyStage::Full => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::OK,
    };
    with_retry(reply::json(status, &document), stage)
}

fn with_retry(mut reply: Reply, stage: LobbyStage) -> Reply {
    let full = (stage == LobbyStage::Full).then_some(FULL_SECONDS);
    reply::set_retry_after(&mut reply, full);
    reply
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::waiting::tests::{body, visit};
    use casting_core::brand::Brand;

    fn lobby(stage: LobbyStage, user: Option<&str>) -> LobbyVisit {
        LobbyVisit {
            stage,
            ticket: "v1.lobby.ticket".into(),
            seconds: 60,
            user: user.map(str::to_owned),
            language: None,
            brand: Brand::default(),
        }
    }

    #[test]
    fn each_stage_of_the_lobby_has_its_page_and_document() {
        use LobbyStage::{Admitted, Asks, Full, TurnedAway, Unanswered, Waits};
        for (stage, user, status, says, has_form, refreshes, state) in [
            (Asks, None, 200, "Your name", true, false, "ask"),
            (
                Asks,
                Some("<Ann>"),
                200,
                "that <bdi>&#60;Ann&#62;</bdi> asks",
                true,
                false,
                "ask",
            ),
            (
                Unanswered,
                None,
                200,
                "was not answered",
                true,
                false,
                "unanswered",
            ),
            (
                Full,
                None,
                429,
                "Many people are waiting",
                true,
                false,
                "full",
            ),
            (
                Waits,
                None,
                200,
                "The owner has been asked",
                false,
                true,
                "waiting",
            ),
            (Admitted, None, 200, "", false, false, "admitted"),
            (
                TurnedAway,
                None,
                403,
                "You were not let in",
                false,
                false,
                "turned-away",
            ),
        ] {
            let lobby = lobby(stage, user);
            let reply = shown(&lobby, "id.token", &visit());
            let html = body(&reply);
            assert_eq!(reply.status(), status, "{stage:?}");
            assert!(html.contains(says), "{stage:?}: {html}");
            assert!(html.len() < 8_000, "{stage:?}: {} bytes", html.len());
            let form = "<form method=\"post\" action=\"/share/id.token\">";
            assert_eq!(html.contains(form), has_form, "{stage:?}: {html}");
            let asks_for_name = has_form && user.is_none();
            assert_eq!(html.contains("name=\"name\""), asks_for_name, "{stage:?}");
            let reloads = html.contains("<meta http-equiv=\"refresh\" content=\"5\">");
            assert_eq!(reloads, refreshes, "{stage:?}");
            let retry = reply.headers().contains_key("retry-after");
            assert_eq!(retry, stage == Full, "{stage:?}");
            let document: serde_json::Value =
                serde_json::from_str(body(&describe(&lobby))).expect("JSON");
            let ticket = document["ticket"].is_string();
            assert_eq!(
                (document["state"].as_str(), ticket),
                (Some(state), has_form)
            );
        }
    }
}
