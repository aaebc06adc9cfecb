//! Owns what one visitor asks the program, from an address of their own, and which failures a restart excuses. Must
//! not know why the visitor came.

use std::sync::atomic::Ordering;
use std::time::Duration;

use casting_identity::web_client;
use casting_tests::inside::Inside;
use reqwest::header::{CONNECTION, LOCATION, RETRY_AFTER};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::world::{Tally, World};

/// How long one answer may take, also in a storm.
const LIMIT: Duration = Duration::from_secs(180);
/// How long a claim is sent again when it gets no answer, or the answer that it came at a bad time.
const CLAIMED_WITHIN: Duration = Duration::from_secs(180);
/// How long a session may take until it is ready.
const READY_WITHIN: Duration = Duration::from_secs(180);
/// How long a visitor waits before asking again.
const PAUSE: Duration = Duration::from_millis(300);

/// Why a visit goes no further.
#[derive(Debug)]
pub enum Lost {
    /// The program was stopped meanwhile.
    Outage,
    /// It was refused, with this status and code.
    Refused(u16, String),
    /// It went wrong, and has been counted.
    Failed,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub location: String,
    retry_after: Option<u64>,
    pub text: String,
}

impl Answer {
    /// The answer as a document.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// Why it is a refusal.
    pub fn refusal(&self) -> Lost {
        let code = self.json()["code"].as_str().unwrap_or_default().to_owned();
        Lost::Refused(self.status, code)
    }
}

/// A session that a visitor was given.
#[derive(Clone, Debug)]
pub struct Given {
    pub id: String,
    token: String,
}

/// A visitor's browser.
pub struct Phone<'a> {
    world: &'a World,
    http: Client,
    address: String,
    /// Whether each request has a connection of its own.
    closes: bool,
    /// The count of outages when the visitor came.
    came: u64,
}

impl<'a> Phone<'a> {
    /// A browser at this address.
    pub fn new(world: &'a World, address: String) -> anyhow::Result<Self> {
        Ok(Self {
            world,
            http: web_client::build(LIMIT)?,
            address,
            closes: false,
            came: world.outages.load(Ordering::SeqCst),
        })
    }

    /// One of a crowd that shares a client. Each request has a connection of its own, so that none is tried
    /// again unseen when a kept one breaks.
    pub fn of_crowd(world: &'a World, http: &Client, address: String) -> Self {
        Self {
            world,
            http: http.clone(),
            address,
            closes: true,
            came: world.outages.load(Ordering::SeqCst),
        }
    }

