//! Owns the contract of casts: configs, counters and keys.

#![expect(
    missing_docs,
    reason = "the name of a case says what it holds the store to"
)]

use super::{Fixture, quota, together};
use crate::cast::{Cast, CounterChange, PreviousKey};
use crate::ids::CastKey;
use crate::ports::{Created, Fault, Replaced, Reserved, Saved};

/// The next version of a cast, with another name.
fn renamed(cast: &Cast, name: &str) -> Cast {
    let mut after = cast.clone();
    after.version += 1;
    after.settings.name = name.to_owned();
    after.updated_at = cast.updated_at.plus_seconds(1);
    after
}

/// The next version of a cast, under another key.
fn rekeyed(cast: &Cast, key: &CastKey) -> Cast {
    let mut after = renamed(cast, "rekeyed");
    after.settings.key = key.clone();
    after
}

pub async fn a_cast_reads_back_by_id_and_by_key(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let (cast, other) = (fixture.cast(3).await?, fixture.draft(0));
    assert_eq!(fixture.store.cast(&cast.id).await?, Some(cast.clone()));
    assert_eq!(fixture.store.cast(&other.id).await?, None);
    fixture
        .soon(
            Some(cast.clone()),
            || fixture.store.cast_by_key(&cast.settings.key),
            "by its key",
        )
        .await?;
    assert_eq!(fixture.store.cast_by_key(&other.settings.key).await?, None);
    Ok(())
}

pub async fn counter_is_read_for_visits_only_where_it_limits(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    for limited in [true, false] {
        let mut cast = fixture.draft(3);
        cast.settings.limit_total_sessions = limited;
        fixture.store.create_cast(&cast, None).await?;
        let whole = fixture.store.cast(&cast.id).await?;
        assert_eq!(whole, Some(cast.clone()), "{limited}");
        let as_read = |read: Option<Cast>| {
            read.map(|read| Cast {
                counter: if limited { read.counter } else { cast.counter },
                ..read
            })
        };
        let in_force = fixture.store.cast_in_force(&cast.id).await?;
        assert_eq!(as_read(in_force), Some(cast.clone()), "{limited}");
        fixture
            .soon(
                Some(cast.clone()),
                async || {
                    fixture
                        .store
                        .cast_by_key(&cast.settings.key)
                        .await
                        .map(as_read)
                },
                "by its key",
            )
            .await?;
    }
    Ok(())
}

pub async fn a_key_belongs_to_one_cast_however_many_are_created_at_once(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let mut casts: Vec<Cast> = (0..8).map(|_| fixture.draft(0)).collect();
    let key = casts[0].settings.key.clone();
    for cast in &mut casts {
        cast.settings.key = key.clone();
    }
    let answers = together(
        casts
            .iter()
            .map(|cast| fixture.store.create_cast(cast, None)),
    )
    .await;
    assert_eq!(
        (
            quota(&answers, &Created::Done),
            quota(&answers, &Created::KeyTaken)
        ),
        (1, 7),
        "{answers:?}"
    );
    for (cast, answer) in casts.iter().zip(answers) {
        assert_eq!(
            fixture.store.cast(&cast.id).await?.is_some(),
            answer? == Created::Done
        );
    }
    Ok(())
}

pub async fn creating_the_same_cast_again_changes_nothing(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let cast = fixture.cast(5).await?;
    fixture.place(&fixture.claim(&cast, true, None)).await?;
    assert_eq!(fixture.store.create_cast(&cast, None).await?, Created::Done);
    assert_eq!(fixture.remaining(&cast).await?, 4);
    Ok(())
}

