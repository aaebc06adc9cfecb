//! Owns logins by OpenID Connect: code flow with PKCE, state and nonce, at any provider that can be discovered. Must not know cookies or routes.
//!
//! The provider's metadata and keys are cached; an ID token signed with an unknown key refreshes
//! them once.

use std::collections::HashMap;
use std::pin::Pin;
use std::time::Duration;

use casting_core::ids::{Entropy, UserId, random_bytes};
use casting_core::ticket::LoginState;
use casting_core::time::Timestamp;
use casting_core::user::{ConsoleRole, MAX_GROUPS, User};
use data_encoding::BASE64URL_NOPAD;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType,
    CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
    CoreProviderMetadata, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AsyncHttpClient, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EmptyExtraTokenFields, HttpRequest, HttpResponse, IdTokenClaims, IdTokenFields, IssuerUrl,
    Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, StandardErrorResponse,
    StandardTokenResponse, TokenResponse,
};
use reqwest::Client;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::RwLock;

use crate::web_client::{self, ClientError};

/// How long one call to the provider may take.
const LIMIT: Duration = Duration::from_secs(5);
/// How long the provider's metadata is cached, in seconds.
const KEPT_SECONDS: u64 = 3600;
/// Keys are looked for again at most once in so many seconds: a stranger's token must not make us call.
const AGAIN_SECONDS: u64 = 30;
/// How long a login may take, in seconds.
pub const LOGIN_SECONDS: u64 = 600;
/// A provider's answer longer than this is not read, in bytes.
const MAX_ANSWER_BYTES: usize = 256 * 1024;
/// How far the provider's clock may be from ours, in seconds.
const LEEWAY_SECONDS: u64 = 60;

/// Which provider, and what of its claims means what.
#[derive(Clone, PartialEq, Eq)]
pub struct OidcSettings {
    /// The provider's issuer URL.
    pub issuer: String,
    /// The client id.
    pub client_id: String,
    /// Our secret there; public clients have none.
    pub client_secret: Option<String>,
    /// Asked for besides `openid`.
    pub scopes: Vec<String>,
    /// The claim that holds roles: a text or a list of them.
    pub roles_claim: String,
    /// The claim that holds groups.
    pub groups_claim: String,
    /// The role that makes an administrator.
    pub admin_value: String,
    /// The role that makes an auditor.
    pub auditor_value: String,
}

impl std::fmt::Debug for OidcSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OidcSettings")
            .field("issuer", &self.issuer)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

impl OidcSettings {
    /// A provider with the usual claims.
    pub fn new(issuer: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            client_id: client_id.into(),
            client_secret: None,
            scopes: vec!["profile".into(), "email".into()],
            roles_claim: "roles".into(),
            groups_claim: "groups".into(),
            admin_value: "admin".into(),
            auditor_value: "auditor".into(),
        }
    }
}

/// Why a login failed; the texts are for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginFailure {
    /// The provider does not answer, or not as it must.
    #[error("the provider cannot be used: {0}")]
    Unavailable(String),
    /// The provider, or the user there, said no.
    #[error("the provider refused: {0}")]
    Refused(String),
    /// The provider's answer is invalid.
    #[error("the provider's answer is not good: {0}")]
    Invalid(String),
}

/// Every claim that is not a standard one of the library's.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct OtherClaims(#[serde(default)] HashMap<String, Value>);

impl AdditionalClaims for OtherClaims {}

type Fields = IdTokenFields<
    OtherClaims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

/// The library's client, with claims of our own.
type OidcClient<A, T, U> = openidconnect::Client<
    OtherClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    A,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointNotSet,
    T,
    U,
>;

struct Known {
    metadata: CoreProviderMetadata,
    at: Timestamp,
}

/// Logins at one provider.
pub struct Oidc {
    settings: OidcSettings,
    caller: Caller,
    known: RwLock<Option<Known>>,
}

