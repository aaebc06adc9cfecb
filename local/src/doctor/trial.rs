//! Owns the trial of a deployment (`casting doctor --deep`): a link is made, a session is started
//! with it, entered as by a browser and ended, and the link is removed, whatever happens in between.
//! The evaluation is in [`trial_findings`](super::trial_findings).

use std::time::Duration;

use anyhow::Result;
use casting_boot::SystemEntropy;
use casting_core::ids::{CastKey, SessionId};
use casting_core::urls;
use casting_gate::echo;
use casting_gate::handler::{APP_PATH, VIEWER_PATH};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use url::Url;

use super::ask::{Answer, AskError, Asker};
use super::finding::Finding;
use super::trial_findings as findings;

/// The pause between two questions whether the session is ready.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a start may take.
const START: Duration = Duration::from_secs(600);
/// How long after its end a session may still be served.
const END: Duration = Duration::from_secs(10);

/// One trial.
pub struct Trial<'a> {
    /// Sends the requests.
    pub asker: &'a Asker,
    /// The deployment's address.
    pub base: &'a Url,
    /// An administrator's key.
    pub key: &'a str,
    /// Receives each finding at once.
    pub report: &'a mut dyn FnMut(Finding),
}

/// A session that was claimed.
struct Claimed {
    id: SessionId,
    token: String,
}

/// One origin of a session, and the cookie that lets the visitor in there.
struct Origin {
    url: Url,
    cookie: String,
}

