//! Owns the rows of table `catalog`: images and API keys. Must not know what they mean.

use casting_core::ids::{ApiKeyId, ImageId};
use casting_core::image::Image;
use casting_core::ports::{ApiKey, Fault, Page, Saved};

use crate::fault::refused;
use crate::names;
use crate::read::{Stretch, after_id, page_size};
use crate::rows::{ApiKeyRow, ImageRow, Item, from_item, number, text, to_item};
use crate::store::DynamoStore;
use crate::write::Clause;

pub async fn image(store: &DynamoStore, id: &ImageId) -> Result<Option<Image>, Fault> {
    let row = store.get::<ImageRow>("read an image", &store.tables.catalog, after_id(names::IMAGE, id.as_str())).await?;
    Ok(row.map(|row| row.image))
}

pub async fn images(store: &DynamoStore, after: Option<&str>, limit: u32) -> Result<Page<Image>, Fault> {
    const WHAT: &str = "list images";
    let mut stretch = of_kind(store, names::IMAGE);
    if let Some(after) = after {
        let id = ImageId::parse(after).ok_or_else(|| refused(WHAT, "not a page of ours"))?;
        stretch.after = Some(after_id(names::IMAGE, id.as_str()));
    }
    let (items, more) = store.query(WHAT, &stretch, Some(page_size(limit))).await?;
    let items = items.into_iter().map(|item| from_item::<ImageRow>(WHAT, item).map(|row| row.image)).collect::<Result<Vec<_>, _>>()?;
    let next = items.last().filter(|_| more).map(|image| image.id.to_string());
    Ok(Page { items, next })
}

pub async fn put_image(store: &DynamoStore, image: &Image, expected_version: Option<u64>) -> Result<Saved, Fault> {
    const WHAT: &str = "save an image";
    let clause = expected_version.map_or_else(|| Clause::when(names::IS_NEW), is_version);
    Ok(store.put(WHAT, &store.tables.catalog, to_item(WHAT, &ImageRow::from(image))?, clause).await?.into())
}

pub async fn delete_image(store: &DynamoStore, image: &Image) -> Result<Saved, Fault> {
    let key = after_id(names::IMAGE, image.id.as_str());
    Ok(store.delete("delete an image", &store.tables.catalog, key, is_version(image.version)).await?.into())
}

pub async fn api_key(store: &DynamoStore, id: &ApiKeyId) -> Result<Option<ApiKey>, Fault> {
    let row = store.get::<ApiKeyRow>("read an API key", &store.tables.catalog, after_id(names::API_KEY, id.as_str())).await?;
    Ok(row.map(|row| row.key))
}

pub async fn api_keys(store: &DynamoStore) -> Result<Vec<ApiKey>, Fault> {
    const WHAT: &str = "list API keys";
    let (items, _) = store.query(WHAT, &of_kind(store, names::API_KEY), None).await?;
    items.into_iter().map(|item: Item| from_item::<ApiKeyRow>(WHAT, item).map(|row| row.key)).collect()
}

pub async fn put_api_key(store: &DynamoStore, key: &ApiKey) -> Result<(), Fault> {
    const WHAT: &str = "save an API key";
    store.put(WHAT, &store.tables.catalog, to_item(WHAT, &ApiKeyRow::from(key))?, Clause::none()).await?;
    Ok(())
}

pub async fn delete_api_key(store: &DynamoStore, id: &ApiKeyId) -> Result<(), Fault> {
    let key = after_id(names::API_KEY, id.as_str());
    store.delete("delete an API key", &store.tables.catalog, key, Clause::none()).await?;
    Ok(())
}

fn of_kind<'a>(store: &'a DynamoStore, kind: &str) -> Stretch<'a> {
    Stretch::new(&store.tables.catalog, None, names::OF_KIND).value(":kind", text(kind))
}

fn is_version(version: u64) -> Clause {
    Clause::when(names::IS_VERSION).value(":version", number(version))
}
