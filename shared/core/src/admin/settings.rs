//! Owns the operations on the deployment's settings. Must not know which values are valid.

use crate::audit::{Difference, FieldChange, RecordKind};
use crate::captcha::KeysVerdict;
use crate::deployment::{DEPLOYMENT_ID, Deployment};
use crate::json_schema;
use crate::ports::Saved;
use crate::queries::CastQuery;
use crate::settings_form;
use serde_json::{Value, json};

use crate::admin::error::{AdminError, TRIES};
use crate::admin::version::Precondition;
use crate::admin::{AdminService, hooks};

/// The settings as they are; of a new deployment, those that it begins with.
pub async fn read(service: &AdminService<'_>) -> Result<Deployment, AdminError> {
    match find(service).await? {
        Some(deployment) => Ok(deployment),
        None => unwritten(service).await,
    }
}

/// Stores the first limits of a new deployment, before its first link is created.
pub async fn begin(service: &AdminService<'_>) -> Result<(), AdminError> {
    if service.control_plane.first_limits.is_empty() || find(service).await?.is_some() {
        return Ok(());
    }
    let (usual, first) = (Deployment::default(), unwritten(service).await?);
    if first == usual {
        return Ok(());
    }
    let after = Deployment::new(1, first.settings, service.control_plane.clock.now());
    let (old, new) = (settings_form::view(&usual), settings_form::view(&after));
    let difference = Difference::changed(&old, &new);
    let audit = service.audit(RecordKind::Settings, DEPLOYMENT_ID, "Settings", difference);
    // A concurrent write has stored settings as well.
    service
        .control_plane
        .store
        .put_record(&after, None, Some(&audit))
        .await?;
    service.control_plane.forget();
    Ok(())
}

/// What holds as long as no settings are written: for a deployment without links, the limits that
/// it begins with.
async fn unwritten(service: &AdminService<'_>) -> Result<Deployment, AdminError> {
    let usual = Deployment::default();
    if service.control_plane.first_limits.is_empty() {
        return Ok(usual);
    }
    let page = service
        .control_plane
        .store
        .casts(&CastQuery::default(), None, 1)
        .await?;
    if !page.items.is_empty() || page.next.is_some() {
        return Ok(usual);
    }
    let settings = service.control_plane.first_limits.settings();
    Ok(Deployment::new(0, settings, usual.updated_at))
}

/// Changes the fields of the document.
pub async fn change(
    service: &AdminService<'_>,
    input: &Value,
    precondition: &Precondition,
) -> Result<Deployment, AdminError> {
    for _ in 0..TRIES {
        let stored = find(service).await?;
        let expected = stored.as_ref().map(|deployment| deployment.version);
        let before = match stored {
            Some(deployment) => deployment,
            None => unwritten(service).await?,
        };
        precondition.check(before.version)?;
        let mut settings = settings_form::patch(&before, input)?;
        hooks::require_receiver(service, Some(&before.settings.hook), &settings.hook)?;
        settings.maintenance = settings.maintenance.noted(
            &before.settings.maintenance,
            &service.actor.name,
            service.control_plane.clock.now(),
        );
        if settings == before.settings {
            return Ok(before);
        }
        let other_secret = settings.captcha.secret_key != before.settings.captcha.secret_key;
        let after = Deployment::new(
            before.version + 1,
            settings,
            service.control_plane.clock.now(),
        );
        let (old, new) = (settings_form::view(&before), settings_form::view(&after));
        let difference = Difference::changed(&old, &new);
        let mut audit = service.audit(RecordKind::Settings, DEPLOYMENT_ID, "Settings", difference);
        if other_secret {
            // That it changed, and nothing of what it was or is.
            let hidden = || json!("\u{2022}\u{2022}\u{2022}");
            audit.changes.push(FieldChange {
                field: SECRET.to_owned(),
                before: hidden(),
                after: hidden(),
            });
        }
        match service
            .control_plane
            .store
            .put_record(&after, expected, Some(&audit))
            .await?
        {
            Saved::Done => {
                service.control_plane.forget();
                if after.settings.counted_since != before.settings.counted_since
                    && let Err(fault) = service.control_plane.count_of_deployment(&after).await
                {
                    tracing::warn!(%fault, "Live sessions are not counted yet; the next claim does");
                }
                tracing::info!(
                    actor.id = service.actor.id,
                    version = after.version,
                    "The settings were changed"
                );
                return Ok(after);
            }
            Saved::Stale => {}
        }
    }
    Err(AdminError::contention("change the settings"))
}

