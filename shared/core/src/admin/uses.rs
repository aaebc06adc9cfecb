//! Owns the references to a record: the casts, images and staging configs that its deletion would
//! affect. Must not know how anything is deleted.

use crate::audit::RecordKind;
use crate::cast::Cast;
use crate::ids::{GroupId, ImageId};
use crate::image::Image;
use crate::network::NetworkName;
use crate::queries::CastQuery;
use crate::staging::StagingConfig;

use crate::admin::AdminService;
use crate::admin::error::AdminError;

/// The most references that a sentence names.
const NAMED: usize = 3;

/// A record that others may refer to.
#[derive(Clone, Copy)]
pub enum Named<'a> {
    /// An image.
    Image(&'a ImageId),
    /// A group.
    Group(&'a GroupId),
    /// A network, by its name.
    Network(&'a str),
}

/// A reference to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// Its kind and name; of a cast, also its key.
    pub words: String,
    /// The kind of record.
    pub kind: RecordKind,
    /// Its id.
    pub id: String,
}

/// All references to it. One that is created at this moment may be missing; it is then treated as a
/// reference to a deleted record.
pub async fn of(service: &AdminService<'_>, named: Named<'_>) -> Result<Vec<Use>, AdminError> {
    let store = &service.control_plane.store;
    let mut uses = casts(service, named).await?;
    if let Named::Network(name) = named {
        let images = store.all_records::<Image>().await?;
        uses.extend(images.iter().filter_map(|image| {
            let settings = &image.settings;
            let mut networks = settings
                .network
                .iter()
                .chain(&settings.restrict_to_networks);
            networks
                .any(|network| network.as_str() == name)
                .then(|| Use {
                    words: format!("the image \u{201c}{}\u{201d}", settings.name),
                    kind: RecordKind::Image,
                    id: image.id.to_string(),
                })
        }));
    }
    let pools = store.all_records::<StagingConfig>().await?;
    uses.extend(pools.iter().filter_map(|pool| {
        let settings = &pool.settings;
        let names_it = match named {
            Named::Image(id) => settings.image_id == *id,
            Named::Group(id) => settings.group_id.as_ref() == Some(id),
            Named::Network(name) => settings
                .network
                .as_ref()
                .is_some_and(|network| network.as_str() == name),
        };
        names_it.then(|| Use {
            words: format!("the staging config \u{201c}{}\u{201d}", settings.name),
            kind: RecordKind::Staging,
            id: pool.id.to_string(),
        })
    }));
    Ok(uses)
}

async fn casts(service: &AdminService<'_>, named: Named<'_>) -> Result<Vec<Use>, AdminError> {
    let names_it = |cast: &Cast| match named {
        Named::Image(id) => cast.settings.image_id == *id,
        Named::Group(id) => {
            let mut tiers = cast.settings.access_tiers.iter();
            cast.settings.anonymous_group_id.as_ref() == Some(id)
                || tiers.any(|tier| tier.terms.group_id.as_ref() == Some(id))
        }
        // Visitors name networks too, where a cast lets them.
        Named::Network(name) => {
            let mut tiers = cast.settings.access_tiers.iter();
            let named = |network: &NetworkName| network.as_str() == name;
            tiers.any(|tier| tier.terms.network.as_ref().is_some_and(named))
        }
    };
    let (mut uses, mut cursor) = (Vec::new(), None);
    loop {
        let page = service
            .control_plane
            .store
            .casts(&CastQuery::default(), cursor.as_deref(), 100)
            .await?;
        let found = page.items.iter().filter(|cast| names_it(cast));
        uses.extend(found.map(|cast| {
            let settings = &cast.settings;
            Use {
                words: format!(
                    "the cast \u{201c}{}\u{201d} ({})",
                    settings.name, settings.key
                ),
                kind: RecordKind::Cast,
                id: cast.id.to_string(),
            }
        }));
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(uses),
        }
    }
}

/// These in a sentence: the first of them by name, and how many more.
pub fn sentence(uses: &[Use]) -> String {
    let mut words: Vec<String> = uses
        .iter()
        .take(NAMED)
        .map(|one| one.words.clone())
        .collect();
    let more = uses.len().saturating_sub(NAMED);
    if more > 0 {
        words.push(format!("{more} more"));
    }
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => "nothing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_of_a_record_are_named_and_the_rest_counted() {
        let uses: Vec<Use> = (1..=5)
            .map(|n| Use {
                words: format!("cast {n}"),
                kind: RecordKind::Cast,
                id: n.to_string(),
            })
            .collect();
        for (count, expected) in [
            (0, "nothing"),
            (1, "cast 1"),
            (2, "cast 1 and cast 2"),
            (3, "cast 1, cast 2 and cast 3"),
            (5, "cast 1, cast 2, cast 3 and 2 more"),
        ] {
            assert_eq!(sentence(&uses[..count]), expected, "{count}");
        }
    }
}