impl Oidc {
    /// Logins at this provider. Makes no call yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: OidcSettings) -> Result<Self, ClientError> {
        Ok(Self {
            settings,
            caller: Caller(web_client::build(LIMIT)?),
            known: RwLock::new(None),
        })
    }

    /// Where the user goes to log in, and what the browser keeps meanwhile. `to` is where the user goes afterwards.
    ///
    /// # Errors
    /// `Unavailable` when the provider does not say how.
    pub async fn begin(
        &self,
        redirect: &str,
        to: &str,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<(String, LoginState), LoginFailure> {
        let metadata = self.metadata(now, None).await?;
        let secret =
            || BASE64URL_NOPAD.encode(&[random_bytes(entropy), random_bytes(entropy)].concat());
        let (state, nonce, verifier) = (secret(), secret(), secret());
        let challenge =
            PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier.clone()));
        let client = self.client_of(metadata, redirect)?;
        let (csrf, nonce_sent) = (state.clone(), nonce.clone());
        let request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(csrf),
                move || Nonce::new(nonce_sent),
            )
            .set_pkce_challenge(challenge)
            .add_scopes(self.settings.scopes.iter().cloned().map(Scope::new));
        let (url, ..) = request.url();
        let state = LoginState {
            state,
            nonce,
            verifier,
            to: to.to_owned(),
            expires: now.plus_seconds(LOGIN_SECONDS),
        };
        Ok((url.into(), state))
    }

    /// Who has come back from the provider with this code. The caller has made sure that `state` belongs to this browser and this answer.
    ///
    /// # Errors
    /// When the provider refuses the code, or its ID token is not for us, not for this login, not signed by it, or too old.
    pub async fn finish(
        &self,
        redirect: &str,
        code: &str,
        state: &LoginState,
        now: Timestamp,
    ) -> Result<User, LoginFailure> {
        let metadata = self.metadata(now, None).await?;
        let answer = self
            .redeem(self.client_of(metadata, redirect)?, code, state)
            .await?;
        let token = answer
            .id_token()
            .ok_or_else(|| LoginFailure::Invalid("there is no ID token".into()))?;
        let mut seen = None;
        loop {
            let client = self.client_of(self.metadata(now, seen).await?, redirect)?;
            let clock = chrono_at(now)?;
            let verifier = client
                .id_token_verifier()
                .set_time_fn(move || clock)
                .set_issue_time_verifier_fn(move |issued| {
                    if issued.timestamp() <= now.plus_seconds(LEEWAY_SECONDS).seconds() {
                        Ok(())
                    } else {
                        Err("it is from the future".to_owned())
                    }
                });
            match token.claims(&verifier, &Nonce::new(state.nonce.clone())) {
                Ok(claims) => return Ok(self.user(claims)),
                // The provider may have a new key since we looked.
                Err(openidconnect::ClaimsVerificationError::SignatureVerification(
                    openidconnect::SignatureVerificationError::NoMatchingKey,
                )) if seen.is_none() => seen = Some(now),
                Err(error) => return Err(LoginFailure::Invalid(error.to_string())),
            }
        }
    }

    async fn redeem<A, U>(
        &self,
        client: OidcClient<A, openidconnect::EndpointMaybeSet, U>,
        code: &str,
        state: &LoginState,
    ) -> Result<StandardTokenResponse<Fields, CoreTokenType>, LoginFailure>
    where
        A: openidconnect::EndpointState,
        U: openidconnect::EndpointState,
    {
        let request = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|error| LoginFailure::Unavailable(error.to_string()))?
            .set_pkce_verifier(PkceCodeVerifier::new(state.verifier.clone()));
        request
            .request_async(&self.caller)
            .await
            .map_err(|error| match error {
                openidconnect::RequestTokenError::ServerResponse(response) => {
                    LoginFailure::Refused(shorten(response.error().as_ref()))
                }
                openidconnect::RequestTokenError::Request(why) => {
                    LoginFailure::Unavailable(why.to_string())
                }
                openidconnect::RequestTokenError::Parse(error, _) => {
                    LoginFailure::Unavailable(format!("the token answer: {error}"))
                }
                openidconnect::RequestTokenError::Other(why) => LoginFailure::Unavailable(why),
            })
    }

    fn client_of(
        &self,
        metadata: CoreProviderMetadata,
        redirect: &str,
    ) -> Result<
        OidcClient<
            openidconnect::EndpointSet,
            openidconnect::EndpointMaybeSet,
            openidconnect::EndpointMaybeSet,
        >,
        LoginFailure,
    > {
        let redirect = RedirectUrl::new(redirect.to_owned())
            .map_err(|error| LoginFailure::Unavailable(error.to_string()))?;
        let secret = self.settings.client_secret.clone().map(ClientSecret::new);
        Ok(OidcClient::from_provider_metadata(
            metadata,
            ClientId::new(self.settings.client_id.clone()),
            secret,
        )
        .set_redirect_uri(redirect))
    }

    /// The provider's metadata. `stale`: the cached metadata of that time was not sufficient.
    async fn metadata(
        &self,
        now: Timestamp,
        stale: Option<Timestamp>,
    ) -> Result<CoreProviderMetadata, LoginFailure> {
        let good_for = if stale.is_some() {
            AGAIN_SECONDS
        } else {
            KEPT_SECONDS
        };
        if let Some(known) = self
            .known
            .read()
            .await
            .as_ref()
            .filter(|known| now < known.at.plus_seconds(good_for))
        {
            return Ok(known.metadata.clone());
        }
        let issuer = IssuerUrl::new(self.settings.issuer.clone())
            .map_err(|error| LoginFailure::Unavailable(error.to_string()))?;
        let metadata = CoreProviderMetadata::discover_async(issuer, &self.caller)
            .await
            .map_err(|error| {
                LoginFailure::Unavailable(format!("it cannot be discovered: {error}"))
            })?;
        *self.known.write().await = Some(Known {
            metadata: metadata.clone(),
            at: now,
        });
        Ok(metadata)
    }

    fn user(&self, claims: &IdTokenClaims<OtherClaims, CoreGenderClaim>) -> User {
        let other = &claims.additional_claims().0;
        let texts = |claim: &str| match other.get(claim) {
            Some(Value::String(text)) => vec![text.clone()],
            Some(Value::Array(items)) => items
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            _ => Vec::new(),
        };
        let roles = texts(&self.settings.roles_claim);
        let role = |value: &str, role| roles.iter().any(|found| found == value).then_some(role);
        let named = claims
            .name()
            .and_then(|name| name.get(None))
            .map(|name| name.to_string());
        let named = named.or_else(|| claims.preferred_username().map(|name| name.to_string()));
        let name = named
            .or_else(|| claims.email().map(|email| email.to_string()))
            .unwrap_or_else(|| claims.subject().to_string());
        User {
            id: UserId::of(claims.issuer().as_str(), claims.subject().as_str()),
            name: shorten(&name),
            roles: [
                role(&self.settings.admin_value, ConsoleRole::Admin),
                role(&self.settings.auditor_value, ConsoleRole::Auditor),
            ]
            .into_iter()
            .flatten()
            .collect(),
            groups: texts(&self.settings.groups_claim)
                .into_iter()
                .take(MAX_GROUPS)
                .map(|group| shorten(&group))
                .collect(),
        }
    }
}

