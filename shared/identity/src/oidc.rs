//! Owns logins by OpenID Connect: code flow with PKCE, state and nonce, at any provider that can be
//! discovered. Must not know cookies or routes.
//!
//! The provider's metadata and keys are cached; an ID token signed with an unknown key refreshes
//! them once.

use std::collections::HashMap;
use std::time::Duration;

use casting_core::ids::{Entropy, random_bytes};
use casting_core::ticket::LoginState;
use casting_core::time::Timestamp;
use casting_core::user::User;
use data_encoding::BASE64URL_NOPAD;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClientAuthMethod,
    CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EmptyExtraTokenFields, IdTokenClaims, IdTokenFields, IdTokenVerifier, IssuerUrl, Nonce,
    OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    StandardErrorResponse, StandardTokenResponse, TokenResponse,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::RwLock;

use crate::claims::Claims;
use crate::provider_client::Caller;
use crate::web_client::{self, ClientError};

/// How long one call to the provider may take.
const LIMIT: Duration = Duration::from_secs(5);
/// How long the provider's metadata is cached, in seconds.
const KEPT_SECONDS: u64 = 3600;
/// Keys are looked for again at most once in so many seconds: a stranger's token must not make us
/// call.
const AGAIN_SECONDS: u64 = 30;
/// How long a login may take, in seconds.
pub const LOGIN_SECONDS: u64 = 600;
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
    #[error("the provider refused: {code}{}",
    words.as_ref().map(|words| format!(" ({words})")).unwrap_or_default())]
    Refused {
        /// The error code of OAuth, such as `access_denied`.
        code: String,
        /// The provider's own words.
        words: Option<String>,
    },
    /// The provider's answer is invalid.
    #[error("the provider's answer is not good: {0}")]
    Invalid(String),
}

impl LoginFailure {
    /// The provider's refusal with this code and these words, both shortened.
    pub fn refused(code: &str, words: Option<&str>) -> Self {
        let plain = |text: &str, most| -> String {
            text.chars()
                .filter(|c| !c.is_control())
                .take(most)
                .collect()
        };
        Self::Refused {
            code: plain(code, 60),
            words: words
                .map(|words| plain(words, 300).trim().to_owned())
                .filter(|words| !words.is_empty()),
        }
    }
}

