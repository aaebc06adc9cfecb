//! Owns the contract of listings: order, pages, and what is left out.

#![expect(
    missing_docs,
    reason = "the name of a case says what it holds the store to"
)]

use super::{Fixture, NOON, refunded};
use crate::cast::{Cast, CounterChange};
use crate::hourly_stats::HOUR_SECONDS;
use crate::ids::{CastId, CastKey, ImageId, Reference, SessionId, random_bytes};
use crate::image::Image;
use crate::ports::{Created, DueKind, Fault, FaultKind, Replaced, Saved};
use crate::queries::{CastOrder, CastQuery, Counted, SessionQuery, SessionsOf};
use crate::record::Record;
use crate::session::{Owner, Session};
use crate::summary::SessionSummary;
use crate::time::Timestamp;

/// Long before every other case's sessions, so that only those of this case are due by then.
const DAWN: Timestamp = Timestamp::from_millis(1_000_000_000);

pub async fn sessions_are_due_longest_first_and_only_while_they_live(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let cast = fixture.cast(0).await?;
    let mut sessions = Vec::new();
    for seconds in [30, 10, 20, 50] {
        let mut claim = fixture.claim(&cast, false, None);
        claim.session.due_at = Some(DAWN.plus_seconds(seconds));
        sessions.push(fixture.place(&claim).await?);
    }
    let [thirty, ten, twenty, fifty] = &sessions[..] else {
        return Ok(());
    };
    let ids: Vec<&SessionId> = sessions.iter().map(|session| &session.id).collect();
    let due = |now, limit| {
        let ids = &ids;
        async move {
            let (mut due, mut after) = (Vec::new(), None);
            loop {
                let page = fixture
                    .store
                    .due_sessions(DueKind::Live, now, after.as_deref(), limit)
                    .await?;
                due.extend(page.items.into_iter().map(|session| session.id));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            // A database that was used before may hold others.
            due.retain(|id| ids.contains(&id));
            Ok(due)
        }
    };
    let id = |session: &Session| session.id.clone();
    fixture
        .soon(
            vec![id(ten), id(twenty), id(thirty)],
            || due(DAWN.plus_seconds(30), 100),
            "due at half a minute",
        )
        .await?;
    fixture
        .soon(
            vec![id(ten), id(twenty), id(thirty)],
            || due(DAWN.plus_seconds(30), 1),
            "page by page",
        )
        .await?;
    fixture.soon(vec![], || due(DAWN, 100), "none yet").await?;
    assert!(
        fixture
            .store
            .due_sessions(DueKind::Live, DAWN.plus_seconds(60), None, 2)
            .await?
            .items
            .len()
            <= 2,
        "no more than asked for"
    );

    let later = ten.checked(DAWN.plus_seconds(40));
    assert_eq!(fixture.store.save_session(ten, &later).await?, Saved::Done);
    assert_eq!(
        fixture
            .store
            .save_session(twenty, &refunded(twenty, NOON))
            .await?,
        Saved::Done
    );
    fixture
        .soon(
            vec![id(thirty), id(&later), id(fifty)],
            || due(DAWN.plus_seconds(60), 100),
            "one moved, one ended",
        )
        .await?;
    for session in [thirty, &later, fifty] {
        assert_eq!(
            fixture
                .store
                .save_session(session, &refunded(session, NOON))
                .await?,
            Saved::Done
        );
    }
    fixture
        .soon(vec![], || due(DAWN.plus_seconds(60), 100), "all ended")
        .await
}

pub async fn sessions_are_listed_newest_first_of_a_cast_and_of_all(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let casts = [fixture.cast(0).await?, fixture.cast(0).await?];
    let mut all = Vec::new();
    for (n, second) in [4, 1, 3, 0, 2, 5].into_iter().enumerate() {
        let mut claim = fixture.claim(&casts[n % 2], false, None);
        // Later than every other case's, so that they stand on the first pages.
        claim.session.created_at = NOON.plus_seconds(100_000 + second);
        all.push(fixture.place(&claim).await?);
    }
    all.sort_by_key(|session| std::cmp::Reverse(session.created_at));
    let of = |cast: &CastId| {
        all.iter()
            .filter(|session| session.cast_id == *cast)
            .map(|session| session.id.clone())
            .collect::<Vec<_>>()
    };
    for (name, cast, limit) in [
        ("two pages", 0, 2),
        ("exactly one page", 0, 3),
        ("less than a page", 1, 100),
        ("one at a time", 1, 1),
    ] {
        let cast = &casts[cast].id;
        let query = SessionQuery::cast(cast);
        fixture
            .soon(of(cast), || listed(fixture, &query, limit, 10), name)
            .await?;
    }
    let ours: Vec<_> = all.iter().map(|session| session.id.clone()).collect();
    let of_all = || async {
        let mut listed = listed(fixture, &SessionQuery::default(), 4, 50).await?;
        listed.retain(|id| ours.contains(id));
        Ok(listed)
    };
    fixture.soon(ours.clone(), of_all, "of all casts").await?;

    let page = fixture
        .store
        .sessions(&SessionQuery::cast(&casts[0].id), None, 3)
        .await?;
    assert_eq!(
        (page.items.len(), page.next),
        (3, None),
        "a full page with nothing after it is the last"
    );
    let (before, after) = (&page.items[0], refunded(&page.items[0], NOON));
    assert_eq!(
        fixture.store.save_session(before, &after).await?,
        Saved::Done
    );
    let page = fixture
        .store
        .sessions(&SessionQuery::cast(&casts[0].id), None, 1)
        .await?;
    assert_eq!(
        page.items,
        [after],
        "a listing shows sessions as they are now"
    );
    let nobody = fixture
        .store
        .sessions(&SessionQuery::cast(&fixture.draft(0).id), None, 3)
        .await?;
    assert_eq!((nobody.items.len(), nobody.next), (0, None));
    Ok(())
}

/// The ids on at most `pages` pages of `limit` sessions.
async fn listed(
    fixture: &Fixture<'_>,
    query: &SessionQuery,
    limit: u32,
    pages: u32,
) -> Result<Vec<SessionId>, Fault> {
    let (mut ids, mut after) = (Vec::new(), None::<String>);
    for _ in 0..pages {
        let page = fixture
            .store
            .sessions(query, after.as_deref(), limit)
            .await?;
        assert!(
            page.items.len() <= limit as usize,
            "no page is longer than asked for"
        );
        let summaries = fixture
            .store
            .session_summaries(query, after.as_deref(), limit)
            .await?;
        let expected: Vec<SessionSummary> = page.items.iter().map(Into::into).collect();
        assert_eq!(summaries.items, expected);
        assert_eq!(summaries.next, page.next);
        let of_page: Vec<SessionId> = page.items.iter().map(|row| row.id.clone()).collect();
        let by_id = fixture.store.sessions_by_id(&of_page).await?;
        assert_eq!(by_id, page.items);
        ids.extend(of_page);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(ids)
}

pub async fn a_users_live_session_of_a_cast_is_found(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let user = crate::ids::UserId::from_bytes(random_bytes(&fixture.entropy));
    let (cast, other) = (fixture.cast(0).await?, fixture.cast(0).await?);
    let of_user = |cast: &Cast, seconds: u64| {
        let mut claim = fixture.claim(cast, false, None);
        claim.session.owner = Owner::User {
            id: user.clone(),
            name: "Ann".into(),
        };
        claim.session.created_at = NOON.plus_seconds(seconds);
        claim
    };
    let found = || async {
        Ok(fixture
            .store
            .live_session_of(&user, &cast.id)
            .await?
            .map(|session| session.id))
    };
    fixture.soon(None, found, "none yet").await?;
    let older = fixture.place(&of_user(&cast, 1)).await?;
    let newer = fixture.place(&of_user(&cast, 2)).await?;
    fixture.place(&of_user(&other, 3)).await?;
    fixture.place(&fixture.claim(&cast, false, None)).await?;
    fixture
        .soon(Some(newer.id.clone()), found, "the newest of this cast")
        .await?;
    assert_eq!(
        fixture
            .store
            .save_session(&newer, &super::refunded(&newer, NOON))
            .await?,
        Saved::Done
    );
    fixture
        .soon(Some(older.id.clone()), found, "one that lives")
        .await?;
    Ok(())
}

/// Every cast that a query finds, two at a time.
async fn found(fixture: &Fixture<'_>, query: &CastQuery) -> Result<Vec<Cast>, Fault> {
    let (mut all, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = fixture.store.casts(query, after.as_deref(), 2).await?;
        assert!(page.items.len() <= 2, "no page is longer than asked for");
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

pub async fn casts_are_listed_in_the_order_that_is_asked_for(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let mut casts = Vec::new();
    for (n, name) in ["beta", "Alpha", "gamma", "ALPHA two", "ärger"]
        .into_iter()
        .enumerate()
    {
        let mut cast = fixture.draft(n as u64);
        cast.settings.name = name.to_owned();
        cast.created_at = NOON.plus_seconds([50, 10, 30, 20, 40][n]);
        assert_eq!(fixture.store.create_cast(&cast, None).await?, Created::Done);
        casts.push(cast);
    }
    let id = casts[0].id.as_str();
    for (name, prefix, expected) in [
        ("the whole id", id, vec![casts[0].id.clone()]),
        ("most of it", &id[..20], vec![casts[0].id.clone()]),
        ("nobody's", "c1", vec![]),
    ] {
        fixture
            .soon(expected, || fixture.store.casts_from(prefix), name)
            .await?;
    }
    let named = ["Alpha", "ALPHA two", "beta", "gamma", "ärger"].map(str::to_owned);
    let names = async || {
        let of = fixture.store.cast_names(1000).await?;
        let ours = of.into_iter().filter(|of| {
            casts
                .iter()
                .any(|cast| cast.id == of.id && cast.settings.key == of.key)
        });
        Ok(ours.map(|of| of.name).collect::<Vec<_>>())
    };
    fixture.soon(named.to_vec(), names, "their names").await?;
    for (name, asked, expected) in [
        ("its name", "beta", vec![casts[0].id.clone()]),
        ("in capitals", "ALPHA", vec![casts[1].id.clone()]),
        ("part of a name", "alpha tw", vec![]),
        ("no name", "", vec![]),
    ] {
        fixture
            .soon(expected, || fixture.store.casts_named(asked), name)
            .await?;
    }
    fixture.place(&fixture.claim(&casts[4], true, None)).await?;
    casts[4].counter.remaining -= 1;
    for (name, order, backwards, expected) in [
        ("by name", CastOrder::Name, false, [1, 3, 0, 2, 4]),
        (
            "by name, from the end",
            CastOrder::Name,
            true,
            [4, 2, 0, 3, 1],
        ),
        ("the oldest first", CastOrder::Made, false, [1, 3, 2, 4, 0]),
        ("the newest first", CastOrder::Made, true, [0, 4, 2, 3, 1]),
    ] {
        let query = CastQuery {
            word: None,
            order,
            backwards,
        };
        let ours = || async {
            let mut all = found(fixture, &query).await?;
            all.retain(|cast| casts.iter().any(|ours| ours.id == cast.id));
            Ok(all)
        };
        fixture
            .soon(
                expected.map(|n: usize| casts[n].clone()).to_vec(),
                ours,
                name,
            )
            .await?;
    }
    Ok(())
}

pub async fn casts_are_found_by_the_words_of_their_names_and_keys(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    // A word that no other case uses.
    let word: String = CastKey::random(&fixture.entropy)
        .as_str()
        .chars()
        .take(10)
        .collect();
    let mut cast = fixture.draft(0);
    cast.settings.name = format!("Class {word}one, {word}two");
    assert_eq!(fixture.store.create_cast(&cast, None).await?, Created::Done);
    let mut other = fixture.draft(0);
    other.settings.name = format!("{word}two");
    assert_eq!(
        fixture.store.create_cast(&other, None).await?,
        Created::Done
    );
    let search = |text: &str| CastQuery {
        word: Some(text.to_owned()),
        ..CastQuery::default()
    };
    let both = search(&word);
    fixture
        .soon(
            vec![cast.clone(), other.clone()],
            || found(fixture, &both),
            "each once, however many words fit",
        )
        .await?;
    let (one, key) = (
        search(&format!("{word}one")),
        search(&cast.settings.key.as_str()[..12]),
    );
    fixture
        .soon(
            vec![cast.clone()],
            || found(fixture, &one),
            "by a whole word",
        )
        .await?;
    fixture
        .soon(
            vec![cast.clone()],
            || found(fixture, &key),
            "by the beginning of its key",
        )
        .await?;
    let none = search(&format!("{word}x"));
    fixture
        .soon(vec![], || found(fixture, &none), "by a word of nobody's")
        .await?;

    let mut renamed = cast.clone();
    renamed.version += 1;
    renamed.settings.name = format!("Class {word}three");
    assert_eq!(
        fixture
            .store
            .replace_cast(&cast, &renamed, CounterChange::Keep, None)
            .await?,
        Replaced::Done
    );
    fixture
        .soon(
            vec![],
            || found(fixture, &one),
            "not by a word that it had before",
        )
        .await?;
    let three = search(&format!("{word}three"));
    fixture
        .soon(
            vec![renamed.clone()],
            || found(fixture, &three),
            "by its new word",
        )
        .await?;
    assert_eq!(
        fixture.store.delete_cast(&renamed, None).await?,
        Saved::Done
    );
    fixture
        .soon(vec![], || found(fixture, &three), "not when it is gone")
        .await?;
    fixture
        .soon(vec![], || found(fixture, &key), "nor by its key")
        .await?;
    fixture
        .soon(
            vec![other.clone()],
            || found(fixture, &both),
            "the other is still there",
        )
        .await
}

pub async fn sessions_are_found_by_time_by_reference_and_while_they_live(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let cast = fixture.cast(0).await?;
    let mut sessions = Vec::new();
    for second in [10, 20, 30, 40] {
        let mut claim = fixture.claim(&cast, false, None);
        claim.session.created_at = NOON.plus_seconds(second);
        sessions.push(fixture.place(&claim).await?);
    }
    let ids = |of: &[usize]| {
        of.iter()
            .map(|n| sessions[*n].id.clone())
            .collect::<Vec<_>>()
    };
    let at = |second| NOON.plus_seconds(second);
    for (name, since, until, expected) in [
        ("since", Some(at(20)), None, &[3, 2, 1][..]),
        ("until", None, Some(at(30)), &[1, 0]),
        ("between", Some(at(20)), Some(at(40)), &[2, 1]),
        ("a span of nothing", Some(at(25)), Some(at(26)), &[]),
        (
            "a span that ends before it begins",
            Some(at(30)),
            Some(at(20)),
            &[],
        ),
    ] {
        let query = SessionQuery {
            since,
            until,
            ..SessionQuery::cast(&cast.id)
        };
        fixture
            .soon(ids(expected), || listed(fixture, &query, 2, 10), name)
            .await?;
    }
    let counted = |count| Counted { count, more: false };
    let both = [cast.id.clone(), fixture.draft(0).id];
    fixture
        .soon(
            vec![counted(3), counted(0)],
            || fixture.store.count_sessions(&both, at(20)),
            "counted since",
        )
        .await?;

    let reference = Reference::of(&sessions[2].id);
    let by_reference = || async {
        Ok(fixture
            .store
            .sessions_by_reference(&reference)
            .await?
            .into_iter()
            .map(|session| session.id)
            .collect())
    };
    fixture
        .soon(ids(&[2]), by_reference, "by its reference")
        .await?;
    let nobody = Reference::of(&SessionId::from_bytes(random_bytes(&fixture.entropy)));
    assert_eq!(fixture.store.sessions_by_reference(&nobody).await?, []);

    let living = SessionQuery {
        of: SessionsOf::Living,
        ..SessionQuery::default()
    };
    let living = || async {
        let mut all = listed(fixture, &living, 7, 500).await?;
        all.retain(|id| sessions.iter().any(|ours| ours.id == *id));
        all.sort_unstable();
        Ok(all)
    };
    let sorted = |of: &[usize]| {
        let mut ids = ids(of);
        ids.sort_unstable();
        ids
    };
    fixture
        .soon(sorted(&[0, 1, 2, 3]), living, "all live")
        .await?;
    let of_cast = [cast.id.clone()];
    let count = || async {
        let counted = fixture.store.count_living(&of_cast, 5000).await?;
        Ok(counted.count)
    };
    let of_the_cast = |live: &[usize]| {
        let live = live.iter().map(|n| &sessions[*n]);
        live.filter(|row| row.cast_id == cast.id).count() as u64
    };
    fixture
        .soon(of_the_cast(&[0, 1, 2, 3]), count, "all are counted")
        .await?;
    assert_eq!(
        fixture
            .store
            .save_session(&sessions[1], &refunded(&sessions[1], NOON))
            .await?,
        Saved::Done
    );
    fixture
        .soon(sorted(&[0, 2, 3]), living, "one has ended")
        .await?;
    fixture
        .soon(
            of_the_cast(&[0, 2, 3]),
            count,
            "those that live are counted",
        )
        .await?;
    for n in [0, 2, 3] {
        assert_eq!(
            fixture
                .store
                .save_session(&sessions[n], &refunded(&sessions[n], NOON))
                .await?,
            Saved::Done
        );
    }
    fixture.soon(vec![], living, "all have").await
}

pub async fn claims_of_a_span_are_listed_oldest_first(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let cast = fixture.cast(0).await?;
    let at = |second: u64| DAWN.plus_seconds(1000 + second);
    let mut sessions = Vec::new();
    for second in [3, 1, 2] {
        let mut claim = fixture.claim(&cast, false, None);
        claim.session.created_at = at(second);
        sessions.push(fixture.place(&claim).await?);
    }
    let [three, one, two] = &sessions[..] else {
        return Ok(());
    };
    let id = |session: &Session| session.id.clone();
    for (name, since, until, limit, expected) in [
        (
            "all, page by page",
            0,
            3,
            1,
            vec![id(one), id(two), id(three)],
        ),
        ("after the first", 1, 3, 100, vec![id(two), id(three)]),
        ("until the last but one", 0, 2, 100, vec![id(one), id(two)]),
        ("nothing", 3, 3, 100, vec![]),
        ("a span that ends before it begins", 3, 1, 100, vec![]),
    ] {
        let claimed = || async {
            let (mut all, mut after) = (Vec::new(), None);
            loop {
                let (since, until) = (at(since), at(until));
                let store = fixture.store;
                let page = store.claimed_between(since, until, after.as_deref(), limit);
                let page = page.await?;
                all.extend(page.items.into_iter().map(|session| session.id));
                after = page.next;
                if after.is_none() {
                    return Ok(all);
                }
            }
        };
        fixture.soon(expected, claimed, name).await?;
    }
    Ok(())
}

pub async fn schedule_only_moves_forward(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let store = fixture.store;
    // Long before every claim: none of them is in the schedule by this.
    let at = |second: u64| DAWN.minus_seconds(86_400 - second);
    for (moved, expected) in [(5, 5), (3, 5), (9, 9)] {
        store.set_scheduled_until(at(moved)).await?;
        assert_eq!(store.scheduled_until().await?, Some(at(expected)));
    }
    Ok(())
}

pub async fn turns_of_starts_are_apart_and_never_past(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let (store, noon) = (fixture.store, DAWN.minus_seconds(86_400));
    let at = |millis: i64| Timestamp::from_millis(noon.millis() + millis);
    let mut last = at(-500);
    for (name, now, interval) in [
        ("the first", 0, 50),
        ("the second is behind it", 10, 50),
        ("a clock that is behind", -500, 50),
        ("another rate", 20, 100),
        ("all turns have passed", 9_000, 50),
    ] {
        let turn = store.take_turn(at(now), interval).await?;
        let next = last.max(at(now)).millis() + interval as i64;
        // A turn whose answer was lost is not given out again.
        let skipped = turn.millis() - next;
        assert!(
            skipped >= 0 && skipped % interval as i64 == 0 && skipped < 5 * interval as i64,
            "{name}: {skipped} ms after the next turn"
        );
        last = turn;
    }
    let many = (0..20).map(|_| store.take_turn(at(20_000), 50));
    let mut turns = futures_util::future::try_join_all(many).await?;
    turns.sort();
    turns.dedup();
    assert_eq!(turns.len(), 20, "no turn is given out twice");
    assert!(turns.first() >= Some(&at(20_050)) && turns.last() >= Some(&at(21_000)));
    Ok(())
}

pub async fn images_are_listed_by_id(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let mut images = Vec::new();
    for _ in 0..5 {
        let mut image = crate::testing::image(0);
        image.id = ImageId::from_bytes(random_bytes(&fixture.entropy));
        assert_eq!(
            fixture.store.put_record(&image, None, None).await?,
            Saved::Done
        );
        images.push(image);
    }
    images.sort_by(|a, b| a.id.cmp(&b.id));
    let (mut all, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = fixture.store.records::<Image>(after.as_deref(), 2).await?;
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert!(all.is_sorted_by(|a, b| a.id < b.id), "by id, each once");
    let names = fixture.store.record_names(Image::KIND).await?;
    let expected = all
        .iter()
        .map(|image| (image.id.to_string(), image.settings.name.clone()));
    assert_eq!(names, expected.collect::<Vec<_>>());
    let there = all.len() as u64;
    for (most, count, more) in [
        (there + 1, there, false),
        (there, there, false),
        (2, 2, true),
    ] {
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        let counted = fixture.store.count_records(Image::KIND, most).await?;
        assert_eq!(counted, Counted { count, more }, "counted up to {most}");
    }
    all.retain(|image| images.iter().any(|ours| ours.id == image.id));
    assert_eq!(all, images);
    Ok(())
}

pub async fn a_page_that_is_not_ours_is_refused(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let kind = |fault: Option<Fault>| fault.map(|fault| fault.kind);
    for text in ["", "../..", "\u{0}", "a b"] {
        assert_eq!(
            kind(fixture.store.records::<Image>(Some(text), 5).await.err()),
            Some(FaultKind::Refused),
            "images: {text}"
        );
    }
    for text in ["", "x", "../..", "\u{0}", "1-s"] {
        for word in [None, Some("class".to_owned())] {
            let query = CastQuery {
                word,
                ..CastQuery::default()
            };
            assert_eq!(
                kind(fixture.store.casts(&query, Some(text), 5).await.err()),
                Some(FaultKind::Refused),
                "casts: {text}"
            );
        }
        let all = SessionQuery::default();
        assert_eq!(
            kind(fixture.store.sessions(&all, Some(text), 5).await.err()),
            Some(FaultKind::Refused),
            "sessions: {text}"
        );
        assert_eq!(
            kind(fixture.store.audits(None, Some(text), 5).await.err()),
            Some(FaultKind::Refused),
            "audit: {text}"
        );
        assert_eq!(
            kind(
                fixture
                    .store
                    .all_refusals(0, HOUR_SECONDS, Some(text), 5)
                    .await
                    .err()
            ),
            Some(FaultKind::Refused),
            "refusals: {text}"
        );
    }
    Ok(())
}