pub async fn a_config_is_written_over_its_version_only(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let cast = fixture.cast(0).await?;
    let first = renamed(&cast, "first");
    assert_eq!(
        fixture
            .store
            .replace_cast(&cast, &first, CounterChange::Keep, None)
            .await?,
        Replaced::Done
    );
    assert_eq!(fixture.store.cast(&cast.id).await?, Some(first.clone()));
    fixture
        .soon(
            Some(first.clone()),
            || fixture.store.cast_by_key(&cast.settings.key),
            "by its key",
        )
        .await?;
    for (name, key) in [
        ("the same key", cast.settings.key.clone()),
        ("another key", fixture.draft(0).settings.key),
    ] {
        let late = rekeyed(&renamed(&cast, "late"), &key);
        assert_eq!(
            fixture
                .store
                .replace_cast(&cast, &late, CounterChange::Set(0), None)
                .await?,
            Replaced::Stale,
            "{name}"
        );
        assert_eq!(
            fixture.store.cast(&cast.id).await?,
            Some(first.clone()),
            "{name}"
        );
    }
    let nobody = fixture.draft(0);
    assert_eq!(
        fixture
            .store
            .replace_cast(&nobody, &renamed(&nobody, "new"), CounterChange::Keep, None)
            .await?,
        Replaced::Stale,
        "a cast that never was"
    );
    assert_eq!(fixture.store.cast(&nobody.id).await?, None);

    let moves: Vec<Cast> = (0..5)
        .map(|n| renamed(&first, &format!("racer {n}")))
        .collect();
    let answers = together(moves.iter().map(|after| {
        fixture
            .store
            .replace_cast(&first, after, CounterChange::Keep, None)
    }))
    .await;
    assert_eq!(quota(&answers, &Replaced::Done), 1, "{answers:?}");
    Ok(())
}

pub async fn a_difference_is_added_whatever_claims_do(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let mut cast = fixture.cast(5).await?;
    fixture.place(&fixture.claim(&cast, true, None)).await?;
    for (name, added, answer, remaining) in [
        (
            "more, over what was read before a claim",
            10,
            Replaced::Done,
            14,
        ),
        ("fewer", -4, Replaced::Done, 10),
        ("fewer than there are", -11, Replaced::Stale, 10),
        ("more than there can be", 999_991, Replaced::Stale, 10),
        ("all", -10, Replaced::Done, 0),
    ] {
        let change = CounterChange::Add(added);
        let after = Cast {
            counter: cast.counter.changed(change),
            ..renamed(&cast, name)
        };
        let written = fixture
            .store
            .replace_cast(&cast, &after, change, None)
            .await?;
        assert_eq!(written, answer, "{name}");
        let now = fixture.cast_now(&cast).await?;
        assert_eq!(now.counter.remaining, remaining, "{name}");
        assert_eq!(now.counter.epoch, cast.counter.epoch, "{name}");
        assert_eq!(
            now.settings.name == name,
            answer == Replaced::Done,
            "{name}"
        );
        cast = now;
    }
    Ok(())
}

pub async fn a_config_write_never_changes_the_counter(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let before = fixture.cast(5).await?;
    fixture.place(&fixture.claim(&before, true, None)).await?;
    let mut after = renamed(&before, "new name");
    after.counter.remaining = 99;
    assert_eq!(
        fixture
            .store
            .replace_cast(&before, &after, CounterChange::Keep, None)
            .await?,
        Replaced::Done,
        "a claim does not make a config stale"
    );
    let now = fixture.cast_now(&before).await?;
    assert_eq!(
        (now.settings.name.as_str(), now.version),
        ("new name", after.version)
    );
    assert_eq!(
        now.counter.remaining, 4,
        "the claim made meanwhile still counts"
    );
    assert_eq!(now.counter.epoch, before.counter.epoch);
    let late = fixture
        .store
        .reserve(&fixture.claim(&before, true, None))
        .await?;
    assert_eq!(
        late,
        Reserved::ConfigChanged,
        "a decision on the old version"
    );
    fixture.place(&fixture.claim(&now, true, None)).await?;
    assert_eq!(fixture.remaining(&before).await?, 3);
    Ok(())
}