/// Every claim that is not a standard one of the library's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OtherClaims(#[serde(default)] HashMap<String, Value>);

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

    /// Where the user goes to log in, and what the browser keeps meanwhile. `to` is where the user
    /// goes afterwards.
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

    /// Who has come back from the provider with this code. The caller has made sure that `state`
    /// belongs to this browser and this answer.
    ///
    /// # Errors
    /// When the provider refuses the code, or its ID token is not for us, not for this login, not
    /// signed by it, or too old.
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
            let verifier = checked_at(client.id_token_verifier(), now)?;
            match token.claims(&verifier, &Nonce::new(state.nonce.clone())) {
                Ok(claims) => {
                    return Ok(self.user(&client, answer.access_token(), claims).await);
                }
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
                    LoginFailure::refused(
                        response.error().as_ref(),
                        response.error_description().map(String::as_str),
                    )
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
        // Where the provider names no way, it is the header.
        let ways = metadata.token_endpoint_auth_methods_supported();
        let only_in_body = ways.is_some_and(|ways| {
            !ways.contains(&CoreClientAuthMethod::ClientSecretBasic)
                && ways.contains(&CoreClientAuthMethod::ClientSecretPost)
        });
        Ok(OidcClient::from_provider_metadata(
            metadata,
            ClientId::new(self.settings.client_id.clone()),
            secret,
        )
        .set_auth_type(if only_in_body {
            AuthType::RequestBody
        } else {
            AuthType::BasicAuth
        })
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
                LoginFailure::Unavailable(format!(
                    "it cannot be discovered: {}",
                    with_causes(&error)
                ))
            })?;
        *self.known.write().await = Some(Known {
            metadata: metadata.clone(),
            at: now,
        });
        Ok(metadata)
    }

    /// The user of these claims; what they lack is asked for at the provider's userinfo endpoint.
    async fn user<A, T>(
        &self,
        client: &OidcClient<A, T, openidconnect::EndpointMaybeSet>,
        access_token: &openidconnect::AccessToken,
        claims: &IdTokenClaims<OtherClaims, CoreGenderClaim>,
    ) -> User
    where
        A: openidconnect::EndpointState,
        T: openidconnect::EndpointState,
    {
        let mut known = known_of(claims);
        if known.is_incomplete(&self.settings)
            && let Ok(request) =
                client.user_info(access_token.clone(), Some(claims.subject().clone()))
        {
            type Info = openidconnect::UserInfoClaims<OtherClaims, CoreGenderClaim>;
            match request
                .request_async::<OtherClaims, _, CoreGenderClaim>(&self.caller)
                .await
            {
                Ok(info) => {
                    let info: Info = info;
                    known.complete(known_claims(
                        info.additional_claims(),
                        [
                            (
                                "name",
                                info.name()
                                    .and_then(|name| name.get(None))
                                    .map(|name| name.as_str()),
                            ),
                            (
                                "nickname",
                                info.nickname()
                                    .and_then(|name| name.get(None))
                                    .map(|name| name.as_str()),
                            ),
                            (
                                "preferred_username",
                                info.preferred_username().map(|name| name.as_str()),
                            ),
                            ("email", info.email().map(|email| email.as_str())),
                            (
                                "given_name",
                                info.given_name()
                                    .and_then(|name| name.get(None))
                                    .map(|name| name.as_str()),
                            ),
                        ],
                    ));
                }
                // The login is good without it.
                Err(error) => {
                    tracing::warn!(%error,
                    "The provider's userinfo endpoint does not answer as it must");
                }
            }
        }
        let (issuer, subject) = (claims.issuer().as_str(), claims.subject().as_str());
        let (user, oddities) = known.user(issuer, subject, &self.settings);
        for oddity in oddities {
            tracing::warn!(user.id = %user.id, "Login of user {}: {oddity}", user.id);
        }
        user
    }
}

/// An ID token with claims of our own.
pub(crate) type Token = openidconnect::IdToken<
    OtherClaims,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

/// What a login checks of a token at this time, besides its signature.
pub(crate) fn checked_at(
    verifier: IdTokenVerifier<'_, CoreJsonWebKey>,
    now: Timestamp,
) -> Result<IdTokenVerifier<'_, CoreJsonWebKey>, LoginFailure> {
    let clock = chrono_at(now)?;
    Ok(verifier
        // Ours must be among the audiences; Zitadel and Keycloak name others too.
        .set_other_audience_verifier_fn(|_| true)
        .set_time_fn(move || clock)
        .set_issue_time_verifier_fn(move |issued| {
            if issued.timestamp() <= now.plus_seconds(LEEWAY_SECONDS).seconds() {
                Ok(())
            } else {
                Err("it is from the future".to_owned())
            }
        }))
}

/// All claims of a token.
pub(crate) fn known_of(claims: &IdTokenClaims<OtherClaims, CoreGenderClaim>) -> Claims {
    known_claims(
        claims.additional_claims(),
        [
            (
                "name",
                claims
                    .name()
                    .and_then(|name| name.get(None))
                    .map(|name| name.as_str()),
            ),
            (
                "nickname",
                claims
                    .nickname()
                    .and_then(|name| name.get(None))
                    .map(|name| name.as_str()),
            ),
            (
                "preferred_username",
                claims.preferred_username().map(|name| name.as_str()),
            ),
            ("email", claims.email().map(|email| email.as_str())),
            (
                "given_name",
                claims
                    .given_name()
                    .and_then(|name| name.get(None))
                    .map(|name| name.as_str()),
            ),
        ],
    )
}

/// Standard and other claims in one.
fn known_claims(other: &OtherClaims, standard: [(&str, Option<&str>); 5]) -> Claims {
    let mut claims = other.0.clone();
    for (name, value) in standard {
        if let Some(value) = value {
            claims.insert(name.to_owned(), Value::from(value));
        }
    }
    Claims::new(claims)
}

