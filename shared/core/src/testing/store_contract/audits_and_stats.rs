//! Owns the contract of the records about changes and claims: audit entries, hourly statistics, and
//! the requests of idempotency keys.

#![expect(
    missing_docs,
    reason = "the name of a case says what it holds the store to"
)]

use super::{Fixture, NOON, together};
use crate::actor::{Actor, ActorKind, Scope};
use crate::audit::{Audit, AuditId, Difference, RecordKind};
use crate::cast::CounterChange;
use crate::hourly_stats::{HOUR_SECONDS, HourlyStats};
use crate::ids::{CastId, ImageId, random_bytes};
use crate::image::Image;
use crate::ports::{Created, Fault, Replaced, Saved};
use crate::time::Timestamp;

/// An audit entry for a change of the record with this id at this second after noon.
fn entry(fixture: &Fixture<'_>, target: &str, second: u64) -> Audit {
    let actor = Actor {
        kind: ActorKind::User,
        id: "u1".into(),
        name: "Ann".into(),
        scopes: Scope::ALL.into(),
        expires_at: None,
        address: None,
    };
    let after = serde_json::json!({"name": format!("at {second}")});
    let difference = Difference::created(&after);
    Audit::of(
        &actor,
        RecordKind::Cast,
        target,
        "It",
        difference,
        NOON.plus_seconds(second),
        &fixture.entropy,
    )
}

async fn entries(fixture: &Fixture<'_>, target: &str) -> Result<Vec<AuditId>, Fault> {
    let (mut ids, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = fixture
            .store
            .audits(Some(target), after.as_deref(), 2)
            .await?;
        ids.extend(page.items.into_iter().map(|audit| audit.id));
        after = page.next;
        if after.is_none() {
            return Ok(ids);
        }
    }
}

pub async fn a_change_and_its_entry_are_written_together_or_not_at_all(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let cast = fixture.draft(1);
    let target = cast.id.to_string();
    let [made, lost, changed, late, deleted] =
        [1, 2, 3, 4, 5].map(|second| entry(fixture, &target, second));
    assert_eq!(
        fixture.store.create_cast(&cast, Some(&made)).await?,
        Created::Done
    );
    let mut thief = fixture.draft(1);
    thief.settings.key = cast.settings.key.clone();
    assert_eq!(
        fixture.store.create_cast(&thief, Some(&lost)).await?,
        Created::KeyTaken
    );
    let mut after = cast.clone();
    after.version += 1;
    after.settings.name = "Another".into();
    assert_eq!(
        fixture
            .store
            .replace_cast(&cast, &after, CounterChange::Keep, Some(&changed))
            .await?,
        Replaced::Done
    );
    assert_eq!(
        fixture
            .store
            .replace_cast(&cast, &after, CounterChange::Keep, Some(&late))
            .await?,
        Replaced::Stale
    );
    assert_eq!(
        fixture.store.delete_cast(&cast, Some(&late)).await?,
        Saved::Stale
    );
    assert_eq!(
        fixture.store.delete_cast(&after, Some(&deleted)).await?,
        Saved::Done
    );
    let expected = vec![deleted.id.clone(), changed.id.clone(), made.id.clone()];
    fixture
        .soon(
            expected,
            || entries(fixture, &target),
            "of what was done, the newest first",
        )
        .await?;
    assert_eq!(
        fixture.store.audit(&changed.id).await?,
        Some(changed.clone())
    );
    assert_eq!(fixture.store.audit(&lost.id).await?, None);

    let mut image = crate::testing::image(0);
    image.id = ImageId::from_bytes(random_bytes(&fixture.entropy));
    let target = image.id.to_string();
    let [made, lost, changed, deleted] = [1, 2, 3, 4].map(|second| entry(fixture, &target, second));
    let newer = Image {
        version: 2,
        ..image.clone()
    };
    assert_eq!(
        fixture.store.put_record(&image, None, Some(&made)).await?,
        Saved::Done
    );
    assert_eq!(
        fixture.store.put_record(&newer, None, Some(&lost)).await?,
        Saved::Stale,
        "there is one already"
    );
    assert_eq!(
        fixture
            .store
            .put_record(&newer, Some(1), Some(&changed))
            .await?,
        Saved::Done
    );
    assert_eq!(
        fixture.store.delete_record(&image, Some(&lost)).await?,
        Saved::Stale,
        "another version"
    );
    assert_eq!(
        fixture.store.delete_record(&newer, Some(&deleted)).await?,
        Saved::Done
    );
    fixture
        .soon(
            vec![deleted.id, changed.id, made.id],
            || entries(fixture, &target),
            "of a record",
        )
        .await
}