    /// A request to this path.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(self.at(path))
    }

    fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.world.address)
    }

    /// Whether the program was stopped since this count of outages.
    fn is_excused(&self, before: u64) -> bool {
        !before.is_multiple_of(2) || self.world.outages.load(Ordering::SeqCst) != before
    }

    /// Whether the program was stopped since the visitor came: then their session may be over.
    pub fn is_cut_off(&self) -> bool {
        self.is_excused(self.came)
    }

    /// The answer to a request.
    pub async fn ask(&self, request: RequestBuilder) -> Result<Answer, Lost> {
        let before = self.world.outages.load(Ordering::SeqCst);
        let mut request = request.header("x-forwarded-for", &self.address);
        if self.closes {
            request = request.header(CONNECTION, "close");
        }
        let sent = async {
            let answer = request.send().await?;
            let header = |name| answer.headers().get(name)?.to_str().ok().map(str::to_owned);
            let (status, location) = (answer.status().as_u16(), header(LOCATION));
            let retry_after = header(RETRY_AFTER).and_then(|seconds| seconds.parse().ok());
            Ok::<_, reqwest::Error>(Answer {
                status,
                location: location.unwrap_or_default(),
                retry_after,
                text: answer.text().await?,
            })
        };
        sent.await.map_err(|error| self.broken(before, &error))
    }

    /// What a request without an answer means, when there had been so many outages before.
    fn broken(&self, before: u64, error: &dyn std::error::Error) -> Lost {
        if self.is_excused(before) {
            return Lost::Outage;
        }
        Tally::count(&self.world.tally.resets);
        let (mut text, mut cause) = (error.to_string(), error.source());
        while let Some(deeper) = cause {
            text = format!("{text}: {deeper}");
            cause = deeper.source();
        }
        self.world.tally.tell(format!("no answer: {text}"));
        Lost::Failed
    }

    /// Counts an answer that should not have been, unless the visitor is cut off.
    pub fn surprise(&self, what: String) -> Lost {
        if self.is_cut_off() {
            return Lost::Outage;
        }
        self.world.tally.surprise(what);
        Lost::Failed
    }

    /// Counts a WebSocket that broke off, unless the visitor is cut off.
    pub fn cut_short(&self, error: &anyhow::Error) -> Lost {
        self.broken(self.came, error.as_ref())
    }

    /// The answer at this path to a request with this token.
    pub async fn read(&self, path: &str, token: &str) -> Result<Answer, Lost> {
        let answer = self.ask(self.get(path).bearer_auth(token)).await?;
        if answer.status < 400 {
            return Ok(answer);
        }
        Err(answer.refusal())
    }

    /// Opens a link's page; gives the ticket in it.
    pub async fn open(&self, key: &str) -> Result<String, Lost> {
        let page = self
            .get(&format!("/cast/{key}"))
            .header("accept", "text/html");
        let page = self.ask(page).await?;
        let ticket = page.text.split("name=\"ticket\" value=\"").nth(1);
        match ticket.and_then(|rest| rest.split('"').next()) {
            Some(ticket) if page.status == 200 => Ok(ticket.to_owned()),
            _ => Err(Lost::Refused(page.status, String::new())),
        }
    }

    /// Claims a session until there is an answer: without one the same claim is sent again, and finds its session.
    pub async fn claim(&self, key: &str, ticket: &str) -> Result<Given, Lost> {
        let deadline = Instant::now() + CLAIMED_WITHIN;
        loop {
            let request = self.http.post(self.at(&format!("/cast/{key}/claims")));
            let wait = match self.ask(request.json(&json!({"ticket": ticket}))).await {
                Ok(answer) if matches!(answer.status, 201 | 202) => {
                    let text = |name: &str| answer.json()[name].as_str().map(str::to_owned);
                    let Some((id, token)) = text("session_id").zip(text("session_token")) else {
                        return Err(self.surprise(format!("a claim of {key}: {}", answer.text)));
                    };
                    self.world.accept(key, &id);
                    return Ok(Given { id, token });
                }
                Ok(answer) if answer.status == 503 && Instant::now() < deadline => {
                    Duration::from_secs(answer.retry_after.unwrap_or(1).min(5))
                }
                Err(Lost::Outage) if Instant::now() < deadline => PAUSE,
                Ok(answer) => return Err(answer.refusal()),
                Err(lost) => return Err(lost),
            };
            sleep(wait).await;
        }
    }

    /// The state of a session, and why it has ended.
    pub async fn status(&self, session: &Given) -> Result<(String, String), Lost> {
        let path = format!("/session/{}/status", session.id);
        let said = self.read(&path, &session.token).await?.json();
        let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
        Ok((text("state"), text("reason")))
    }

    /// Waits until a session can be entered; gives the address to enter it by.
    pub async fn ready(&self, session: &Given) -> Result<String, Lost> {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let (state, reason) = self.status(session).await?;
            match state.as_str() {
                "ready" => break,
                "reserved" | "starting" if Instant::now() < deadline => sleep(PAUSE).await,
                _ => {
                    let what = format!("{} is not ready: {state} {reason}", session.id);
                    return Err(self.surprise(what));
                }
            }
        }
        let request = self.get(&format!("/session/{}/enter", session.id));
        let entered = self.ask(request.bearer_auth(&session.token)).await?;
        if entered.location.contains("/.cast/enter") {
            Ok(entered.location)
        } else {
            let what = format!(
                "entering {}: {} {}",
                session.id, entered.status, entered.location
            );
            Err(self.surprise(what))
        }
    }

    /// Goes into a session, and looks at its app.
    pub async fn enter(&self, session: &Given, entrance: &str) -> Result<Inside, Lost> {
        let inside = Inside::try_enter(&self.http, &self.at(""), entrance).await;
        let inside =
            inside.map_err(|error| self.surprise(format!("entering {}: {error:#}", session.id)))?;
        self.look(session, &inside).await?;
        Ok(inside)
    }

    /// Loads the app's page.
    pub async fn look(&self, session: &Given, inside: &Inside) -> Result<(), Lost> {
        let request = inside.app.ask(&self.http, &self.at(""), "/");
        let page = self.ask(request.header("accept", "text/html")).await?;
        if page.status == 200 && page.text.contains(&session.id) {
            return Ok(());
        }
        let what = format!("the app of {}: {}", session.id, page.status);
        Err(self.surprise(what))
    }

    /// Ends a session.
    pub async fn end(&self, session: &Given) -> Result<(), Lost> {
        let request = self
            .http
            .post(self.at(&format!("/session/{}/end", session.id)));
        let request = request.header("accept", "application/json");
        let answer = self.ask(request.bearer_auth(&session.token)).await?;
        if answer.status < 400 {
            return Ok(());
        }
        Err(self.surprise(format!("ending {}: {}", session.id, answer.text)))
    }
}
