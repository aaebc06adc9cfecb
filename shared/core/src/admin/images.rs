//! Owns the operations on images. Must not know which values are valid, or what a task definition
//! contains.

use crate::audit::{Action, Difference, RecordKind};
use crate::form::FieldErrors;
use crate::ids::ImageId;
use crate::image::{Image, ImageSettings, ImageSource};
use crate::image_form;
use crate::network::Network;
use crate::ports::Saved;
use serde_json::Value;

use crate::admin::AdminService;
use crate::admin::error::{AdminError, TRIES};
use crate::admin::uses::{self, Named};
use crate::admin::version::Precondition;

/// Creates an image. For a container image, a task definition is registered first.
pub async fn create(service: &AdminService<'_>, input: &Value) -> Result<Image, AdminError> {
    let control_plane = service.control_plane;
    let settings = image_form::create(input)?;
    require_files(service, &settings)?;
    require_networks(service, &settings).await?;
    let (id, now) = (
        service.new_id(RecordKind::Image, input).await?,
        control_plane.clock.now(),
    );
    let image_id = ImageId::from_bytes(id.bytes);
    if id.is_repeatable
        && let Some(image) = control_plane.store.record(image_id.as_str()).await?
    {
        return Ok(image);
    }
    let mut image = Image {
        id: image_id,
        version: 1,
        settings,
        task_definition: String::new(),
        created_at: now,
        updated_at: now,
    };
    image.task_definition = register(service, &image).await?;
    let view = image_form::view(&image);
    let audit = service.audit(
        RecordKind::Image,
        image.id.as_str(),
        &image.settings.name,
        Difference::created(&view),
    );
    match control_plane
        .store
        .put_record(&image, None, Some(&audit))
        .await?
    {
        Saved::Done => {}
        Saved::Stale => return Err(AdminError::contention("make an image")),
    }
    control_plane.forget();
    tracing::info!(actor.id = service.actor.id, image.id = %image.id, "Image {} was made", image.id);
    Ok(image)
}

/// Changes the fields of the document. Running sessions keep their settings.
pub async fn change(
    service: &AdminService<'_>,
    id: &str,
    input: &Value,
    precondition: &Precondition,
) -> Result<Image, AdminError> {
    save(service, id, Some(input), precondition).await
}

/// Whether this would create an image, or change the one with this id; nothing is written.
pub async fn check(
    service: &AdminService<'_>,
    id: Option<&str>,
    input: &Value,
) -> Result<(), AdminError> {
    let settings = match id {
        None => image_form::create(input)?,
        Some(id) => image_form::patch(&find(service, id).await?, input)?,
    };
    require_files(service, &settings)?;
    require_networks(service, &settings).await
}

/// Registers the task definition again without other changes, so that new sessions have the current
/// gate. Running sessions keep theirs.
pub async fn register_again(
    service: &AdminService<'_>,
    id: &str,
    precondition: &Precondition,
) -> Result<Image, AdminError> {
    save(service, id, None, precondition).await
}

/// Writes the image with these changes; without any, with another registration.
async fn save(
    service: &AdminService<'_>,
    id: &str,
    input: Option<&Value>,
    precondition: &Precondition,
) -> Result<Image, AdminError> {
    // Registered for the settings beside it; a second try with the same settings does not register
    // again.
    let mut registered: Option<(ImageSettings, String)> = None;
    for _ in 0..TRIES {
        let before = find(service, id).await?;
        precondition.check(before.version)?;
        let settings = match input {
            Some(input) => image_form::patch(&before, input)?,
            None if is_registered_elsewhere(&before.settings) => {
                return Err(AdminError::conflict(
                    "This image names a task definition that is there already; nothing is \
                     registered for it.",
                ));
            }
            None => before.settings.clone(),
        };
        if input.is_some() && settings == before.settings {
            return Ok(before);
        }
        require_files(service, &settings)?;
        require_networks(service, &settings).await?;
        let mut after = Image {
            version: before.version + 1,
            settings,
            updated_at: service.control_plane.clock.now(),
            ..before.clone()
        };
        if input.is_none() || needs_definition(&before.settings, &after.settings) {
            after.task_definition = match registered.take() {
                Some((settings, definition)) if settings == after.settings => definition,
                _ => register(service, &after).await?,
            };
            registered = Some((after.settings.clone(), after.task_definition.clone()));
        }
        let (old, new) = (image_form::view(&before), image_form::view(&after));
        let difference = Difference::changed(&old, &new);
        let mut audit = service.audit(
            RecordKind::Image,
            after.id.as_str(),
            &after.settings.name,
            difference,
        );
        if input.is_none() {
            audit.action = Action::Registered;
        }
        match service
            .control_plane
            .store
            .put_record(&after, Some(before.version), Some(&audit))
            .await?
        {
            Saved::Done => {
                service.control_plane.forget();
                let done = audit.action.as_str();
                tracing::info!(actor.id = service.actor.id, image.id = %after.id, version = after.version, "Image {} was {done}", after.id);
                return Ok(after);
            }
            Saved::Stale => {}
        }
    }
    Err(AdminError::contention("change an image"))
}

