//! Owns the contract of records and refusals.

#![expect(
    missing_docs,
    reason = "the name of a case says what it holds the store to"
)]

use serde_json::json;

use super::{Fixture, NOON, quota, together};
use crate::denial::DenialCode;
use crate::ids::{CastId, ImageId, Reference, SessionId, random_bytes};
use crate::image::Image;
use crate::ports::{Fault, FaultKind, RefusalCount, RefusalSample, Saved};
use crate::record::Record;

/// A row of refusals shows at most so many samples.
const MOST_SAMPLES: usize = 20;
const HOUR: i64 = NOON.seconds();

/// Deletes its record again, because other cases list all images.
pub async fn a_record_of_another_form_is_corrupt(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let store = fixture.store;
    let id = ImageId::from_bytes(random_bytes(&fixture.entropy));
    let document = json!({"id": id.as_str(), "version": 1, "settings": 5});
    assert_eq!(
        store
            .put_record_document(Image::KIND, document.clone(), None, None)
            .await?,
        Saved::Done
    );
    assert_eq!(
        store.record_document(Image::KIND, id.as_str()).await?,
        Some(document)
    );
    let read = store.record::<Image>(id.as_str()).await;
    assert_eq!(read.map_err(|fault| fault.kind), Err(FaultKind::Corrupt));
    assert_eq!(
        store
            .delete_record_document(Image::KIND, id.as_str(), 1, None)
            .await?,
        Saved::Done
    );
    Ok(())
}

pub async fn an_image_is_written_over_its_version_only(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let mut image = crate::testing::image(0);
    image.id = ImageId::from_bytes(random_bytes(&fixture.entropy));
    let version = |version: u64| Image {
        version,
        ..image.clone()
    };
    assert_eq!(
        fixture.store.record::<Image>(image.id.as_str()).await?,
        None
    );
    assert_eq!(
        fixture.store.put_record(&version(2), Some(1), None).await?,
        Saved::Stale,
        "there is none yet"
    );
    assert_eq!(
        fixture.store.put_record(&image, None, None).await?,
        Saved::Done
    );
    assert_eq!(
        fixture.store.put_record(&version(7), None, None).await?,
        Saved::Stale,
        "there is one already"
    );
    assert_eq!(
        fixture.store.record::<Image>(image.id.as_str()).await?,
        Some(image.clone())
    );
    assert_eq!(
        fixture.store.put_record(&version(2), Some(1), None).await?,
        Saved::Done
    );
    assert_eq!(
        fixture.store.put_record(&version(9), Some(1), None).await?,
        Saved::Stale,
        "an old version"
    );
    assert_eq!(
        fixture.store.record::<Image>(image.id.as_str()).await?,
        Some(version(2))
    );

    let names = ["one", "two", "three", "four"];
    let racers = names.map(|name| Image {
        task_definition: name.to_owned(),
        ..version(3)
    });
    let answers = together(
        racers
            .iter()
            .map(|image| fixture.store.put_record(image, Some(2), None)),
    )
    .await;
    assert_eq!(
        (
            quota(&answers, &Saved::Done),
            quota(&answers, &Saved::Stale)
        ),
        (1, 3),
        "{answers:?}"
    );

    assert_eq!(
        fixture.store.delete_record(&version(2), None).await?,
        Saved::Stale,
        "an old version"
    );
    assert_eq!(
        fixture.store.delete_record(&version(3), None).await?,
        Saved::Done
    );
    // Deleting it once more may say either: after a lost answer, a store cannot tell its own
    // deletion from an earlier one.
    assert_eq!(
        fixture.store.record::<Image>(image.id.as_str()).await?,
        None
    );
    Ok(())
}

/// `count` refusals with as many samples as asked for.
fn refused(
    fixture: &Fixture<'_>,
    cast: &CastId,
    hour: i64,
    code: DenialCode,
    count: u64,
    samples: usize,
) -> RefusalCount {
    let sample = |_| RefusalSample {
        at: NOON,
        reference: Reference::of(&SessionId::from_bytes(random_bytes(&fixture.entropy))),
        address: "a".into(),
        referrer: None,
    };
    RefusalCount {
        cast_id: Some(cast.clone()),
        hour,
        code: code.to_string(),
        count,
        samples: (0..samples).map(sample).collect(),
    }
}