pub async fn a_counter_that_is_set_begins_a_new_epoch(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let opened = fixture.cast(5).await?;
    fixture.place(&fixture.claim(&opened, true, None)).await?;
    let set = CounterChange::Set(20);
    let after = |before: &Cast| Cast {
        counter: before.counter.changed(set),
        ..renamed(before, "more places")
    };
    assert_eq!(
        fixture
            .store
            .replace_cast(&opened, &after(&opened), set, None)
            .await?,
        Replaced::Stale,
        "a claim has moved the number that this was decided on"
    );
    let before = fixture.cast_now(&opened).await?;
    assert_eq!(
        before.settings.name, opened.settings.name,
        "nothing written"
    );
    let after = after(&before);
    assert_eq!(
        fixture
            .store
            .replace_cast(&before, &after, set, None)
            .await?,
        Replaced::Done
    );
    assert_eq!(fixture.cast_now(&before).await?.counter, after.counter);
    let mut late = fixture.claim(&after, true, None);
    late.session.charge.count = Some(before.counter.epoch);
    assert_eq!(
        fixture.store.reserve(&late).await?,
        Reserved::ConfigChanged,
        "a place of an epoch that is over"
    );
    assert_eq!(fixture.cast_now(&before).await?.counter, after.counter);
    Ok(())
}

pub async fn a_changed_key_moves_and_frees_the_old_one(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let (one, two) = (fixture.cast(0).await?, fixture.cast(0).await?);
    let (old, new) = (one.settings.key.clone(), fixture.draft(0).settings.key);
    assert_eq!(
        fixture
            .store
            .replace_cast(
                &one,
                &rekeyed(&one, &two.settings.key),
                CounterChange::Keep,
                None
            )
            .await?,
        Replaced::KeyTaken
    );
    assert_eq!(
        fixture.store.cast(&one.id).await?,
        Some(one.clone()),
        "nothing was written"
    );
    let moved = rekeyed(&one, &new);
    assert_eq!(
        fixture
            .store
            .replace_cast(&one, &moved, CounterChange::Keep, None)
            .await?,
        Replaced::Done
    );
    fixture
        .soon(
            Some(moved.clone()),
            || fixture.store.cast_by_key(&new),
            "the new key",
        )
        .await?;
    fixture
        .soon(None, || fixture.store.cast_by_key(&old), "the old key")
        .await?;
    let heir = rekeyed(&two, &old);
    assert_eq!(
        fixture
            .store
            .replace_cast(&two, &heir, CounterChange::Keep, None)
            .await?,
        Replaced::Done,
        "a freed key can be taken"
    );
    fixture
        .soon(
            Some(heir.clone()),
            || fixture.store.cast_by_key(&old),
            "the freed key",
        )
        .await?;
    let back = rekeyed(&moved, &old);
    assert_eq!(
        fixture
            .store
            .replace_cast(&moved, &back, CounterChange::Keep, None)
            .await?,
        Replaced::KeyTaken,
        "and is then taken"
    );
    Ok(())
}

pub async fn two_casts_that_want_one_key_at_once_do_not_both_get_it(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let key = fixture.draft(0).settings.key;
    let (one, two) = (fixture.cast(0).await?, fixture.cast(0).await?);
    let (one_after, two_after) = (rekeyed(&one, &key), rekeyed(&two, &key));
    let moves = [(&one, &one_after), (&two, &two_after)];
    let answers = together(moves.map(|(before, after)| {
        fixture
            .store
            .replace_cast(before, after, CounterChange::Keep, None)
    }))
    .await;
    assert_eq!(
        (
            quota(&answers, &Replaced::Done),
            quota(&answers, &Replaced::KeyTaken)
        ),
        (1, 1),
        "{answers:?}"
    );
    Ok(())
}

