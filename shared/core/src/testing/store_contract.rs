//! Owns the contract of the store port: what every adapter must do, as cases that run on any of
//! them. Must not know how any of them works.
//!
//! Every case draws its own ids, so all of them can run on one database, also on one that has been
//! used before. Listings that may be a moment old are asked again for a while before a case gives
//! up on them.

mod audits_and_stats;
mod casts;
mod catalog;
mod hooks;
mod lists;
mod pools;
mod quotas;
mod release;
mod reserve;
mod rooms;

use std::future::{Future, poll_fn};
use std::task::Poll;

use super::{NOON, SeededEntropy};
use crate::cast::Cast;
use crate::ids::{CastId, CastKey, Nonce, SessionId, random_bytes};
use crate::ports::{Created, Fault, FaultKind, Reservation, Reserved, Store, WindowClaim};
use crate::rate_window::RateWindow;
use crate::session::{Charge, EndReason, Session};
use crate::time::Timestamp;

macro_rules! cases {
    ($($file:ident: $($case:ident)*;)*) => {
        $($(pub use $file::$case;)*)*

        /// Runs every case, one after the other. Another seed makes other ids.
        ///
        /// # Errors
        /// The first fault of the store. What it does wrong is a failed assertion that begins with
        /// the case's name.
        pub async fn run_all(store: &dyn Store, seed: u64) -> Result<(), Fault> {
            $($(
                let fixture = Fixture::new(store, seed, stringify!($case));
                if let Err(fault) = $case(&fixture).await {
                    return Err(Fault { detail: format!("{}: {}", stringify!($case), fault.detail), ..fault });
                }
            )*)*
            Ok(())
        }
    };
}

cases! {
    casts:
        a_cast_reads_back_by_id_and_by_key
        counter_is_read_for_visits_only_where_it_limits
        a_key_belongs_to_one_cast_however_many_are_created_at_once
        creating_the_same_cast_again_changes_nothing
        a_config_is_written_over_its_version_only
        a_config_write_never_changes_the_counter
        a_difference_is_added_whatever_claims_do
        a_counter_that_is_set_begins_a_new_epoch
        a_changed_key_moves_and_frees_the_old_one
        two_casts_that_want_one_key_at_once_do_not_both_get_it
        a_previous_key_finds_its_cast_until_it_is_given_up
        a_deleted_cast_is_gone_and_its_key_is_free;
    reserve:
        a_claim_takes_what_it_charges_and_nothing_else
        a_claim_takes_all_or_nothing
        a_session_that_exists_is_shown_as_it_is_now
        fifty_claims_at_once_on_twenty_places_get_exactly_twenty
        one_claim_sent_twenty_times_at_once_takes_one_place
        a_window_that_nobody_looked_at_is_taken_only_when_idle
        a_window_that_was_seen_is_taken_only_as_seen
        two_claims_that_saw_one_window_do_not_both_get_in
        a_window_that_vanished_is_empty_and_can_be_taken;
    release:
        a_refund_gives_back_place_and_slot
        a_freed_slot_can_be_taken_again
        a_session_that_was_served_gives_nothing_back
        a_refund_is_given_at_most_once
        a_place_is_not_given_back_into_another_epoch
        claims_counted_together_are_given_back_to_their_bucket
        refund_is_written_when_its_cast_and_window_are_gone
        a_move_is_written_over_its_revision_only
        of_two_moves_at_once_one_is_written;
    quotas:
        a_count_is_taken_only_while_there_is_room
        a_closed_count_takes_no_claim_and_is_given_back
        a_count_is_opened_once
        money_is_taken_by_amount_and_comes_back_unused_once
        a_count_that_began_late_takes_claims_once_it_is_complete
        fifty_claims_at_once_on_a_count_of_twenty_get_exactly_twenty
        refund_returns_all_counts_served_end_live_ones
        a_count_that_was_forgotten_does_not_stop_a_release
        a_proof_is_used_once;
    rooms:
        a_room_is_written_only_as_seen
        a_sign_of_life_changes_nothing_else
        whoever_joins_uses_a_proof_up_or_stays_outside
        claim_gives_up_its_queue_entry_atomically
        of_fifty_who_come_at_once_each_gets_a_number_of_their_own;
    pools:
        a_pool_takes_no_more_than_it_may_however_many_come_at_once
        a_session_waits_in_its_pool_until_it_is_given_away_or_stops
        claim_takes_a_staged_session_and_finds_it_again
        of_two_claims_at_once_one_gets_the_session
        exchange_moves_all_that_a_claim_took_once
        sessions_that_are_nobodys_are_no_claims;
    hooks:
        a_claim_is_told_with_its_session_or_not_at_all
        a_move_is_told_with_its_row_once
        a_delivery_is_added_once_and_taken_by_one
        deliveries_are_due_in_order_and_listed_by_hook;
    lists:
        a_users_live_session_of_a_cast_is_found
        claims_of_a_span_are_listed_oldest_first
        schedule_only_moves_forward
        turns_of_starts_are_apart_and_never_past
        sessions_are_due_longest_first_and_only_while_they_live
        sessions_are_listed_newest_first_of_a_cast_and_of_all
        casts_are_listed_in_the_order_that_is_asked_for
        casts_are_found_by_the_words_of_their_names_and_keys
        sessions_are_found_by_time_by_reference_and_while_they_live
        images_are_listed_by_id
        a_page_that_is_not_ours_is_refused;
    catalog:
        an_image_is_written_over_its_version_only
        a_record_of_another_form_is_corrupt
        refusals_add_up_by_hour_and_reason_with_a_few_samples
        refusals_counted_at_once_all_count
        refusals_of_all_are_listed_by_hour;
    audits_and_stats:
        a_change_and_its_entry_are_written_together_or_not_at_all
        entries_are_listed_newest_first_of_one_thing_and_of_all
        hours_are_read_back_in_order_and_written_over
        a_request_is_remembered_as_it_came_first;
}

