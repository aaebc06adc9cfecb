//! Owns the operations on staging configs, and the checks against the image, group and network that
//! they name. Must not know which values are valid otherwise.

use crate::form::FieldErrors;
use crate::group::Group;
use crate::image::{Image, ImageSource};
use crate::network::Network;
use crate::staging::{StagingConfig, StagingSettings};
use crate::staging_form;
use serde_json::Value;

use crate::admin::error::AdminError;
use crate::admin::version::Precondition;
use crate::admin::{AdminService, records};

/// Creates a staging config.
pub async fn create(
    service: &AdminService<'_>,
    input: &Value,
) -> Result<StagingConfig, AdminError> {
    require(service, &staging_form::create(input)?).await?;
    records::create::<StagingConfig>(service, input).await
}

/// Changes the fields of the document.
pub async fn change(
    service: &AdminService<'_>,
    id: &str,
    input: &Value,
    precondition: &Precondition,
) -> Result<StagingConfig, AdminError> {
    let (before, _) = records::find::<StagingConfig>(service, id).await?;
    require(service, &staging_form::patch(&before, input)?).await?;
    records::change::<StagingConfig>(service, id, input, precondition).await
}

/// Deletes one, and stops the waiting sessions of its pool. The sweep stops those that cannot be
/// stopped now.
pub async fn delete(
    service: &AdminService<'_>,
    id: &str,
    precondition: &Precondition,
) -> Result<(), AdminError> {
    let (staging, _) = records::find::<StagingConfig>(service, id).await?;
    records::delete::<StagingConfig>(service, id, precondition).await?;
    if let Err(fault) = service.control_plane.drain_pool(&staging.id).await {
        tracing::error!(pool.id = %staging.id, %fault,
            "Could not stop what waits in pool {}; the sweep tries again", staging.id);
    }
    Ok(())
}

async fn require(service: &AdminService<'_>, settings: &StagingSettings) -> Result<(), AdminError> {
    let store = &service.control_plane.store;
    let Some(image) = store.record::<Image>(settings.image_id.as_str()).await? else {
        return Err(FieldErrors::one("/image_id", "is not the id of an image.").into());
    };
    if settings.daily_budget_cents.is_some()
        && matches!(image.settings.source, ImageSource::TaskDefinition(_))
    {
        let detail = "cannot be kept: only the image's own task definition says how large a \
                      session is, so its cost is unknown.";
        return Err(FieldErrors::one("/daily_budget_cents", detail).into());
    }
    if let Some(group) = &settings.group_id
        && *group != Group::all_users_id()
        && store.record::<Group>(group.as_str()).await?.is_none()
    {
        return Err(FieldErrors::one("/group_id", "is not the id of a group.").into());
    }
    if let Some(network) = &settings.network
        && store.record::<Network>(network.as_str()).await?.is_none()
    {
        return Err(FieldErrors::one("/network", "is not the name of a network.").into());
    }
    Ok(())
}