/// An image with a persistent profile needs a deployment that has a bucket for profiles.
fn require_files(service: &AdminService<'_>, settings: &ImageSettings) -> Result<(), AdminError> {
    if settings.profile.path.is_some() && service.control_plane.profiles.is_none() {
        return Err(AdminError::conflict(
            "This deployment has no bucket for profiles (CASTING_PROFILE_BUCKET).",
        ));
    }
    Ok(())
}

/// Deletes an image that nothing uses.
pub async fn delete(
    service: &AdminService<'_>,
    id: &str,
    precondition: &Precondition,
) -> Result<(), AdminError> {
    for _ in 0..TRIES {
        let image = find(service, id).await?;
        precondition.check(image.version)?;
        let uses = uses::of(service, Named::Image(&image.id)).await?;
        if !uses.is_empty() {
            let detail = "This image is still used by";
            return Err(AdminError::conflict(format!(
                "{detail} {}; change or delete them first.",
                uses::sentence(&uses)
            )));
        }
        let (name, view) = (&image.settings.name, image_form::view(&image));
        match service
            .delete_record(RecordKind::Image, &image, name, &view)
            .await?
        {
            Saved::Done => {
                tracing::info!(actor.id = service.actor.id, image.id = %image.id, "Image {} was deleted", image.id);
                return Ok(());
            }
            Saved::Stale => {}
        }
    }
    Err(AdminError::contention("delete an image"))
}

/// One image.
pub async fn find(service: &AdminService<'_>, id: &str) -> Result<Image, AdminError> {
    let no_such_image = || AdminError::not_found("There is no such image.");
    let id = ImageId::parse(id).ok_or_else(no_such_image)?;
    service
        .control_plane
        .store
        .record(id.as_str())
        .await?
        .ok_or_else(no_such_image)
}

/// The networks of the image must exist.
async fn require_networks(
    service: &AdminService<'_>,
    settings: &ImageSettings,
) -> Result<(), AdminError> {
    let own = settings
        .network
        .iter()
        .map(|name| ("/network".to_owned(), name));
    let listed = settings
        .restrict_to_networks
        .iter()
        .enumerate()
        .map(|(index, name)| (format!("/restrict_to_networks/{index}"), name));
    for (pointer, name) in own.chain(listed) {
        if service
            .control_plane
            .store
            .record::<Network>(name.as_str())
            .await?
            .is_none()
        {
            return Err(FieldErrors::one(pointer, "is not the name of a network.").into());
        }
    }
    Ok(())
}

/// Whether the change needs another task definition; settings that a session gets at its start do
/// not.
fn needs_definition(before: &ImageSettings, after: &ImageSettings) -> bool {
    let of_container =
        matches!(after.source, ImageSource::Container(_)) && before.container != after.container;
    before.source != after.source || of_container
}

/// Whether the image's task definition is registered outside this deployment.
const fn is_registered_elsewhere(settings: &ImageSettings) -> bool {
    matches!(settings.source, ImageSource::TaskDefinition(_))
}

/// The task definition to run: the one in the settings, or a new one.
async fn register(service: &AdminService<'_>, image: &Image) -> Result<String, AdminError> {
    if let ImageSource::TaskDefinition(name) = &image.settings.source {
        return Ok(name.clone());
    }
    let answer = service.control_plane.launcher.register(image).await?;
    answer.map_err(|words| {
        FieldErrors::one("/container_image", format!("was refused by ECS: {words}")).into()
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::image;

    use super::*;

    #[test]
    fn new_revision_is_registered_only_if_it_differs() {
        let before = image(1).settings;
        let with = |change: fn(&mut ImageSettings)| {
            let mut after = before.clone();
            change(&mut after);
            needs_definition(&before, &after)
        };
        assert!(with(|image| image.container = "other".into()));
        assert!(with(
            |image| image.source = ImageSource::TaskDefinition("family".into())
        ));
        assert!(!with(|image| image.name = "Other".into()));
        assert!(!with(|image| image.port = Some(80)));
        assert!(!with(|image| image.environment.clear()));
    }
}
