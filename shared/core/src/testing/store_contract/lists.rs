//! Owns the contract of listings: order, pages, and what is left out.

#![expect(missing_docs, reason = "the name of a case says what it holds the store to")]

use super::{Lab, NOON, refunded};
use crate::cast::Cast;
use crate::ids::{CastId, ImageId, SessionId, draw};
use crate::image::Image;
use crate::ports::{Fault, FaultKind, Saved, Store};
use crate::session::{Owner, Session};
use crate::time::Timestamp;

/// Long before every other case's sessions, so that only those of this case are due by then.
const DAWN: Timestamp = Timestamp::from_millis(1_000_000_000);

pub async fn sessions_are_due_longest_first_and_only_while_they_live<S: Store>(lab: &Lab<'_, S>) -> Result<(), Fault> {
    let cast = lab.cast(0).await?;
    let mut sessions = Vec::new();
    for seconds in [30, 10, 20, 50] {
        let mut claim = lab.claim(&cast, false, None);
        claim.session.due_at = Some(DAWN.plus_seconds(seconds));
        sessions.push(lab.place(&claim).await?);
    }
    let [thirty, ten, twenty, fifty] = &sessions[..] else { return Ok(()) };
    let ids: Vec<&SessionId> = sessions.iter().map(|session| &session.id).collect();
    let due = |now, limit| {
        let ids = &ids;
        async move {
            let mut due = lab.store.due_sessions(now, limit).await?;
            // A database that was used before may hold others.
            due.retain(|id| ids.contains(&id));
            Ok(due)
        }
    };
    let id = |session: &Session| session.id.clone();
    lab.soon(vec![id(ten), id(twenty), id(thirty)], || due(DAWN.plus_seconds(30), 100), "due at half a minute").await?;
    lab.soon(vec![], || due(DAWN, 100), "none yet").await?;
    assert!(lab.store.due_sessions(DAWN.plus_seconds(60), 2).await?.len() <= 2, "no more than asked for");

    let later = ten.checked(DAWN.plus_seconds(40));
    assert_eq!(lab.store.save_session(ten, &later).await?, Saved::Done);
    assert_eq!(lab.store.save_session(twenty, &refunded(twenty, NOON)).await?, Saved::Done);
    lab.soon(vec![id(thirty), id(&later), id(fifty)], || due(DAWN.plus_seconds(60), 100), "one moved, one ended").await?;
    for session in [thirty, &later, fifty] {
        assert_eq!(lab.store.save_session(session, &refunded(session, NOON)).await?, Saved::Done);
    }
    lab.soon(vec![], || due(DAWN.plus_seconds(60), 100), "all ended").await
}

pub async fn sessions_are_listed_newest_first_of_a_cast_and_of_all<S: Store>(lab: &Lab<'_, S>) -> Result<(), Fault> {
    let casts = [lab.cast(0).await?, lab.cast(0).await?];
    let mut all = Vec::new();
    for (n, second) in [4, 1, 3, 0, 2, 5].into_iter().enumerate() {
        let mut claim = lab.claim(&casts[n % 2], false, None);
        // Later than every other case's, so that they stand on the first pages.
        claim.session.created_at = NOON.plus_seconds(100_000 + second);
        all.push(lab.place(&claim).await?);
    }
    all.sort_by_key(|session| std::cmp::Reverse(session.created_at));
    let of = |cast: &CastId| all.iter().filter(|session| session.cast_id == *cast).map(|session| session.id.clone()).collect::<Vec<_>>();
    for (name, cast, limit) in [("two pages", 0, 2), ("exactly one page", 0, 3), ("less than a page", 1, 100), ("one at a time", 1, 1)] {
        let cast = &casts[cast].id;
        lab.soon(of(cast), || listed(lab, Some(cast), limit, 10), name).await?;
    }
    let ours: Vec<_> = all.iter().map(|session| session.id.clone()).collect();
    let of_all = || async {
        let mut listed = listed(lab, None, 4, 50).await?;
        listed.retain(|id| ours.contains(id));
        Ok(listed)
    };
    lab.soon(ours.clone(), of_all, "of all casts").await?;

    let page = lab.store.sessions(Some(&casts[0].id), None, 3).await?;
    assert_eq!((page.items.len(), page.next), (3, None), "a full page with nothing after it is the last");
    let (before, after) = (&page.items[0], refunded(&page.items[0], NOON));
    assert_eq!(lab.store.save_session(before, &after).await?, Saved::Done);
    let page = lab.store.sessions(Some(&casts[0].id), None, 1).await?;
    assert_eq!(page.items, [after], "a listing shows sessions as they are now");
    let nobody = lab.store.sessions(Some(&lab.draft(0).id), None, 3).await?;
    assert_eq!((nobody.items.len(), nobody.next), (0, None));
    Ok(())
}

