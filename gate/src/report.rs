//! Owns what the gate tells the control plane: that its app is ready, and that it has ended. Must not know how the app is run.

use std::time::Duration;

use anyhow::Context;
use casting_protocol::excerpt::Speaker;
use casting_protocol::ids::SessionId;
use casting_protocol::keys::SessionSecret;
use casting_protocol::report::{GateEndReason, ProfileDirectives, ProfileReport, Report};
use casting_protocol::session_options::SessionDirectives;
use casting_protocol::urls;
use reqwest::{Client, ClientBuilder, Response, StatusCode};

use crate::profile::ProfileError;

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(5);
/// The pauses between attempts: doubled from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Asks the control plane until there is an answer, with pauses that double up to the longest.
pub(crate) async fn until_answered<T, F>(ask: impl Fn() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

/// What the control plane makes of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportReply {
    /// The session goes on, and this holds for it.
    Active(Box<SessionDirectives>),
    /// The session is over: the app must end.
    Over,
}

/// Tells the control plane about one session.
pub struct Reporter {
    client: Client,
    url: String,
    profile_url: String,
    secret: String,
}

impl Reporter {
    /// A reporter with connections of its own; opens none yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(
        report_url: &str,
        session: &SessionId,
        secret: &SessionSecret,
    ) -> anyhow::Result<Self> {
        let client = client_for_reports()?;
        Ok(Self::over(client, report_url, session, secret))
    }

    /// A reporter over the connections of this client.
    pub fn over(
        client: Client,
        report_url: &str,
        session: &SessionId,
        secret: &SessionSecret,
    ) -> Self {
        let url = format!("{report_url}{}", urls::reports(session));
        let profile_url = format!("{report_url}{}", urls::profile(session));
        Self {
            client,
            url,
            profile_url,
            secret: secret.expose().to_owned(),
        }
    }

    /// Says nothing new, and asks what holds. `None` when nobody answered.
    pub async fn alive(&self) -> Option<ReportReply> {
        self.ask(&Report::Alive).await
    }

    /// Shares the session, or stops that; gives what holds then. `None` when that did not come about.
    pub async fn share(&self, on: bool) -> Option<SessionDirectives> {
        match self.ask(&Report::Share { on }).await? {
            ReportReply::Active(directives) => Some(*directives),
            ReportReply::Over => None,
        }
    }

    async fn ask(&self, report: &Report) -> Option<ReportReply> {
        match self.send(report).await {
            Ok(reply) => read_reply(reply).await,
            Err(error) => {
                tracing::warn!(error = %error.without_url(), "The control plane was not reached");
                None
            }
        }
    }

    /// Says that visitors can come to `port`; tries until it is heard. The control plane sees the task's address as this request's source.
    pub async fn ready(&self, port: u16) -> ReportReply {
        let report = Report::Ready { port };
        until_answered(|| self.ask(&report)).await
    }

    /// Says that the app has ended, or is about to be, once: if nobody hears it, the control plane finds out by itself.
    /// `said`: what it said last.
    pub async fn ended(
        &self,
        exit_code: Option<i32>,
        because: Option<GateEndReason>,
        said: Option<String>,
    ) {
        let report = Report::Ended {
            exit_code,
            because,
            said,
        };
        if let Err(error) = self.send(&report).await {
            tracing::warn!(error = %error.without_url(), "The control plane was not reached for the end of the session");
        }
    }

    /// Says once that a command inside the session failed, and why.
    pub async fn failed(&self, command: Speaker, said: String) {
        self.ask(&Report::Failed { command, said }).await;
    }

    /// Asks or tells about the session's profile.
    ///
    /// # Errors
    /// When nobody answered, or the answer was no.
    pub async fn profile(
        &self,
        report: &ProfileReport,
    ) -> Result<Option<ProfileDirectives>, ProfileError> {
        let asked = self
            .client
            .post(&self.profile_url)
            .bearer_auth(&self.secret)
            .json(report)
            .send()
            .await;
        let answer = asked.map_err(|error| ProfileError::Transient(error.without_url().into()))?;
        match answer.status() {
            StatusCode::NO_CONTENT => Ok(None),
            status if status.is_success() => answer
                .json()
                .await
                .map(Some)
                .map_err(|error| ProfileError::Transient(error.without_url().into())),
            status => {
                let error = anyhow::anyhow!("the control plane answered {status}");
                Err(if status.is_client_error() {
                    ProfileError::Final(error)
                } else {
                    ProfileError::Transient(error)
                })
            }
        }
    }

    async fn send(&self, report: &Report) -> Result<Response, reqwest::Error> {
        self.client
            .post(&self.url)
            .bearer_auth(&self.secret)
            .json(report)
            .send()
            .await
    }
}

/// A client for what a gate says to the control plane.
///
/// # Errors
/// When TLS cannot be set up.
pub fn client_for_reports() -> anyhow::Result<Client> {
    client(|builder| builder.timeout(ATTEMPT))
}

/// A client with connections of its own, set up further by `with`.
///
/// # Errors
/// When TLS cannot be set up.
pub fn client(with: impl FnOnce(ClientBuilder) -> ClientBuilder) -> anyhow::Result<Client> {
    let roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    // Another part of the process may have chosen a provider already; ours is named here and needs no default.
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?;
    let tls = tls.with_root_certificates(roots).with_no_client_auth();
    let builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none());
    with(builder)
        .build()
        .context("the client for reports cannot be set up")
}

/// What an answer says; `None` when the report was not taken. Whoever takes it and says nothing leaves everything as it is by default.
async fn read_reply(reply: Response) -> Option<ReportReply> {
    match reply.status() {
        StatusCode::GONE => Some(ReportReply::Over),
        StatusCode::NO_CONTENT => Some(ReportReply::Active(Box::default())),
        status if status.is_success() => reply
            .json()
            .await
            .ok()
            .map(|directives| ReportReply::Active(Box::new(directives))),
        status => {
            tracing::warn!(%status, "The control plane did not take a report");
            None
        }
    }
}
