//! Owns the admission hook of a link: which server is asked whether a visitor may come in, what it is
//! asked, and how its answer is read. Must not know how it is called, nor what follows.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::cast::Cast;
use crate::ids::{GroupId, SessionId};
use crate::invitation::Invited;
use crate::network::NetworkName;
use crate::terms::AdmissionTerms;
use crate::time::Timestamp;
use crate::user::User;
use crate::webhook::WebhookAnswer;

/// The longest answer that is read, in bytes.
pub const ANSWER_BYTES: usize = 16 * 1024;
/// How long the server may take at most, in milliseconds.
pub const MOST_MILLIS: u32 = 3000;
/// How long it may take, unless something else is set, in milliseconds.
pub const USUAL_MILLIS: u32 = 1500;
/// The longest message to a visitor, in characters.
const MESSAGE_CHARS: usize = 300;
/// The shortest life of a session that it may ask for, in seconds.
const LEAST_SECONDS: u32 = 60;

/// Whether visitors come in while the server does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unanswered {
    /// Nobody comes in.
    #[default]
    Closed,
    /// Everybody whom the link admits comes in.
    Open,
}

impl Unanswered {
    /// Every value.
    pub const ALL: [Self; 2] = [Self::Closed, Self::Open];

    /// The value as a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
        }
    }

    /// Reads a word.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| "must be closed or open.".to_owned())
    }
}

/// Which server is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdmissionHook {
    /// Whether it is asked.
    #[serde(default)]
    pub enabled: bool,
    /// Where; kept while it is off.
    #[serde(default)]
    pub url: Option<String>,
    /// How long it may take, in milliseconds.
    pub millis: u32,
    /// What holds while it does not answer.
    #[serde(default)]
    pub unanswered: Unanswered,
}

impl Default for AdmissionHook {
    fn default() -> Self {
        Self {
            enabled: false,
            url: None,
            millis: USUAL_MILLIS,
            unanswered: Unanswered::Closed,
        }
    }
}

impl AdmissionHook {
    /// Whether nothing was ever set.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// The server; `None` while it is not asked.
    pub fn server(&self) -> Option<&str> {
        self.url.as_deref().filter(|_| self.enabled)
    }
}

/// A visitor whom all rules of the link admit.
#[derive(Clone, Debug)]
pub struct Applicant<'a> {
    /// The id of the claim, the same when it is repeated.
    pub claim: &'a SessionId,
    /// The keyed hash of the address, as the ledger has it.
    pub address: String,
    /// The referring host.
    pub referrer: Option<&'a str>,
    /// The user, if logged in.
    pub user: Option<&'a User>,
    /// Whose invitation they bring.
    pub invitation: Option<Invited>,
    /// The address that the session opens.
    pub kasm_url: Option<&'a str>,
    /// The network in which it runs.
    pub network: Option<&'a str>,
    /// How long it may live, in seconds.
    pub time_limit_seconds: u32,
}

/// What the server is asked, as JSON.
pub fn question(cast: &Cast, applicant: &Applicant<'_>, now: Timestamp) -> String {
    let user = applicant
        .user
        .map(|user| json!({ "id": user.id, "name": user.name, "groups": user.groups }));
    let invitation = applicant.invitation.as_ref();
    let question = json!({
        "type": "admission.asked",
        "timestamp": now.to_string(),
        "data": {
            "claim": applicant.claim,
            "link": { "id": cast.id, "name": cast.settings.name },
            "user": user,
            "address": applicant.address,
            "referrer": applicant.referrer,
            "invitation": invitation.map(|one| json!({ "name": one.name, "label": one.label })),
            "kasm_url": applicant.kasm_url,
            "network": applicant.network,
            "time_limit_seconds": applicant.time_limit_seconds,
        },
    });
    question.to_string()
}

/// The id under which the server is asked (`webhook-id`).
pub fn question_id(claim: &SessionId) -> String {
    format!("{claim}-admission")
}

/// The answer as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    allow: bool,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    time_limit_seconds: Option<u32>,
    #[serde(default)]
    network: Option<String>,
    #[serde(default)]
    group_id: Option<String>,
}

/// What the server has said of a visitor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HookFact {
    /// It was not asked, or not yet.
    #[default]
    NotAsked,
    /// The visitor may come in.
    Admitted(AdmissionTerms),
    /// The visitor may not.
    Refused {
        /// What they read, as the server has it.
        message: Option<String>,
    },
    /// No answer came, or none that can be read.
    Unanswered,
}

impl HookFact {
    /// What the server gives, if it admits the visitor.
    pub const fn terms(&self) -> Option<&AdmissionTerms> {
        match self {
            Self::Admitted(terms) => Some(terms),
            _ => None,
        }
    }

    /// The longest life of the session that the server allows, in seconds.
    pub fn time_limit_seconds(&self) -> Option<u32> {
        self.terms()?.time_limit_seconds
    }

    /// The network that the server names.
    pub fn network(&self) -> Option<&NetworkName> {
        self.terms()?.network.as_ref()
    }

    /// The group that the server names.
    pub fn group_id(&self) -> Option<&GroupId> {
        self.terms()?.group_id.as_ref()
    }
}