/// Whether the settings can be changed so; nothing is written.
pub async fn check(service: &AdminService<'_>, input: &Value) -> Result<(), AdminError> {
    let before = read(service).await?;
    let after = settings_form::patch(&before, input)?;
    hooks::require_receiver(service, Some(&before.settings.hook), &after.hook)
}

/// What a check of the CAPTCHA's keys has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysFinding {
    /// In one word, for programs.
    pub result: &'static str,
    /// Whether visitors can pass the CAPTCHA, as far as that can be known.
    pub is_good: bool,
    /// One or two sentences: what was found, and what to do.
    pub detail: String,
}

impl KeysFinding {
    /// Every result.
    pub const RESULTS: [&'static str; 6] = [
        "not-needed",
        "accepted",
        "missing",
        "for-tests",
        "refused",
        "unavailable",
    ];

    fn of(verdict: KeysVerdict) -> Self {
        let [
            not_needed,
            accepted,
            missing,
            for_tests,
            refused,
            unavailable,
        ] = Self::RESULTS;
        let finding = |result, is_good, detail: String| Self {
            result,
            is_good,
            detail,
        };
        match verdict {
            KeysVerdict::NotNeeded => finding(not_needed, true, "This CAPTCHA needs no keys.".into()),
            KeysVerdict::Accepted => finding(
                accepted,
                true,
                "The provider accepts the private key. Only a visitor can try the site key: open a \
                 link that requires the CAPTCHA."
                    .into(),
            ),
            KeysVerdict::Missing => finding(
                missing,
                false,
                "A key is missing. Set both keys of your account at the provider.".into(),
            ),
            KeysVerdict::ForTests => finding(
                for_tests,
                false,
                "These are the provider's keys for tests, which check nothing: every visitor is \
                 refused. Set the keys of your own account."
                    .into(),
            ),
            KeysVerdict::Refused(why) => finding(
                refused,
                false,
                format!(
                    "The provider does not know these keys ({why}): every visitor is refused. Copy \
                     both keys again from your account."
                ),
            ),
            KeysVerdict::Unavailable(why) => finding(
                unavailable,
                false,
                format!(
                    "The provider could not be asked ({why}). Visitors are refused until it answers."
                ),
            ),
        }
    }

    /// As the API shows it.
    pub fn view(&self) -> Value {
        json!({ "result": self.result, "is_good": self.is_good, "detail": self.detail })
    }
}

/// The JSON Schema of [`KeysFinding::view`].
pub fn keys_schema() -> Value {
    json_schema::object(json!({
        "result": { "type": "string", "enum": KeysFinding::RESULTS },
        "is_good": { "type": "boolean", "description": "Whether visitors can pass, as far as that can be known." },
        "detail": { "type": "string", "description": "What was found, and what to do." },
    }))
}

/// Asks the CAPTCHA's provider about the keys of the settings.
pub async fn check_keys(service: &AdminService<'_>) -> Result<KeysFinding, AdminError> {
    let captcha = read(service).await?.settings.captcha;
    let verdict = service.control_plane.captcha.check_keys(&captcha).await;
    Ok(KeysFinding::of(verdict))
}

/// The field that is written and never shown.
pub const SECRET: &str = "captcha_secret_key";

async fn find(service: &AdminService<'_>) -> Result<Option<Deployment>, AdminError> {
    Ok(service.control_plane.store.record(DEPLOYMENT_ID).await?)
}