/// The library's way to our client.
struct Caller(Client);

impl<'c> AsyncHttpClient<'c> for Caller {
    type Error = CallError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, CallError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

impl Caller {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, CallError> {
        let request = reqwest::Request::try_from(request).map_err(CallError::from)?;
        let mut response = self.0.execute(request).await.map_err(CallError::from)?;
        let mut answer = http::Response::builder().status(response.status());
        if let Some(headers) = answer.headers_mut() {
            headers.clone_from(response.headers());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(CallError::from)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER_BYTES {
                return Err(CallError("the answer is too long".into()));
            }
        }
        answer
            .body(body)
            .map_err(|error| CallError(error.to_string()))
    }
}

/// A call that did not work, without the address called.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct CallError(String);

impl From<reqwest::Error> for CallError {
    fn from(error: reqwest::Error) -> Self {
        Self(error.without_url().to_string())
    }
}

/// The library's idea of a time. An ID token is good a little longer than it says, because clocks differ.
fn chrono_at(now: Timestamp) -> Result<chrono::DateTime<chrono::Utc>, LoginFailure> {
    chrono::DateTime::from_timestamp(now.minus_seconds(LEEWAY_SECONDS).seconds(), 0)
        .ok_or_else(|| LoginFailure::Invalid("the clock is wrong".into()))
}

fn shorten(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}