/// An error with its causes: the library's own words name the member that it could not read only
/// there.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// The library's idea of a time. An ID token is good a little longer than it says, because clocks
/// differ.
fn chrono_at(now: Timestamp) -> Result<chrono::DateTime<chrono::Utc>, LoginFailure> {
    chrono::DateTime::from_timestamp(now.minus_seconds(LEEWAY_SECONDS).seconds(), 0)
        .ok_or_else(|| LoginFailure::Invalid("the clock is wrong".into()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::extract::State;
    use axum::http::HeaderMap;
    use axum::routing::{get, post};
    use axum::{Form, Json, Router};
    use casting_core::testing::{NOON, SeededEntropy};
    use ring::signature::{Ed25519KeyPair, KeyPair};
    use serde_json::json;

    use super::*;

    const REDIRECT: &str = "https://cast.example.com/login/callback";

    /// What a provider does its own way.
    #[derive(Clone, Debug, Default)]
    struct Quirks {
        /// Members of the ID token.
        claims: Value,
        /// Members of the answer of the token endpoint.
        answer: Value,
        /// Members of the description of the provider.
        metadata: Value,
        /// What the userinfo endpoint says.
        userinfo: Value,
        /// Keys beside the one that signs.
        keys: Vec<Value>,
        /// What the token endpoint refuses with.
        refusal: Option<Value>,
    }

    struct Provider {
        issuer: String,
        quirks: Quirks,
        nonce: tokio::sync::Mutex<String>,
    }

    fn key() -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key")
    }

    fn with(mut base: Value, more: &Value) -> Value {
        for (name, value) in more.as_object().into_iter().flatten() {
            base[name] = value.clone();
        }
        base
    }

    fn signed(claims: &Value) -> String {
        let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let head = encode(&json!({"alg": "EdDSA", "typ": "JWT", "kid": "one"}));
        let text = format!("{head}.{}", encode(claims));
        let signature = key().sign(text.as_bytes());
        format!("{text}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }

    async fn describe(State(provider): State<Arc<Provider>>) -> Json<Value> {
        let issuer = &provider.issuer;
        let metadata = json!({
            "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/keys"),
            "userinfo_endpoint": format!("{issuer}/userinfo"), "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["EdDSA"],
        });
        let mut metadata = with(metadata, &provider.quirks.metadata);
        // What must be there and is null, some leave out.
        let required = ["subject_types_supported", "response_types_supported"];
        if let Some(members) = metadata.as_object_mut() {
            members.retain(|name, value| !value.is_null() || !required.contains(&name.as_str()));
        }
        Json(metadata)
    }

    async fn keys(State(provider): State<Arc<Provider>>) -> Json<Value> {
        let x = BASE64URL_NOPAD.encode(key().public_key().as_ref());
        let mut keys = provider.quirks.keys.clone();
        keys.push(
            json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
            "kid": "one", "x": x}),
        );
        Json(json!({ "keys": keys }))
    }

    async fn token(
        State(provider): State<Arc<Provider>>,
        headers: HeaderMap,
        Form(form): Form<HashMap<String, String>>,
    ) -> (http::StatusCode, Json<Value>) {
        if let Some(refusal) = &provider.quirks.refusal {
            return (http::StatusCode::BAD_REQUEST, Json(refusal.clone()));
        }
        let in_header = headers.contains_key("authorization");
        let in_body = form.contains_key("client_secret");
        let ways = &provider.quirks.metadata["token_endpoint_auth_methods_supported"];
        let wants_body = *ways == json!(["client_secret_post"]);
        if in_body != wants_body || in_header == wants_body {
            let refusal = json!({"error": "invalid_client"});
            return (http::StatusCode::UNAUTHORIZED, Json(refusal));
        }
        let claims = json!({
            "iss": provider.issuer, "aud": "casting", "sub": "ann", "iat": NOON.seconds(),
            "exp": NOON.plus_seconds(300).seconds(), "nonce": *provider.nonce.lock().await,
        });
        let answer = json!({
            "access_token": "a", "token_type": "Bearer", "expires_in": 300,
            "id_token": signed(&with(claims, &provider.quirks.claims)),
        });
        let mut answer = with(answer, &provider.quirks.answer);
        if let Some(members) = answer.as_object_mut() {
            members.retain(|_, value| !value.is_null());
        }
        (http::StatusCode::OK, Json(answer))
    }

    async fn userinfo(State(provider): State<Arc<Provider>>) -> Json<Value> {
        Json(with(json!({"sub": "ann"}), &provider.quirks.userinfo))
    }

    /// Logs in at such a provider.
    async fn log_in(quirks: Quirks) -> Result<User, LoginFailure> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let issuer = format!("http://{}", listener.local_addr().expect("an address"));
        let provider = Arc::new(Provider {
            issuer: issuer.clone(),
            quirks,
            nonce: tokio::sync::Mutex::default(),
        });
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(describe))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let oidc = Oidc::new(OidcSettings {
            client_secret: Some("hush".into()),
            ..OidcSettings::new(issuer, "casting")
        })
        .expect("a client");
        let (_, state) = oidc
            .begin(REDIRECT, "/", &SeededEntropy::new(1), NOON)
            .await?;
        provider.nonce.lock().await.clone_from(&state.nonce);
        oidc.finish(REDIRECT, "code", &state, NOON).await
    }

    #[tokio::test]
    async fn answers_of_providers_are_understood() {
        let named = json!({"name": "Ann", "groups": ["staff"]});
        for (name, quirks) in [
            (
                "Auth0: a time as text",
                Quirks {
                    claims: with(
                        named.clone(),
                        &json!({"updated_at": "2026-11-23T11:59:30.123Z"}),
                    ),
                    ..Quirks::default()
                },
            ),
            (
                "Apple: a boolean as text, the secret in the body",
                Quirks {
                    claims: with(
                        named.clone(),
                        &json!({"email": "a@b.example", "email_verified": "true"}),
                    ),
                    metadata: json!({"token_endpoint_auth_methods_supported": ["client_secret_post"]}),
                    ..Quirks::default()
                },
            ),
            (
                "Entra ID, version 1: a number as text",
                Quirks {
                    claims: named.clone(),
                    answer: json!({"expires_in": "3599", "ext_expires_in": "3599"}),
                    ..Quirks::default()
                },
            ),
            (
                "AD FS: no type of token",
                Quirks {
                    claims: named.clone(),
                    answer: json!({"token_type": null}),
                    ..Quirks::default()
                },
            ),
            (
                "a lifetime with a fraction, a list of scopes",
                Quirks {
                    claims: named.clone(),
                    answer: json!({"expires_in": 3599.5, "scope": ["openid"]}),
                    ..Quirks::default()
                },
            ),
            (
                "a lifetime that is none",
                Quirks {
                    claims: named.clone(),
                    answer: json!({"expires_in": "never", "scope": "openid  profile"}),
                    ..Quirks::default()
                },
            ),
            (
                "null claims, and types that nobody asked for, at userinfo",
                Quirks {
                    claims: json!({"name": "Ann", "email": null, "picture": null}),
                    userinfo: json!({
                        "groups": ["staff"], "locale": {"country": "AT", "language": "de"},
                        "address": "1 Example Street", "updated_at": "yesterday",
                        "email_verified": 1, "phone_number": 431, "birthdate": 1990,
                    }),
                    ..Quirks::default()
                },
            ),
            (
                "keys of other kinds beside",
                Quirks {
                    claims: named.clone(),
                    keys: vec![
                        json!({"kty": "PQC", "alg": "ML-DSA-65", "kid": "new"}),
                        json!({"kty": "OKP", "crv": "X25519", "use": "enc", "kid": "x", "x": "AA"}),
                        json!({"kty": "EC", "crv": "secp256k1", "kid": "k", "x": "AA", "y": "AA"}),
                        json!({"kty": "RSA", "use": "enc", "kid": "r", "n": "AQAB", "e": "AQAB"}),
                        json!({"kty": "oct", "kid": "o"}),
                    ],
                    ..Quirks::default()
                },
            ),
            (
                "a description with null, unknown words and methods",
                Quirks {
                    claims: named.clone(),
                    metadata: json!({
                        "claims_supported": null, "display_values_supported": null,
                        "token_endpoint_auth_methods_supported": ["client_secret_jwt", "private_key_jwt", "tls_client_auth", "client_secret_basic"],
                        "grant_types_supported": ["urn:openid:params:grant-type:ciba"],
                        "response_modes_supported": ["form_post.jwt"],
                        "id_token_signing_alg_values_supported": ["EdDSA", "ML-DSA-65"],
                        "acr_values_supported": ["0"], "ui_locales_supported": ["de-AT", ""],
                        "registration_endpoint": null, "end_session_endpoint": null,
                        "mtls_endpoint_aliases": {}, "tls_client_certificate_bound_access_tokens": true,
                    }),
                    ..Quirks::default()
                },
            ),
            (
                "a description with empty addresses",
                Quirks {
                    claims: named.clone(),
                    metadata: json!({"service_documentation": "", "op_policy_uri": "", "op_tos_uri": "", "registration_endpoint": ""}),
                    ..Quirks::default()
                },
            ),
            (
                "a description of the least",
                Quirks {
                    claims: named.clone(),
                    metadata: json!({"subject_types_supported": null, "response_types_supported": null}),
                    ..Quirks::default()
                },
            ),
            (
                "a given name only",
                Quirks {
                    claims: json!({"given_name": "Ann", "groups": ["staff"]}),
                    ..Quirks::default()
                },
            ),
            (
                "Zitadel: several audiences",
                Quirks {
                    claims: with(
                        named.clone(),
                        &json!({"aud": ["casting", "project"], "azp": "casting"}),
                    ),
                    ..Quirks::default()
                },
            ),
            (
                "Okta: groups at userinfo only",
                Quirks {
                    claims: json!({"name": "Ann"}),
                    userinfo: json!({"name": "Somebody", "groups": ["staff"]}),
                    ..Quirks::default()
                },
            ),
            (
                "GitLab: nothing but the subject in the token",
                Quirks {
                    userinfo: named.clone(),
                    ..Quirks::default()
                },
            ),
        ] {
            let user = log_in(quirks).await;
            let user = user.unwrap_or_else(|failure| panic!("{name}: {failure}"));
            assert_eq!(
                (user.name.as_str(), user.groups),
                ("Ann", vec!["staff".to_owned()]),
                "{name}"
            );
        }
    }

    #[tokio::test]
    async fn unreadable_metadata_field_is_named() {
        let quirks = Quirks {
            metadata: json!({"jwks_uri": "no address"}),
            ..Quirks::default()
        };
        let failure = log_in(quirks).await.expect_err("no keys").to_string();
        assert!(failure.contains("jwks_uri"), "{failure}");
    }

    #[tokio::test]
    async fn tokens_for_others_are_refused() {
        for (name, claims) in [
            ("another audience", json!({"aud": "other"})),
            ("other audiences", json!({"aud": ["other", "project"]})),
            ("another issuer", json!({"iss": "https://other.example"})),
            ("another login", json!({"nonce": "other"})),
            ("too old", json!({"exp": NOON.seconds() - 61})),
        ] {
            let quirks = Quirks {
                claims,
                ..Quirks::default()
            };
            let failure = log_in(quirks).await.expect_err(name);
            assert!(
                matches!(failure, LoginFailure::Invalid(_)),
                "{name}: {failure}"
            );
        }
        let quirks = Quirks {
            userinfo: json!({"sub": "eve", "groups": ["staff"]}),
            ..Quirks::default()
        };
        let user = log_in(quirks).await.expect("Ann");
        assert_eq!(
            user.groups,
            Vec::<String>::new(),
            "userinfo of somebody else"
        );
    }

    #[tokio::test]
    async fn refusal_keeps_code_and_words_of_the_provider() {
        let quirks = Quirks {
            refusal: Some(json!({
                "error": "invalid_grant",
                "error_description": "AADSTS70008: The code has expired.\r\nTrace ID: 1",
            })),
            ..Quirks::default()
        };
        let failure = log_in(quirks).await.expect_err("refused");
        let text =
            "the provider refused: invalid_grant (AADSTS70008: The code has expired.Trace ID: 1)";
        assert_eq!(failure.to_string(), text);
    }
}
