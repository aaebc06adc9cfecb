//! Owns what can be done with the deployment's settings. Must not know which values are possible.

use crate::audit::{Difference, FieldChange, RecordKind};
use crate::listing::CastQuery;
use crate::ports::Saved;
use crate::system::{SYSTEM_ID, System};
use crate::system_form;
use serde_json::{Value, json};

use crate::admin::AdminService;
use crate::admin::error::{AdminError, TRIES};
use crate::admin::version::Precondition;

/// The settings as they are; of a new deployment, those that it begins with.
pub async fn read(service: &AdminService<'_>) -> Result<System, AdminError> {
    match find(service).await? {
        Some(system) => Ok(system),
        None => unwritten(service).await,
    }
}

/// Writes down what a new deployment begins with, before its first link is made.
pub async fn begin(service: &AdminService<'_>) -> Result<(), AdminError> {
    if service.control_plane.first_limits.is_empty() || find(service).await?.is_some() {
        return Ok(());
    }
    let (usual, first) = (System::default(), unwritten(service).await?);
    if first == usual {
        return Ok(());
    }
    let after = System::new(1, first.settings, service.control_plane.clock.now());
    let (old, new) = (system_form::view(&usual), system_form::view(&after));
    let difference = Difference {
        before: Some(&old),
        after: Some(&new),
    };
    let audit = service.audit(RecordKind::Settings, SYSTEM_ID, "Settings", difference);
    // Whoever was faster has written settings, too.
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
async fn unwritten(service: &AdminService<'_>) -> Result<System, AdminError> {
    let usual = System::default();
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
    Ok(System::new(0, settings, usual.updated_at))
}

/// Changes what the document names.
pub async fn change(
    service: &AdminService<'_>,
    input: &Value,
    precondition: &Precondition,
) -> Result<System, AdminError> {
    for _ in 0..TRIES {
        let stored = find(service).await?;
        let expected = stored.as_ref().map(|system| system.version);
        let before = match stored {
            Some(system) => system,
            None => unwritten(service).await?,
        };
        precondition.check(before.version)?;
        let settings = system_form::patch(&before, input)?;
        if settings == before.settings {
            return Ok(before);
        }
        let other_secret = settings.captcha.secret_key != before.settings.captcha.secret_key;
        let after = System::new(
            before.version + 1,
            settings,
            service.control_plane.clock.now(),
        );
        let (old, new) = (system_form::view(&before), system_form::view(&after));
        let difference = Difference {
            before: Some(&old),
            after: Some(&new),
        };
        let mut audit = service.audit(RecordKind::Settings, SYSTEM_ID, "Settings", difference);
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
                    && let Err(fault) = service.control_plane.count_of_system(&after).await
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

/// The field that is written and never shown.
pub const SECRET: &str = "captcha_secret_key";

async fn find(service: &AdminService<'_>) -> Result<Option<System>, AdminError> {
    Ok(service.control_plane.store.record(SYSTEM_ID).await?)
}