/// What a case works with: the store, and ids that no other case draws.
pub struct Fixture<'a> {
    store: &'a dyn Store,
    entropy: SeededEntropy,
}

/// What a claim charges, in the tables of cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Charges {
    count: bool,
    window: bool,
}

impl Charges {
    const ALL: [Self; 4] = [
        Self {
            count: false,
            window: false,
        },
        Self {
            count: true,
            window: false,
        },
        Self {
            count: false,
            window: true,
        },
        Self {
            count: true,
            window: true,
        },
    ];
}

impl<'a> Fixture<'a> {
    /// A fixture for one case.
    pub fn new(store: &'a dyn Store, seed: u64, case: &str) -> Self {
        let seed = case.bytes().fold(seed, |seed, byte| {
            (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self {
            store,
            entropy: SeededEntropy::new(seed),
        }
    }

    /// A cast that is not stored yet, limited to `remaining` places.
    fn draft(&self, remaining: u64) -> Cast {
        let mut cast = super::cast(0);
        cast.settings.limit_total_sessions = true;
        cast.id = CastId::from_bytes(random_bytes(&self.entropy));
        cast.settings.key = CastKey::random(&self.entropy);
        cast.counter.remaining = remaining;
        cast
    }

    /// A stored cast with `remaining` places.
    async fn cast(&self, remaining: u64) -> Result<Cast, Fault> {
        let cast = self.draft(remaining);
        assert_eq!(
            self.store.create_cast(&cast, None).await?,
            Created::Done,
            "a fresh cast is stored"
        );
        Ok(cast)
    }

    /// A session of the cast that charges nothing; not stored yet.
    fn session(&self, cast: &Cast) -> Session {
        let mut session = super::session(cast, 1);
        session.id =
            SessionId::from_nonce(&cast.id, &Nonce::from_bytes(random_bytes(&self.entropy)));
        session
    }

    /// A key of a window that no other test uses.
    fn window_key(&self, cast: &Cast) -> String {
        RateWindow::key(
            &cast.id,
            SessionId::from_bytes(random_bytes(&self.entropy)).as_str(),
        )
    }

    /// A claim that charges a place, if asked to, and a slot in the window `key`, if given, as a
    /// visitor at noon who has not looked.
    fn claim(&self, cast: &Cast, count: bool, key: Option<&str>) -> Reservation {
        let mut session = self.session(cast);
        session.charge = Charge {
            count: count.then_some(cast.counter.epoch),
            window: key.map(str::to_owned),
            ..Charge::default()
        };
        let window = key.map(|key| {
            window_claim(
                &session,
                None,
                &RateWindow::empty(key.to_owned(), String::new()),
            )
        });
        Reservation {
            session,
            cast_version: cast.version,
            window,
            quotas: Vec::new(),
            proof: None,
            staged: None,
            queue: None,
        }
    }

    /// Another claim from the address of a window, decided on that window as it was seen.
    fn claim_after(&self, cast: &Cast, seen: &RateWindow) -> Reservation {
        let mut claim = self.claim(cast, false, Some(&seen.key));
        claim.window = Some(window_claim(&claim.session, Some(&seen.stamp), seen));
        claim
    }

    /// Reserves, and says that it must work.
    async fn place(&self, reservation: &Reservation) -> Result<Session, Fault> {
        assert_eq!(
            self.store.reserve(reservation).await?,
            Reserved::Placed,
            "a claim that nothing stands against"
        );
        Ok(reservation.session.clone())
    }

    /// Places that the cast has now.
    async fn remaining(&self, cast: &Cast) -> Result<u64, Fault> {
        Ok(self.cast_now(cast).await?.counter.remaining)
    }

    async fn cast_now(&self, cast: &Cast) -> Result<Cast, Fault> {
        self.store
            .cast(&cast.id)
            .await?
            .ok_or_else(|| gone("the cast"))
    }

    async fn session_now(&self, session: &Session) -> Result<Session, Fault> {
        self.store
            .session(&session.id)
            .await?
            .ok_or_else(|| gone("the session"))
    }

    /// The window as it is now: shown to a claim that saw something else. The claim belongs to a
    /// cast of its own.
    async fn window(&self, key: &str) -> Result<RateWindow, Fault> {
        let cast = self.cast(0).await?;
        let mut probe = self.claim(&cast, false, Some(key));
        if let Some(claim) = &mut probe.window {
            claim.seen = Some("never a stamp".to_owned());
        }
        match self.store.reserve(&probe).await? {
            Reserved::WindowMoved(window) => Ok(window),
            other => Err(gone(&format!("the window (instead: {other:?})"))),
        }
    }

    /// Asks until the answer is the one expected, for what may be a moment old.
    async fn soon<T: PartialEq + std::fmt::Debug, F: Future<Output = Result<T, Fault>>>(
        &self,
        expected: T,
        ask: impl Fn() -> F,
        name: &str,
    ) -> Result<(), Fault> {
        let mut answer = ask().await?;
        for _ in 0..200 {
            if answer == expected {
                break;
            }
            answer = ask().await?;
        }
        assert_eq!(answer, expected, "{name}");
        Ok(())
    }
}

/// A claim of `session` at its time on `window`, as one who saw the stamp `seen`. The window's
/// slots are taken over.
fn window_claim(session: &Session, seen: Option<&str>, window: &RateWindow) -> WindowClaim {
    let mut after = window.clone();
    after.stamp = session.id.to_string();
    after.slots.insert(session.id.clone(), session.created_at);
    WindowClaim {
        seen: seen.map(str::to_owned),
        cutoff: session.created_at.minus_seconds(60),
        after,
        forgotten_at: session.created_at.plus_seconds(60),
    }
}

/// The session after a start that ECS refused: everything is given back.
fn refunded(session: &Session, now: Timestamp) -> Session {
    ended(session, EndReason::NoCapacity, now)
}

fn ended(session: &Session, reason: EndReason, now: Timestamp) -> Session {
    let after = session.ended(reason, now);
    assert!(after.is_ok(), "a session that lives can end");
    after.unwrap_or_else(|_| session.clone())
}

fn gone(what: &str) -> Fault {
    Fault {
        kind: FaultKind::Corrupt,
        what: "contract",
        detail: format!("{what} is not there"),
    }
}

/// Runs all of them at once and waits for all; the outputs stand in the order of the futures.
async fn together<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures
        .into_iter()
        .map(|future| (Box::pin(future), None))
        .collect();
    poll_fn(move |context| {
        for (future, output) in &mut running {
            if output.is_none()
                && let Poll::Ready(value) = future.as_mut().poll(context)
            {
                *output = Some(value);
            }
        }
        if running.iter().any(|(_, output)| output.is_none()) {
            return Poll::Pending;
        }
        Poll::Ready(
            running
                .iter_mut()
                .filter_map(|(_, output)| output.take())
                .collect(),
        )
    })
    .await
}

/// How many of the answers are this one.
fn quota<T: PartialEq>(answers: &[Result<T, Fault>], wanted: &T) -> usize {
    answers
        .iter()
        .filter(|answer| answer.as_ref() == Ok(wanted))
        .count()
}