/// The ids on at most `pages` pages of `limit` sessions.
async fn listed<S: Store>(lab: &Lab<'_, S>, cast: Option<&CastId>, limit: u32, pages: u32) -> Result<Vec<SessionId>, Fault> {
    let (mut ids, mut after) = (Vec::new(), None::<String>);
    for _ in 0..pages {
        let page = lab.store.sessions(cast, after.as_deref(), limit).await?;
        assert!(page.items.len() <= limit as usize, "no page is longer than asked for");
        ids.extend(page.items.into_iter().map(|session| session.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(ids)
}

pub async fn a_users_live_session_of_a_cast_is_found<S: Store>(lab: &Lab<'_, S>) -> Result<(), Fault> {
    let user = crate::ids::UserId::from_bytes(draw(&lab.entropy));
    let (cast, other) = (lab.cast(0).await?, lab.cast(0).await?);
    let of_user = |cast: &Cast, seconds: u64| {
        let mut claim = lab.claim(cast, false, None);
        claim.session.owner = Owner::User { id: user.clone(), name: "Ann".into() };
        claim.session.created_at = NOON.plus_seconds(seconds);
        claim
    };
    let found = || async { Ok(lab.store.live_session_of(&user, &cast.id).await?.map(|session| session.id)) };
    lab.soon(None, found, "none yet").await?;
    let older = lab.place(&of_user(&cast, 1)).await?;
    let newer = lab.place(&of_user(&cast, 2)).await?;
    lab.place(&of_user(&other, 3)).await?;
    lab.place(&lab.claim(&cast, false, None)).await?;
    lab.soon(Some(newer.id.clone()), found, "the newest of this cast").await?;
    assert_eq!(lab.store.save_session(&newer, &super::refunded(&newer, NOON)).await?, Saved::Done);
    lab.soon(Some(older.id.clone()), found, "one that lives").await?;
    Ok(())
}

pub async fn casts_and_images_are_listed_by_id<S: Store>(lab: &Lab<'_, S>) -> Result<(), Fault> {
    let (mut casts, mut images) = (Vec::new(), Vec::new());
    for n in 0..5 {
        casts.push(lab.cast(n).await?);
        let mut image = crate::testing::image(0);
        image.id = ImageId::from_bytes(draw(&lab.entropy));
        assert_eq!(lab.store.put_record(&image, None).await?, Saved::Done);
        images.push(image);
    }
    lab.place(&lab.claim(&casts[4], true, None)).await?;
    casts[4].counter.remaining -= 1;
    casts.sort_by(|a, b| a.id.cmp(&b.id));
    images.sort_by(|a, b| a.id.cmp(&b.id));
    let list_casts = || async {
        let (mut all, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = lab.store.casts(after.as_deref(), 2).await?;
            assert!(page.items.len() <= 2, "no page is longer than asked for");
            all.extend(page.items);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert!(all.is_sorted_by(|a, b| a.id < b.id), "by id, each once");
        all.retain(|cast| casts.iter().any(|ours| ours.id == cast.id));
        Ok(all)
    };
    lab.soon(casts.clone(), list_casts, "casts").await?;
    let (mut all, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = lab.store.records::<Image>(after.as_deref(), 2).await?;
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert!(all.is_sorted_by(|a, b| a.id < b.id), "by id, each once");
    all.retain(|image| images.iter().any(|ours| ours.id == image.id));
    assert_eq!(all, images);
    Ok(())
}

pub async fn a_page_that_is_not_ours_is_refused<S: Store>(lab: &Lab<'_, S>) -> Result<(), Fault> {
    let kind = |fault: Option<Fault>| fault.map(|fault| fault.kind);
    for text in ["", "../..", "\u{0}", "a b"] {
        assert_eq!(kind(lab.store.records::<Image>(Some(text), 5).await.err()), Some(FaultKind::Refused), "images: {text}");
    }
    for text in ["", "x", "../..", "\u{0}", "1-s"] {
        assert_eq!(kind(lab.store.casts(Some(text), 5).await.err()), Some(FaultKind::Refused), "casts: {text}");
        assert_eq!(kind(lab.store.sessions(None, Some(text), 5).await.err()), Some(FaultKind::Refused), "sessions: {text}");
    }
    Ok(())
}