pub async fn refusals_add_up_by_hour_and_reason_with_a_few_samples(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    use DenialCode::{IpLimit, NoSessionsLeft};
    let (cast, other) = (fixture.draft(0).id, fixture.draft(0).id);
    let first = refused(fixture, &cast, HOUR, IpLimit, 40, 3);
    let batch = [
        first.clone(),
        refused(fixture, &cast, HOUR, NoSessionsLeft, 1, 0),
        refused(fixture, &cast, HOUR + 3600, IpLimit, 5, 1),
        refused(fixture, &other, HOUR, IpLimit, 7, 1),
    ];
    fixture.store.add_refusals(&batch).await?;
    fixture.store.add_refusals(&[]).await?;
    let totals = |rows: &[RefusalCount]| {
        rows.iter()
            .map(|row| (row.hour - HOUR, row.code.clone(), row.count))
            .collect::<Vec<_>>()
    };
    let row = |hour, code: DenialCode, count| (hour, code.to_string(), count);
    let rows = fixture.store.refusals(Some(&cast), HOUR).await?;
    let expected = [
        row(3600, IpLimit, 5),
        row(0, NoSessionsLeft, 1),
        row(0, IpLimit, 40),
    ];
    assert_eq!(totals(&rows), expected, "newest first");
    assert_eq!(rows.last(), Some(&first), "samples and all");
    assert_eq!(
        totals(&fixture.store.refusals(Some(&cast), HOUR + 1).await?),
        [row(3600, IpLimit, 5)],
        "since an hour"
    );
    assert_eq!(
        totals(&fixture.store.refusals(Some(&other), 0).await?),
        [row(0, IpLimit, 7)],
        "of another cast"
    );

    // The same row twice in one batch, and far more samples than are kept.
    fixture
        .store
        .add_refusals(&[
            refused(fixture, &cast, HOUR, IpLimit, 2, 10),
            refused(fixture, &cast, HOUR, IpLimit, 3, 5),
        ])
        .await?;
    for samples in [4, 50, 1] {
        fixture
            .store
            .add_refusals(&[refused(fixture, &cast, HOUR, IpLimit, 100, samples)])
            .await?;
    }
    let rows = fixture.store.refusals(Some(&cast), HOUR).await?;
    assert_eq!(
        totals(&rows),
        [
            row(3600, IpLimit, 5),
            row(0, NoSessionsLeft, 1),
            row(0, IpLimit, 345)
        ]
    );
    let kept = rows
        .last()
        .map(|row| row.samples.clone())
        .unwrap_or_default();
    assert!(
        (3..=MOST_SAMPLES).contains(&kept.len()),
        "{} samples",
        kept.len()
    );
    assert_eq!(kept[..3], first.samples, "those that came first stay");

    // Refusals for keys that no cast has; another run may have counted some in the same hour.
    let unknown = |count| RefusalCount {
        cast_id: None,
        ..refused(fixture, &cast, HOUR, DenialCode::UnknownCast, count, 0)
    };
    let count = || async {
        let rows = fixture.store.refusals(None, HOUR).await?;
        Ok::<u64, Fault>(
            rows.iter()
                .filter(|row| row.hour == HOUR && row.cast_id.is_none())
                .map(|row| row.count)
                .sum(),
        )
    };
    let before = count().await?;
    fixture.store.add_refusals(&[unknown(9)]).await?;
    assert_eq!(count().await?, before + 9);
    Ok(())
}

pub async fn refusals_counted_at_once_all_count(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let cast = fixture.draft(0).id;
    let batches: Vec<_> = (0..20)
        .map(|_| vec![refused(fixture, &cast, HOUR, DenialCode::IpLimit, 3, 2)])
        .collect();
    let answers = together(
        batches
            .iter()
            .map(|batch| fixture.store.add_refusals(batch)),
    )
    .await;
    assert_eq!(quota(&answers, &()), 20, "{answers:?}");
    let rows = fixture.store.refusals(Some(&cast), HOUR).await?;
    assert_eq!(rows.iter().map(|row| row.count).collect::<Vec<_>>(), [60]);
    assert!(rows.iter().all(|row| row.samples.len() <= MOST_SAMPLES));
    // More rows than one transaction takes.
    let many: Vec<_> = (0..130)
        .map(|n| {
            refused(
                fixture,
                &cast,
                HOUR + 3600 * (n + 1),
                DenialCode::IpLimit,
                1,
                0,
            )
        })
        .collect();
    fixture.store.add_refusals(&many).await?;
    assert_eq!(
        fixture
            .store
            .refusals(Some(&cast), HOUR + 3600)
            .await?
            .len(),
        130
    );
    Ok(())
}

pub async fn refusals_of_all_are_listed_by_hour(fixture: &Fixture<'_>) -> Result<(), Fault> {
    // Hours that no other case counts in.
    let hour = HOUR + 3600 * (1000 + i64::from(random_bytes(&fixture.entropy)[0]) * 10);
    let (one, two) = (fixture.draft(0).id, fixture.draft(0).id);
    let batch = [
        refused(fixture, &one, hour, DenialCode::IpLimit, 1, 1),
        refused(fixture, &two, hour, DenialCode::IpLimit, 2, 0),
        refused(fixture, &one, hour, DenialCode::Busy, 3, 0),
        refused(fixture, &one, hour + 3600, DenialCode::Busy, 4, 0),
        refused(fixture, &one, hour + 7200, DenialCode::Busy, 5, 0),
    ];
    fixture.store.add_refusals(&batch).await?;
    let listed = || async {
        let (mut counts, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = fixture
                .store
                .all_refusals(hour, hour + 7200, after.as_deref(), 2)
                .await?;
            counts.extend(
                page.items
                    .into_iter()
                    .filter(|row| {
                        row.cast_id == Some(one.clone()) || row.cast_id == Some(two.clone())
                    })
                    .map(|row| row.count),
            );
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        // Two links in one hour for one reason stand in no order.
        counts[1..].sort_unstable();
        Ok(counts)
    };
    fixture
        .soon(vec![4, 1, 2, 3], listed, "of two hours, the newest first")
        .await?;
    assert_eq!(
        fixture.store.all_refusals(hour, hour, None, 5).await?.items,
        [],
        "of no hours"
    );
    Ok(())
}