pub async fn a_deleted_cast_is_gone_and_its_key_is_free(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let cast = fixture.cast(1).await?;
    let newer = renamed(&cast, "newer");
    assert_eq!(
        fixture
            .store
            .replace_cast(&cast, &newer, CounterChange::Keep, None)
            .await?,
        Replaced::Done
    );
    assert_eq!(
        fixture.store.delete_cast(&cast, None).await?,
        Saved::Stale,
        "another version than seen"
    );
    assert_eq!(fixture.store.delete_cast(&newer, None).await?, Saved::Done);
    assert_eq!(
        fixture.store.delete_cast(&newer, None).await?,
        Saved::Stale,
        "a second time"
    );
    assert_eq!(fixture.store.cast(&cast.id).await?, None);
    fixture
        .soon(
            None,
            || fixture.store.cast_by_key(&cast.settings.key),
            "by its key",
        )
        .await?;
    assert_eq!(
        fixture
            .store
            .reserve(&fixture.claim(&newer, true, None))
            .await?,
        Reserved::ConfigChanged,
        "nothing to take from"
    );
    let mut heir = fixture.draft(0);
    heir.settings.key = cast.settings.key.clone();
    assert_eq!(
        fixture.store.create_cast(&heir, None).await?,
        Created::Done,
        "its key is free"
    );
    assert_eq!(fixture.store.delete_cast(&newer, None).await?, Saved::Stale);
    fixture
        .soon(
            Some(heir.clone()),
            || fixture.store.cast_by_key(&cast.settings.key),
            "the heir's",
        )
        .await
}

pub async fn a_previous_key_finds_its_cast_until_it_is_given_up(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let cast = fixture.cast(0).await?;
    let old = cast.settings.key.clone();
    let rotated = |from: &Cast, previous: Option<&CastKey>| {
        let mut after = rekeyed(from, &fixture.draft(0).settings.key);
        after.settings.previous_key = previous.map(|key| PreviousKey {
            key: key.clone(),
            until: from.updated_at.plus_seconds(60),
        });
        after
    };
    let first = rotated(&cast, Some(&old));
    assert_eq!(
        fixture
            .store
            .replace_cast(&cast, &first, CounterChange::Keep, None)
            .await?,
        Replaced::Done
    );
    fixture
        .soon(
            Some(first.clone()),
            || fixture.store.cast_by_key(&old),
            "by its old key",
        )
        .await?;
    fixture
        .soon(
            Some(first.clone()),
            || fixture.store.cast_by_key(&first.settings.key),
            "by its new key",
        )
        .await?;
    let mut thief = fixture.draft(0);
    thief.settings.key = old.clone();
    assert_eq!(
        fixture.store.create_cast(&thief, None).await?,
        Created::KeyTaken,
        "still claimed"
    );

    let mut back = rekeyed(&first, &old);
    back.settings.previous_key = None;
    assert_eq!(
        fixture
            .store
            .replace_cast(&first, &back, CounterChange::Keep, None)
            .await?,
        Replaced::Done,
        "its own key again"
    );
    fixture
        .soon(
            Some(back.clone()),
            || fixture.store.cast_by_key(&old),
            "by the key that it has again",
        )
        .await?;
    fixture
        .soon(
            None,
            || fixture.store.cast_by_key(&first.settings.key),
            "not by the one it had between",
        )
        .await?;

    let second = rotated(&back, Some(&old));
    assert_eq!(
        fixture
            .store
            .replace_cast(&back, &second, CounterChange::Keep, None)
            .await?,
        Replaced::Done
    );
    let third = rotated(&second, Some(&second.settings.key));
    assert_eq!(
        fixture
            .store
            .replace_cast(&second, &third, CounterChange::Keep, None)
            .await?,
        Replaced::Done
    );
    fixture
        .soon(
            None,
            || fixture.store.cast_by_key(&old),
            "given up at the next rotation",
        )
        .await?;
    assert_eq!(
        fixture.store.create_cast(&thief, None).await?,
        Created::Done,
        "and free for others"
    );
    assert_eq!(fixture.store.delete_cast(&third, None).await?, Saved::Done);
    fixture
        .soon(
            None,
            || fixture.store.cast_by_key(&second.settings.key),
            "gone with the cast",
        )
        .await?;
    let mut heir = fixture.draft(0);
    heir.settings.key = second.settings.key.clone();
    assert_eq!(
        fixture.store.create_cast(&heir, None).await?,
        Created::Done,
        "and free for others too"
    );
    Ok(())
}