impl Trial<'_> {
    /// Makes the link, tries it and removes it.
    ///
    /// # Errors
    /// When the deployment's address cannot be joined with a path.
    pub async fn run(mut self, image: &str) -> Result<()> {
        let key = CastKey::random(&SystemEntropy::new());
        let document = json!({
            "name": "casting doctor", "description": "A trial of this deployment. It is removed at the end.",
            "key": key, "image_id": image, "allow_anonymous": true,
            "limit_total_sessions": true, "sessions_remaining": 1,
        });
        let casts = self.admin_url("casts")?;
        let made = self
            .document(Method::POST, &casts, self.key, Some(&document))
            .await;
        let Some(id) = self.require(made, 201, "A link cannot be made") else {
            return Ok(());
        };
        let id = id["id"].as_str().unwrap_or_default().to_owned();
        self.session(&key).await?;
        let cast = self.admin_url(&format!("casts/{id}"))?;
        let removed = self.document(Method::DELETE, &cast, self.key, None).await;
        if !matches!(&removed, Ok(answer) if answer.status == 204) {
            (self.report)(findings::link_stays(&key));
        }
        Ok(())
    }

    /// Claims a session, tries it and ends it.
    async fn session(&mut self, key: &CastKey) -> Result<()> {
        let describe = self.base.join(&urls::cast_description(key))?;
        let described = self.asker.get(&describe, "application/json", None).await;
        let Some(described) = self.require(described, 200, "The new link cannot be opened") else {
            return Ok(());
        };
        if let Some(needs) = described["needs"]
            .as_array()
            .filter(|needs| !needs.is_empty())
        {
            (self.report)(findings::needs(needs));
            return Ok(());
        }
        let claims = self.base.join(&urls::claims(key))?;
        let ticket = json!({ "ticket": described["ticket"] });
        let begun = Instant::now();
        let claimed = self
            .document(Method::POST, &claims, "", Some(&ticket))
            .await;
        let Some(claimed) = self.require(claimed, 202, "The claim was refused") else {
            return Ok(());
        };
        let text = |name: &str| claimed[name].as_str().unwrap_or_default().to_owned();
        let Some(id) = SessionId::parse(&text("session_id")) else {
            (self.report)(findings::no_session());
            return Ok(());
        };
        let session = Claimed {
            id,
            token: text("session_token"),
        };
        let answered = begun.elapsed();
        if let Some(enter) = self.ready(&session, begun).await? {
            (self.report)(findings::started(answered, begun.elapsed()));
            let viewer = self.inside(&session, &enter).await?;
            self.end(&session, viewer).await
        } else {
            self.end(&session, None).await
        }
    }

    /// Waits until the session is ready; returns where it is entered.
    async fn ready(&mut self, session: &Claimed, begun: Instant) -> Result<Option<Url>> {
        let status = self.base.join(&urls::session_status(&session.id))?;
        loop {
            let asked = self
                .document(Method::GET, &status, &session.token, None)
                .await;
            let Some(status) = self.require(asked, 200, "The session's status cannot be read")
            else {
                return Ok(None);
            };
            if let Some(enter) = status["enter_url"].as_str() {
                return Ok(Url::parse(enter).ok());
            }
            let state = status["state"].as_str().unwrap_or_default();
            if state == "ended" || begun.elapsed() > START {
                (self.report)(findings::not_started(&status));
                return Ok(None);
            }
            sleep(PAUSE).await;
        }
    }

    /// Enters the session as a browser does, and tries what is inside. Returns the viewer's origin.
    async fn inside(&mut self, session: &Claimed, enter: &Url) -> Result<Option<Origin>> {
        let led = self
            .document(Method::GET, enter, &session.token, None)
            .await;
        let Some(entrance) = self.location(led, enter, "The session's page leads nowhere") else {
            return Ok(None);
        };
        let Some(viewer) = self.enter(&entrance).await? else {
            return Ok(None);
        };
        let page = viewer.url.join(VIEWER_PATH)?;
        match self.asker.page(&page, &viewer.cookie).await {
            Ok(answer) => (self.report)(findings::viewer(&answer)),
            Err(error) => (self.report)(findings::unreachable("The viewer", &error)),
        }
        let echo = viewer.url.join(echo::PATH)?;
        let echoed = self.asker.echo(&echo, &viewer.cookie).await;
        (self.report)(findings::socket(&echoed));
        let lead = viewer.url.join(APP_PATH)?;
        let led = self.asker.page(&lead, &viewer.cookie).await;
        // Where sessions are paths, the app is on the viewer's origin.
        if matches!(&led, Ok(answer) if answer.status == 404) {
            (self.report)(findings::shared_origin());
        } else if let Some(entrance) = self.location(led, &lead, "The viewer's frame leads nowhere")
            && let Some(app) = self.enter(&entrance).await?
        {
            match self.asker.page(&app.url.join("/")?, &app.cookie).await {
                Ok(answer) => (self.report)(findings::app(&answer)),
                Err(error) => (self.report)(findings::unreachable("The app", &error)),
            }
        }
        Ok(Some(viewer))
    }

    /// Uses an entry address, and once more to see that it is good once.
    async fn enter(&mut self, entrance: &Url) -> Result<Option<Origin>> {
        let entered = self.asker.page(entrance, "").await;
        let answer = match entered {
            Ok(answer) => answer,
            Err(error) => {
                (self.report)(findings::unreachable("The edge", &error));
                return Ok(None);
            }
        };
        let (finding, cookie) = findings::entered(entrance, &answer);
        (self.report)(finding);
        let Some(cookie) = cookie else {
            return Ok(None);
        };
        if let Ok(again) = self.asker.page(entrance, "").await {
            (self.report)(findings::entered_again(&again));
        }
        Ok(Some(Origin {
            url: entrance.join("/")?,
            cookie,
        }))
    }

    /// Ends the session and sees that it is over for its visitor, too.
    async fn end(&mut self, session: &Claimed, viewer: Option<Origin>) -> Result<()> {
        let end = self.base.join(&urls::end_session(&session.id))?;
        let ended = self
            .document(Method::POST, &end, &session.token, None)
            .await;
        if !matches!(&ended, Ok(answer) if answer.status < 400) {
            let stop = self.admin_url(&format!("sessions/{}/stop", session.id))?;
            let _ = self.document(Method::POST, &stop, self.key, None).await;
            (self.report)(findings::not_ended(session.id.as_str()));
            return Ok(());
        }
        let Some(viewer) = viewer else {
            return Ok(());
        };
        let (page, begun) = (viewer.url.join(VIEWER_PATH)?, Instant::now());
        loop {
            let answer = self.asker.page(&page, &viewer.cookie).await;
            let is_over = !matches!(&answer, Ok(answer) if answer.status == 200);
            if is_over || begun.elapsed() > END {
                (self.report)(findings::over(is_over, begun.elapsed()));
                return Ok(());
            }
            sleep(PAUSE).await;
        }
    }

    fn admin_url(&self, path: &str) -> Result<Url> {
        Ok(self.base.join(&format!("{}/{path}", urls::ADMIN_API))?)
    }

    async fn document(
        &self,
        method: Method,
        url: &Url,
        key: &str,
        document: Option<&Value>,
    ) -> Result<Answer, AskError> {
        let key = Some(key).filter(|key| !key.is_empty());
        self.asker.send(method, url, key, document).await
    }

    /// The document of an answer with this status; reports every other.
    fn require(
        &mut self,
        answer: Result<Answer, AskError>,
        status: u16,
        what: &str,
    ) -> Option<Value> {
        match answer {
            Ok(answer) if answer.status == status => Some(answer.json()),
            Ok(answer) => {
                (self.report)(findings::refused(what, &answer));
                None
            }
            Err(error) => {
                (self.report)(findings::unreachable(what, &error));
                None
            }
        }
    }

    /// Where a redirect leads; reports every other answer.
    fn location(
        &mut self,
        answer: Result<Answer, AskError>,
        from: &Url,
        what: &str,
    ) -> Option<Url> {
        match answer {
            Ok(answer) if answer.status == 303 => from.join(answer.header("location")).ok(),
            Ok(answer) => {
                (self.report)(findings::refused(what, &answer));
                None
            }
            Err(error) => {
                (self.report)(findings::unreachable(what, &error));
                None
            }
        }
    }
}