/// Reads the server's answer.
///
/// # Errors
/// Why it cannot be used, for the log.
pub fn read_answer(answer: WebhookAnswer) -> Result<HookFact, String> {
    let (status, body, is_whole) = match answer {
        WebhookAnswer::Failed(why) => return Err(why),
        WebhookAnswer::Answered {
            status,
            body,
            is_whole,
        } => (status, body, is_whole),
    };
    if !(200..300).contains(&status) {
        return Err(format!("it answered {status}"));
    }
    if !is_whole {
        return Err("its answer is too long, or broke off".to_owned());
    }
    // A list of the right values would be read as well.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err("its answer is no object".to_owned());
    }
    let written: Written = serde_json::from_slice(&body)
        .map_err(|error| format!("its answer is no answer: {error}"))?;
    let message = written.message.as_deref().map(str::trim);
    let message = message.filter(|message| !message.is_empty());
    if message.is_some_and(|text| text.chars().count() > MESSAGE_CHARS) {
        return Err(format!(
            "its message is longer than {MESSAGE_CHARS} characters"
        ));
    }
    if message.is_some_and(|text| text.chars().any(char::is_control)) {
        return Err("its message has control characters".to_owned());
    }
    if written
        .time_limit_seconds
        .is_some_and(|limit| limit < LEAST_SECONDS)
    {
        return Err(format!("its time limit is below {LEAST_SECONDS} seconds"));
    }
    let network = written.network.as_deref().map(|name| {
        NetworkName::parse(name).ok_or_else(|| "its network is no name of a network".to_owned())
    });
    let group_id = written
        .group_id
        .as_deref()
        .map(|id| GroupId::parse(id).ok_or_else(|| "its group_id is no id of a group".to_owned()));
    let terms = AdmissionTerms {
        time_limit_seconds: written.time_limit_seconds,
        network: network.transpose()?,
        group_id: group_id.transpose()?,
    };
    Ok(if written.allow {
        HookFact::Admitted(terms)
    } else {
        HookFact::Refused {
            message: message.map(str::to_owned),
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::testing::{NOON, cast};

    fn answered(status: u16, body: &str) -> WebhookAnswer {
        WebhookAnswer::Answered {
            status,
            body: body.as_bytes().to_vec(),
            is_whole: true,
        }
    }

    #[test]
    fn answers_are_read_strictly() {
        let admitted = |time_limit_seconds| {
            Some(HookFact::Admitted(AdmissionTerms {
                time_limit_seconds,
                ..AdmissionTerms::default()
            }))
        };
        let group = GroupId::from_bytes([7; 16]);
        let places = format!(r#"{{"allow": true, "network": "lab", "group_id": "{group}"}}"#);
        let placed = AdmissionTerms {
            network: NetworkName::parse("lab"),
            group_id: Some(group),
            ..AdmissionTerms::default()
        };
        let refused = |message: Option<&str>| {
            let message = message.map(str::to_owned);
            Some(HookFact::Refused { message })
        };
        let long = format!(r#"{{"allow": false, "message": "{}"}}"#, "a".repeat(301));
        for (name, status, body, expected) in [
            ("yes", 200, r#"{"allow": true}"#, admitted(None)),
            ("yes, created", 201, r#"{"allow": true}"#, admitted(None)),
            (
                "yes, for a while",
                200,
                r#"{"allow": true, "time_limit_seconds": 600}"#,
                admitted(Some(600)),
            ),
            (
                "yes, in a network and a group",
                200,
                &places,
                Some(HookFact::Admitted(placed)),
            ),
            ("no", 200, r#"{"allow": false}"#, refused(None)),
            (
                "no, and why",
                200,
                r#"{"allow": false, "message": " Pay first. "}"#,
                refused(Some("Pay first.")),
            ),
            (
                "no, with an empty why",
                200,
                r#"{"allow": false, "message": " "}"#,
                refused(None),
            ),
            ("nothing", 200, "", None),
            ("no JSON", 200, "yes", None),
            ("a list", 200, "[true]", None),
            ("no verdict", 200, "{}", None),
            ("a word for a verdict", 200, r#"{"allow": "yes"}"#, None),
            (
                "a field that it has not",
                200,
                r#"{"allow": true, "role": "admin"}"#,
                None,
            ),
            (
                "no network's name",
                200,
                r#"{"allow": true, "network": "The Lab"}"#,
                None,
            ),
            (
                "no group's id",
                200,
                r#"{"allow": true, "group_id": "staff"}"#,
                None,
            ),
            ("twice", 200, r#"{"allow": true, "allow": false}"#, None),
            (
                "two answers",
                200,
                r#"{"allow": true} {"allow": true}"#,
                None,
            ),
            ("a long message", 200, &long, None),
            (
                "a control character",
                200,
                r#"{"allow": false, "message": "a\u0007"}"#,
                None,
            ),
            (
                "no time",
                200,
                r#"{"allow": true, "time_limit_seconds": 0}"#,
                None,
            ),
            (
                "time before now",
                200,
                r#"{"allow": true, "time_limit_seconds": -1}"#,
                None,
            ),
            ("an error", 500, r#"{"allow": true}"#, None),
            ("a redirect", 302, r#"{"allow": true}"#, None),
        ] {
            assert_eq!(read_answer(answered(status, body)).ok(), expected, "{name}");
        }
        let cut = WebhookAnswer::Answered {
            status: 200,
            body: br#"{"allow": true}"#.to_vec(),
            is_whole: false,
        };
        assert!(read_answer(cut).is_err(), "more than is read");
        assert!(read_answer(WebhookAnswer::Failed("late".into())).is_err());
    }

    #[test]
    fn question_names_no_key_and_no_address() {
        let cast = cast(1);
        let claim = SessionId::from_bytes([1; 16]);
        let applicant = Applicant {
            claim: &claim,
            address: "hash".into(),
            referrer: Some("acme.com"),
            user: None,
            invitation: None,
            kasm_url: None,
            network: None,
            time_limit_seconds: 3600,
        };
        let asked = question(&cast, &applicant, NOON);
        assert!(!asked.contains(cast.settings.key.as_str()), "{asked}");
        let asked: Value = serde_json::from_str(&asked).expect("JSON");
        assert_eq!(asked["data"]["claim"], json!(claim));
        assert_eq!(asked["data"]["link"]["id"], json!(cast.id));
    }
}
