//! The demo app: what the first link of a new installation opens. Shows what its session was given,
//! ticks, and keeps a pad that all windows of the session share. Must not know casts, tickets or
//! gates: it is an app like any other, configured by its environment.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, REFERRER_POLICY, VARY,
};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use casting_core::language::Language;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::app_process;
use page::Page;
use settings::Settings;
use shared_state::SharedState;

mod handover;
mod pad;
mod page;
mod settings;
mod shared_state;
mod socket;

/// The gate says in this header of a visitor's request which language the session has, if any.
const LANGUAGE: &str = "x-cast-language";

/// Runs the app until a signal ends it, or, as `demo-app assign`, sends its settings to a running
/// app. All settings come from the environment.
pub fn main_from(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let assigns = app_process::has_verb(arguments, handover::ASSIGN);
    app_process::run("demo-app", async {
        let settings = Settings::from_environment()?;
        if assigns {
            handover::assign(&settings).await?;
        } else {
            run(settings).await?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn run(settings: Settings) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let address = ("127.0.0.1", settings.port);
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("port {} cannot be listened on", settings.port))?;
    let shared_state = Arc::new(SharedState::new(
        settings.time_limit(),
        settings.folder.as_deref(),
    ));
    let page = Arc::new(Page::new(settings.given));
    let router = Router::new()
        .route("/", get(show))
        .route(handover::PATH, post(handover::take))
        .with_state((page, shared_state.clone()))
        .route("/ws", get(socket::open).with_state(shared_state.clone()));
    tokio::select! {
        served = async { axum::serve(listener, router).await } => served.context("the server broke off"),
        never = shared_state.tick() => match never {},
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}

/// What the address asks for.
#[derive(Deserialize)]
struct Wishes {
    lang: Option<String>,
}

/// The language: that of the address, else the session's, as the gate says it in a header, else
/// the browser's.
fn language(wishes: &Wishes, headers: &HeaderMap) -> Language {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let session = casting_words::named(text(LANGUAGE));
    casting_words::wish(wishes.lang.as_deref(), None, text("accept-language")).choose(session)
}

async fn show(
    State((page, shared_state)): State<(Arc<Page>, Arc<SharedState>)>,
    Query(wishes): Query<Wishes>,
    headers: HeaderMap,
) -> Response {
    let language = language(&wishes, &headers);
    match page.render(&shared_state.status(), language) {
        Ok(html) => {
            let headers = [
                (CONTENT_LANGUAGE, language.tag().to_owned()),
                (VARY, format!("accept-language, {LANGUAGE}")),
                (CONTENT_SECURITY_POLICY, page.policy.clone()),
                (CACHE_CONTROL, "no-store".to_owned()),
                (REFERRER_POLICY, "no-referrer".to_owned()),
            ];
            (headers, Html(html)).into_response()
        }
        Err(error) => {
            eprintln!("demo-app: the page could not be rendered: {error}");
            axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_is_the_addresss_the_sessions_or_the_browsers() {
        for (name, lang, session, accepts, expected) in [
            ("address", Some("ar"), Some("de"), "fr", Language::Arabic),
            (
                "no such language",
                Some("xx"),
                Some("de"),
                "fr",
                Language::German,
            ),
            ("session", None, Some("de"), "fr", Language::German),
            ("browser", None, None, "fr-CH, en;q=0.5", Language::French),
            ("forged", None, Some("<b>"), "ja", Language::Japanese),
            ("nothing", None, None, "", Language::English),
        ] {
            let wishes = Wishes {
                lang: lang.map(str::to_owned),
            };
            let mut headers = HeaderMap::new();
            headers.insert("accept-language", accepts.parse().expect("a header"));
            if let Some(session) = session {
                headers.insert(LANGUAGE, session.parse().expect("a header"));
            }
            assert_eq!(language(&wishes, &headers), expected, "{name}");
        }
    }
}
