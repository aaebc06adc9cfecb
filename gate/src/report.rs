//! Owns the gate's reports to the control plane: that its app is ready, and that it has ended. Must
//! not know how the app is run.

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

/// Timeout of one attempt.
const ATTEMPT: Duration = Duration::from_secs(5);
/// The wait between attempts doubles from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Repeats a request to the control plane until it is answered, with waits that double up to the
/// longest.
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

/// The control plane's reply to a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportReply {
    /// The session goes on, with these directives.
    Active(Box<SessionDirectives>),
    /// The session is over: the app must end.
    Over,
}

/// Reports on one session to the control plane.
pub struct Reporter {
    client: Client,
    url: String,
    profile_url: String,
    secret: String,
}

impl Reporter {
    /// A reporter with its own connections; it opens none yet.
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

    /// A reporter that uses the connections of this client.
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

    /// Fetches the current directives. `None` without an answer.
    pub async fn alive(&self) -> Option<ReportReply> {
        self.ask(&Report::Alive).await
    }

    /// Starts or stops sharing the session and returns the new directives. `None` if that failed.
    pub async fn share(&self, on: bool) -> Option<SessionDirectives> {
        match self.ask(&Report::Share { on }).await? {
            ReportReply::Active(directives) => Some(*directives),
            ReportReply::Over => None,
        }
    }

    /// Reports what the owner has decided of the lobby and returns the new directives. `None` if
    /// that failed.
    pub async fn lobby(&self, decided: &Report) -> Option<SessionDirectives> {
        match self.ask(decided).await? {
            ReportReply::Active(directives) => Some(*directives),
            ReportReply::Over => None,
        }
    }

    /// Extends the session, whose owner has seen so many extensions, and returns the new
    /// directives. `None` if that failed.
    pub async fn extend(&self, used: u32) -> Option<SessionDirectives> {
        match self.ask(&Report::Extend { used }).await? {
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

    /// Reports that the app is ready behind `port`, until the report is accepted. The control plane
    /// takes the task's address from the source of this request.
    pub async fn ready(&self, port: u16) -> ReportReply {
        let report = Report::Ready { port };
        until_answered(|| self.ask(&report)).await
    }

    /// Reports once that the app has ended, or is about to be ended; if the report is lost, the
    /// control plane finds out by itself. `said`: the end of its output.
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
            tracing::warn!(error = %error.without_url(),
                "The control plane was not reached for the end of the session");
        }
    }

    /// Reports once that a command inside the session failed, and why.
    pub async fn failed(&self, command: Speaker, said: String) {
        self.ask(&Report::Failed { command, said }).await;
    }

    /// Sends a report on the session's profile.
    ///
    /// # Errors
    /// Without an answer, or when the control plane refuses.
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

/// A client for reports.
///
/// # Errors
/// When TLS cannot be set up.
pub fn client_for_reports() -> anyhow::Result<Client> {
    client(|builder| builder.timeout(ATTEMPT))
}

/// A client with its own connections, configured further by `with`.
///
/// # Errors
/// When TLS cannot be set up.
pub fn client(with: impl FnOnce(ClientBuilder) -> ClientBuilder) -> anyhow::Result<Client> {
    let roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    // The process may have another default provider; this client names its own.
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

/// The reply to a report; `None` when it was not accepted. An empty reply means the default
/// directives.
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
