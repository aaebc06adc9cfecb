//! Owns the login provider of one machine: OpenID Connect with two demo users, so that links which
//! need a login work at once. A user with a role has a password; the other one has none. It speaks
//! the same protocol as any other; the auth function does not know that it is ours.
//!
//! Its signing key is drawn anew at each start: a client that kept the old one finds the new one by
//! itself.

mod codes;
mod tokens;

use std::sync::Arc;

use askama::Template;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use casting_core::ids::{Entropy, random_bytes};
use casting_core::keys::hash_secret;
use casting_core::time::Clock;
use casting_core::urls;
use casting_web::{Body, FormAction, Page, Reply, Request, RequestContext};
use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use self::codes::{Codes, Grant};
use self::tokens::Signer;

/// Where it is under the stack's own address.
pub const PATH: &str = "/provider";
/// What it calls the stack.
pub const CLIENT_ID: &str = "casting";
/// The file of the data folder with the password of the user who administers.
pub const PASSWORD_FILE: &str = "demo-password";
/// The look of the password field, beside the layout's own.
const STYLE: &str = "label{display:block;margin-bottom:.3rem}input[type=password]{width:100%;\
    box-sizing:border-box;padding:.55rem .7rem;margin-bottom:.6rem;font:inherit}";
/// The random bytes of a password.
const PASSWORD_BYTES: usize = 10;

/// A user who can be chosen.
#[derive(Debug)]
pub(crate) struct DemoUser {
    pub(crate) subject: &'static str,
    pub(crate) name: &'static str,
    about: &'static str,
    pub(crate) roles: &'static [&'static str],
    pub(crate) groups: &'static [&'static str],
}

impl DemoUser {
    /// Whether a password is asked for: no role without a secret.
    const fn has_password(&self) -> bool {
        !self.roles.is_empty()
    }
}

const USERS: [DemoUser; 2] = [
    DemoUser {
        subject: "ann",
        name: "Ann",
        about: "an administrator, in the group Staff",
        roles: &["admin"],
        groups: &["Staff"],
    },
    DemoUser {
        subject: "bob",
        name: "Bob",
        about: "in the group Guests",
        roles: &[],
        groups: &["Guests"],
    },
];

/// A new password: 80 random bits, which cannot be guessed however often it is tried.
pub fn draw_password(entropy: &dyn Entropy) -> String {
    BASE32_NOPAD
        .encode(&random_bytes(entropy)[..PASSWORD_BYTES])
        .to_ascii_lowercase()
}

struct Provider {
    /// The hash of the password of users with a role.
    password: String,
    issuer: String,
    redirect: String,
    signer: Signer,
    codes: Codes,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// The provider of a stack that visitors reach at `url`. Users with a role must give `password`.
///
/// # Errors
/// When no key can be made.
pub fn router(
    url: &str,
    password: &str,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
) -> anyhow::Result<Router> {
    let provider = Arc::new(Provider {
        password: hash_secret(password),
        issuer: format!("{url}{PATH}"),
        redirect: format!("{url}{}", urls::LOGIN_CALLBACK),
        signer: Signer::new(&*entropy)?,
        codes: Codes::default(),
        clock,
        entropy,
    });
    let routes = Router::new()
        .route("/.well-known/openid-configuration", get(discover))
        .route("/keys", get(keys))
        .route("/authorize", get(choose).post(authorize))
        .route("/token", post(redeem))
        .with_state(provider);
    Ok(Router::new().nest(PATH, routes))
}

async fn discover(State(provider): State<Arc<Provider>>) -> Json<Value> {
    let issuer = &provider.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "scopes_supported": ["openid", "profile", "email"],
    }))
}

async fn keys(State(provider): State<Arc<Provider>>) -> Json<Value> {
    Json(provider.signer.public_keys())
}

/// What a client asks for, once in the address and once more in the form.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Asked {
    client_id: String,
    redirect_uri: String,
    state: String,
    nonce: String,
    code_challenge: String,
    code_challenge_method: String,
    response_type: String,
}

impl Asked {
    /// Only our own client, only back to where it is, and only with PKCE.
    fn is_right(&self, provider: &Provider) -> bool {
        self.client_id == CLIENT_ID
            && self.redirect_uri == provider.redirect
            && self.code_challenge_method == "S256"
            && self.response_type == "code"
    }
}

#[derive(Template)]
#[template(path = "choose_user.html")]
struct Choose<'a> {
    asked: &'a Asked,
    users: &'a [DemoUser],
    /// The password that was given was wrong.
    is_wrong: bool,
}

async fn choose(State(provider): State<Arc<Provider>>, Query(asked): Query<Asked>) -> Response {
    if !asked.is_right(&provider) {
        return (
            StatusCode::BAD_REQUEST,
            "This is not a request of this machine's own.\n",
        )
            .into_response();
    }
    crate::front::reply(provider.page(&asked, false))
}

impl Provider {
    fn page(&self, asked: &Asked, is_wrong: bool) -> Reply {
        let main = Choose {
            asked,
            users: &USERS,
            is_wrong,
        };
        let visit = RequestContext::parse(&Request::new(Body::Empty), &*self.entropy);
        let page = Page {
            status: if is_wrong {
                StatusCode::FORBIDDEN
            } else {
                StatusCode::OK
            },
            forms: FormAction::LeadAway,
            style: STYLE,
            ..Page::new("Sign in", &main)
        };
        page.reply(&visit)
    }
}

#[derive(Debug, Deserialize)]
struct Chosen {
    user: String,
    password: Option<String>,
    #[serde(flatten)]
    asked: Asked,
}

async fn authorize(
    State(provider): State<Arc<Provider>>,
    Form(Chosen {
        user,
        password,
        asked,
    }): Form<Chosen>,
) -> Response {
    let user = USERS.iter().find(|known| known.subject == user);
    let (Some(user), true, Ok(mut back)) = (
        user,
        asked.is_right(&provider),
        Url::parse(&asked.redirect_uri),
    ) else {
        return (
            StatusCode::BAD_REQUEST,
            "This is not a request of this machine's own.\n",
        )
            .into_response();
    };
    let is_right = password.is_some_and(|given| hash_secret(given.trim()) == provider.password);
    if user.has_password() && !is_right {
        return crate::front::reply(provider.page(&asked, true));
    }
    let grant = Grant {
        user,
        nonce: asked.nonce,
        challenge: asked.code_challenge,
    };
    let code = provider
        .codes
        .issue(grant, &*provider.entropy, provider.clock.now());
    back.query_pairs_mut()
        .append_pair("code", &code)
        .append_pair("state", &asked.state);
    crate::front::reply(casting_web::reply::see_other(back.as_str()))
}

#[derive(Debug, Deserialize)]
struct Redemption {
    grant_type: String,
    code: String,
    redirect_uri: String,
    code_verifier: String,
    client_id: String,
}

async fn redeem(State(provider): State<Arc<Provider>>, Form(asked): Form<Redemption>) -> Response {
    let refused =
        |error: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response();
    if asked.grant_type != "authorization_code"
        || asked.client_id != CLIENT_ID
        || asked.redirect_uri != provider.redirect
    {
        return refused("invalid_request");
    }
    let now = provider.clock.now();
    let Some(grant) = provider
        .codes
        .redeem(&asked.code, &asked.code_verifier, now)
    else {
        return refused("invalid_grant");
    };
    let token = provider
        .signer
        .id_token(&provider.issuer, CLIENT_ID, &grant, now);
    Json(json!({"access_token": asked.code, "token_type": "Bearer", "expires_in": 60, "id_token": token})).into_response()
}
