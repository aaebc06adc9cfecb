//! Owns the images of the API. Must not know which values are possible, or what a task definition looks like.

use casting_core::form::FieldErrors;
use casting_core::ids::{ImageId, draw};
use casting_core::image::{Image, ImageSettings, ImageSource};
use casting_core::image_form;
use casting_core::network::Network;
use casting_core::ports::{Launcher, Saved, Store};
use casting_web::{Reply, reply};
use http::StatusCode;

use crate::call::Call;
use crate::failure::{Failure, TRIES};
use crate::paging::{self, Paging};
use crate::version::{self, Precondition};

/// All images, a page at a time.
pub(crate) async fn list<S: Store, L>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let paging = Paging::of(call.visit)?;
    let page = paging.checked(call.casting.store.records::<Image>(paging.cursor.as_deref(), paging.limit).await)?;
    Ok(paging::show(&page, image_form::view))
}

/// A new image: 201 with its address. For a container image, a task definition is registered first.
pub(crate) async fn create<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let casting = call.casting;
    let settings = image_form::create(&call.document()?)?;
    require_networks(call, &settings).await?;
    let now = casting.clock.now();
    let id = ImageId::from_bytes(draw(&*casting.entropy));
    let mut image = Image { id, version: 1, settings, task_definition: String::new(), created_at: now, updated_at: now };
    image.task_definition = register(call, &image).await?;
    match casting.store.put_record(&image, None).await? {
        Saved::Done => {}
        Saved::Stale => return Err(Failure::contention("make an image")),
    }
    casting.forget();
    tracing::info!(api_key.id = %call.administrator, image.id = %image.id, "Image {} was made", image.id);
    let mut reply = show(StatusCode::CREATED, &image);
    reply::set_location(&mut reply, &format!("/api/admin/images/{}", image.id));
    Ok(reply)
}

/// One image.
pub(crate) async fn read<S: Store, L>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    Ok(show(StatusCode::OK, &find(call).await?))
}

/// Changes what the document names. Running sessions keep what they were started with.
pub(crate) async fn change<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let (input, precondition) = (call.document()?, Precondition::of(call.visit));
    // Registered for the settings beside it; a second try with the same settings does not register again.
    let mut registered: Option<(ImageSettings, String)> = None;
    for _ in 0..TRIES {
        let before = find(call).await?;
        precondition.check(before.version)?;
        let settings = image_form::patch(&before, &input)?;
        if settings == before.settings {
            return Ok(show(StatusCode::OK, &before));
        }
        require_networks(call, &settings).await?;
        let mut after = Image { version: before.version + 1, settings, updated_at: call.casting.clock.now(), ..before.clone() };
        if needs_definition(&before.settings, &after.settings) {
            after.task_definition = match registered.take() {
                Some((settings, definition)) if settings == after.settings => definition,
                _ => register(call, &after).await?,
            };
            registered = Some((after.settings.clone(), after.task_definition.clone()));
        }
        match call.casting.store.put_record(&after, Some(before.version)).await? {
            Saved::Done => {
                call.casting.forget();
                tracing::info!(api_key.id = %call.administrator, image.id = %after.id, version = after.version, "Image {} was changed", after.id);
                return Ok(show(StatusCode::OK, &after));
            }
            Saved::Stale => {}
        }
    }
    Err(Failure::contention("change an image"))
}

/// Deletes an image that no cast uses.
pub(crate) async fn delete<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let precondition = Precondition::of(call.visit);
    for _ in 0..TRIES {
        let image = find(call).await?;
        precondition.check(image.version)?;
        if let Some(name) = used_by(call, &image.id).await? {
            return Err(Failure::conflict(format!("The cast \u{201c}{name}\u{201d} uses this image; change or delete it first.")));
        }
        match call.casting.store.delete_record(&image).await? {
            Saved::Done => {
                call.casting.forget();
                tracing::info!(api_key.id = %call.administrator, image.id = %image.id, "Image {} was deleted", image.id);
                return Ok(reply::no_content());
            }
            Saved::Stale => {}
        }
    }
    Err(Failure::contention("delete an image"))
}

/// The name of a cast that uses the image. A cast that comes to use it at this very moment is refused as any cast with an image that is gone.
async fn used_by<S: Store, L>(call: &Call<'_, S, L>, id: &ImageId) -> Result<Option<String>, Failure> {
    let mut cursor = None;
    loop {
        let page = call.casting.store.casts(cursor.as_deref(), 100).await?;
        if let Some(cast) = page.items.into_iter().find(|cast| cast.settings.image_id == *id) {
            return Ok(Some(cast.settings.name));
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(None),
        }
    }
}

/// Makes sure that the networks which the image names are there.
async fn require_networks<S: Store, L>(call: &Call<'_, S, L>, settings: &ImageSettings) -> Result<(), Failure> {
    let own = settings.network.iter().map(|name| ("/network".to_owned(), name));
    let listed = settings.restrict_to_networks.iter().enumerate().map(|(index, name)| (format!("/restrict_to_networks/{index}"), name));
    for (pointer, name) in own.chain(listed) {
        if call.casting.store.record::<Network>(name.as_str()).await?.is_none() {
            return Err(FieldErrors::one(pointer, "is not the name of a network.").into());
        }
    }
    Ok(())
}

/// Whether the change makes another task definition necessary; what a session gets with its start does not.
fn needs_definition(before: &ImageSettings, after: &ImageSettings) -> bool {
    let of_container = matches!(after.source, ImageSource::Container(_)) && before.container != after.container;
    before.source != after.source || of_container
}

/// The task definition to run: the one that was named, or a new one.
async fn register<S: Store, L: Launcher>(call: &Call<'_, S, L>, image: &Image) -> Result<String, Failure> {
    if let ImageSource::TaskDefinition(name) = &image.settings.source {
        return Ok(name.clone());
    }
    let answer = call.casting.launcher.register(image).await?;
    answer.map_err(|words| FieldErrors::one("/container_image", format!("was refused by ECS: {words}")).into())
}

async fn find<S: Store, L>(call: &Call<'_, S, L>) -> Result<Image, Failure> {
    let no_such_image = || Failure::not_found("There is no such image.");
    let id = ImageId::parse(call.id).ok_or_else(no_such_image)?;
    call.casting.store.record(id.as_str()).await?.ok_or_else(no_such_image)
}

fn show(status: StatusCode, image: &Image) -> Reply {
    let mut reply = reply::json(status, &image_form::view(image));
    version::set(&mut reply, image.version);
    reply
}

#[cfg(test)]
mod tests {
    use casting_core::testing::image;

    use super::*;

    #[test]
    fn another_definition_is_registered_only_when_it_would_differ() {
        let before = image(1).settings;
        let with = |change: fn(&mut ImageSettings)| {
            let mut after = before.clone();
            change(&mut after);
            needs_definition(&before, &after)
        };
        assert!(with(|image| image.container = "other".into()));
        assert!(with(|image| image.source = ImageSource::TaskDefinition("family".into())));
        assert!(!with(|image| image.name = "Other".into()));
        assert!(!with(|image| image.port = Some(80)));
        assert!(!with(|image| image.environment.clear()));
    }
}
