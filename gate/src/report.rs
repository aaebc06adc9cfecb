//! Owns what the gate tells the control plane: that its app is ready, and that it has ended. Must not know how the app is run.

use std::time::Duration;

use anyhow::Context;
use casting_core::{Cause, Report};
use reqwest::{Client, StatusCode};

use crate::settings::GateSettings;

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(5);
/// The pauses between attempts: doubled from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What the control plane makes of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The session goes on.
    Noted,
    /// The session is over: the app must end.
    Over,
}

/// Tells the control plane about one session.
pub struct Reporter {
    client: Client,
    url: String,
    secret: String,
}

impl Reporter {
    /// A reporter with connections of its own; opens none yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: &GateSettings) -> anyhow::Result<Self> {
        let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        // Another part of the process may have chosen a provider already; ours is named here and needs no default.
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let tls = tls.with_root_certificates(roots).with_no_client_auth();
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(ATTEMPT)
            .build()
            .context("the client for reports cannot be set up")?;
        let url = format!("{}/session/{}/reports", settings.report_url, settings.session);
        Ok(Self { client, url, secret: settings.secret.expose().to_owned() })
    }

    /// Says that visitors can come to `port`; tries until it is heard. The control plane sees the task's address as this request's source.
    pub async fn ready(&self, port: u16) -> Heard {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.send(&Report::Ready { port }).await {
                Ok(StatusCode::GONE) => return Heard::Over,
                Ok(status) if status.is_success() => return Heard::Noted,
                Ok(status) => tracing::warn!(%status, "The control plane did not take the report and is told again"),
                Err(error) => tracing::warn!(error = %error.without_url(), "The control plane was not reached and is told again"),
            }
            tokio::time::sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    /// Says that the app has ended, once: if nobody hears it, the control plane finds out by itself.
    pub async fn ended(&self, exit_code: i32, because: Option<Cause>) {
        if let Err(error) = self.send(&Report::Ended { exit_code: Some(exit_code), because }).await {
            tracing::warn!(error = %error.without_url(), "The control plane was not reached for the end of the session");
        }
    }

    async fn send(&self, report: &Report) -> Result<StatusCode, reqwest::Error> {
        let sent = self.client.post(&self.url).bearer_auth(&self.secret).json(report).send().await?;
        Ok(sent.status())
    }
}