pub async fn entries_are_listed_newest_first_of_one_thing_and_of_all(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let target = fixture.draft(0).id.to_string();
    // Later than every other case's, so that they stand on the first page.
    let entries = [200_001, 200_003, 200_002].map(|second| entry(fixture, &target, second));
    for entry in &entries {
        fixture.store.add_audit(entry).await?;
    }
    let page = fixture.store.audits(None, None, 100).await?;
    let ours: Vec<Audit> = page
        .items
        .into_iter()
        .filter(|audit| audit.target == target)
        .collect();
    assert_eq!(
        ours,
        [entries[1].clone(), entries[2].clone(), entries[0].clone()]
    );
    assert_eq!(
        fixture.store.audit(&entries[0].id).await?,
        Some(entries[0].clone())
    );
    Ok(())
}

pub async fn hours_are_read_back_in_order_and_written_over(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let cast: CastId = fixture.draft(0).id;
    let first = NOON.seconds();
    let hour = |launched| HourlyStats {
        launched,
        refused: [("busy".to_owned(), 1)].into(),
        ..HourlyStats::default()
    };
    let written: Vec<_> = (0..60)
        .map(|n| {
            (
                (Some(cast.clone()), first + n * HOUR_SECONDS),
                hour(n.unsigned_abs()),
            )
        })
        .collect();
    fixture.store.put_hours(&written).await?;
    fixture.store.put_hours(&written[5..6]).await?;
    let all = fixture
        .store
        .hours(Some(&cast), first, first + 100 * HOUR_SECONDS)
        .await?;
    assert_eq!(
        all,
        written
            .iter()
            .map(|((_, at), hour)| (*at, hour.clone()))
            .collect::<Vec<_>>()
    );
    let some = fixture
        .store
        .hours(Some(&cast), first + HOUR_SECONDS, first + 3 * HOUR_SECONDS)
        .await?;
    assert_eq!(
        some.iter()
            .map(|(_, hour)| hour.launched)
            .collect::<Vec<_>>(),
        [1, 2],
        "the end is left out"
    );
    assert_eq!(fixture.store.hours(Some(&cast), first, first).await?, []);
    fixture
        .store
        .put_hours(&[((Some(cast.clone()), first), hour(99))])
        .await?;
    assert_eq!(
        fixture.store.hours(Some(&cast), first, first + 1).await?,
        [(first, hour(99))],
        "made again"
    );

    // The hours of all are there for every case, so only newer ones can be recognised.
    let newest = fixture
        .store
        .newest_hour()
        .await?
        .map_or(first, |hour| hour.max(first))
        + HOUR_SECONDS;
    fixture
        .store
        .put_hours(&[((None, newest), hour(7))])
        .await?;
    assert_eq!(fixture.store.newest_hour().await?, Some(newest));
    assert_eq!(
        fixture.store.hours(None, newest, newest + 1).await?,
        [(newest, hour(7))]
    );
    Ok(())
}

pub async fn a_request_is_remembered_as_it_came_first(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let key = fixture.draft(0).id.to_string();
    let until: Timestamp = NOON.plus_seconds(86_400);
    assert_eq!(
        fixture.store.first_request(&key, "one", until).await?,
        "one"
    );
    assert_eq!(
        fixture.store.first_request(&key, "two", until).await?,
        "one"
    );
    assert_eq!(
        fixture.store.first_request(&key, "one", until).await?,
        "one"
    );
    let other = fixture.draft(0).id.to_string();
    let prints = ["a", "b", "c", "d"];
    let answers = together(
        prints
            .iter()
            .map(|print| fixture.store.first_request(&other, print, until)),
    )
    .await;
    let first = answers[0].clone()?;
    assert!(
        prints.contains(&first.as_str())
            && answers.iter().all(|answer| answer.as_ref() == Ok(&first)),
        "{answers:?}"
    );
    Ok(())
}
