//! Owns every text that DynamoDB sees: attribute names, key texts, conditions and changes. Must not
//! know how they are sent.
//!
//! No attribute used in an expression is one of DynamoDB's reserved words, so none needs an alias.

use casting_core::hook::HookId;
use casting_core::ids::{CastId, CastKey};
use casting_core::time::Timestamp;

// Attributes that are keys of a table or an index, or that expressions name. The rows spell them as
// fields; a test holds the two together.
pub const ID: &str = "id";
pub const KIND: &str = "kind";
pub const CAST_KEY: &str = "cast_key";
pub const CAST_ID: &str = "cast_id";
pub const CREATED_AT: &str = "created_at";
pub const DUE: &str = "due";
pub const DUE_AT: &str = "due_at";
pub const OWNER_ID: &str = "owner_id";
pub const LINK: &str = "link";
pub const HOUR_CODE: &str = "hour_code";
pub const EXPIRES_AT: &str = "expires_at";
pub const NAME_SORT: &str = "name_sort";
pub const TARGET: &str = "target";
pub const WAITS_IN: &str = "waits_in";
pub const SEND: &str = "send";
/// The options of a session's viewer.
pub const OPTIONS: &str = "viewing";

// Indexes.
pub const BY_KEY: &str = "by-key";
pub const BY_DUE: &str = "by-due";
/// Casts by name, and by when they were made; the rows beside them have neither.
pub const BY_NAME: &str = "by-name";
pub const BY_MADE: &str = "by-made";
/// Refusals of all links by hour.
pub const BY_HOUR: &str = "by-hour";
/// Audit entries by the thing that they tell of.
pub const BY_TARGET: &str = "by-target";
/// Sessions of users who have logged in.
pub const BY_OWNER: &str = "by-owner";
/// Sessions that wait in a pool for their visitors.
pub const BY_POOL: &str = "by-pool";
/// All rows of a kind, in order; the rows beside them (such as claims to keys) have no kind.
pub const BY_KIND: &str = "by-kind";

// Kinds.
pub const CAST: &str = "cast";
pub const SESSION: &str = "session";
/// Sessions that no visitor was ever given; no claims.
pub const STAGED: &str = "staged";
pub const WORD: &str = "word";
pub const REFUSAL: &str = "refusal";
pub const AUDIT: &str = "audit";
/// A value of `due`: sessions that live, which the sweep must look at. One whose task is not known
/// yet, since its claim, is in no schedule.
pub const OPEN: &str = "open";
/// A value of `due`: sessions that have ended and whose anonymous user is yet to be forgotten.
pub const FORGET: &str = "forget";
/// A value of `due`: deliveries to hooks that are yet to be sent.
pub const TO_SEND: &str = "send";
/// A value of `send`, which only deliveries have that are due since they were written: the stream
/// reports them.
pub const NOW: &str = "now";
/// The link of the hours of all links together.
pub const ALL_LINKS: &str = "*";
/// The link of refusals for keys that no cast has.
pub const NO_LINK: &str = "-";

/// Sorts behind the refusals of every hour, and before the hours.
pub const LAST_REFUSAL: &str = ":";
/// At most so many samples are kept in one hourly row of refusals.
pub const MAX_SAMPLES: usize = 20;
/// How long refusals are kept, in seconds (90 days).
pub const REFUSALS_SECONDS: i64 = 90 * 86_400;

// Conditions.
pub const IS_NEW: &str = "attribute_not_exists(id)";
pub const IS_VERSION: &str = "version = :version";
/// Of a cast's own row, in which an earlier version counted.
pub const IS_VERSION_AND_REMAINING: &str = "version = :version AND remaining = :seen";
/// Of a counter, as it was seen.
pub const IS_VERSION_AND_COUNTER: &str =
    "version = :version AND remaining = :seen AND NOT parted > :parted";
/// Of a counter.
pub const IS_VERSION_AND_FITS: &str =
    "version = :version AND remaining BETWEEN :least AND :most AND NOT parted > :parted";
/// Of a counter: it was neither split nor made whole since. A counter that never was has no such
/// attribute.
pub const IS_NOT_PARTED_SINCE: &str = "NOT parted > :parted";
/// Of a counter.
pub const CAN_BE_SPLIT: &str = "version = :version AND counter_epoch = :epoch AND \
                                remaining >= :moved AND NOT parted > :parted";
/// Of a counter.
pub const IS_PARTED: &str = "parted = :parted";
/// Of a counter.
pub const IS_EPOCH_AND_PARTED: &str = "counter_epoch = :epoch AND parted = :parted";
/// Of a shard that is not closed.
pub const IS_BEHIND: &str = "version < :after AND version > :closed";
/// Of a cast's own row, in which an earlier version counted.
pub const IS_CONFIG_AS_READ: &str =
    "version = :version AND counter_epoch = :epoch AND remaining = :seen";
/// Of a counter.
pub const IS_COUNTER_AS_READ: &str =
    "version = :read_version AND counter_epoch = :read_epoch AND remaining = :read_remaining";
pub const IS_REV: &str = "rev = :rev";
pub const LEADS_TO: &str = "leads_to = :session";
pub const HAS_PLACE: &str = "version = :version AND counter_epoch = :epoch AND remaining > :zero";
pub const IS_EPOCH: &str = "counter_epoch = :epoch";
pub const KEY_IS_OURS: &str = "attribute_not_exists(id) OR cast_id = :cast";
pub const WINDOW_IS_IDLE: &str = "attribute_not_exists(id) OR newest_at <= :cutoff";
/// An IP window, or a waiting room.
pub const IS_AS_SEEN: &str = "stamp = :seen";
pub const HAS_SLOT: &str = "attribute_exists(slots.#session)";
pub const BUCKET_IS_TAKEN: &str = "buckets.#bucket >= :one";
pub const PLACE_IS_THERE: &str = "places.#place.seen_at > :gone";
pub const TALLY_HAS_ROOM: &str =
    "attribute_not_exists(id) OR (taken <= :room AND attribute_not_exists(sealed))";
pub const TALLY_IS_COMPLETE_AND_HAS_ROOM: &str = "counted_since >= :since AND taken <= :room";
pub const TALLY_IS_OLDER: &str = "attribute_not_exists(counted_since) OR counted_since < :since";
pub const TALLY_IS_TAKEN: &str = "taken >= :amount";
pub const IS_BEFORE: &str = "attribute_not_exists(id) OR scheduled_until < :until";
pub const TURN_IS_AHEAD: &str = "last_turn > :now";
pub const TURN_IS_PAST: &str = "attribute_not_exists(id) OR last_turn <= :now";
pub const SAMPLES_FIT: &str = "attribute_not_exists(samples) OR size(samples) <= :room";

// Changes.
pub const TAKE_PLACE: &str = "SET remaining = remaining - :one";
pub const GIVE_PLACE: &str = "ADD remaining :one";
pub const GIVE_SLOT: &str = "REMOVE slots.#session SET stamp = :stamp";
pub const GIVE_TO_BUCKET: &str = "SET buckets.#bucket = buckets.#bucket - :one, stamp = :stamp";
pub const TOUCH_PLACE: &str = "SET places.#place.seen_at = :now";
pub const TAKE_TALLY: &str = "SET taken = if_not_exists(taken, :zero) + :amount";
pub const TAKE_TALLY_FOR_A_TIME: &str =
    "SET taken = if_not_exists(taken, :zero) + :amount, expires_at = :expires";
pub const COMPLETE_TALLY: &str = "SET counted_since = :since, taken = if_not_exists(taken, :zero)";
pub const OPEN_TALLY: &str = "SET opened_at = if_not_exists(opened_at, :now), \
                              taken = if_not_exists(taken, :zero)";
pub const CLOSE_TALLY: &str = "SET sealed = :one, taken = if_not_exists(taken, :zero)";
pub const GIVE_TALLY: &str = "SET taken = taken - :amount";
pub const SET_CONFIG: &str = "SET cast_key = :key, version = :after, settings = :settings, \
                              updated_at = :updated, name_sort = :name";
/// What an earlier version counts in the row is void.
pub const SET_CONFIG_AND_EPOCH: &str = "SET cast_key = :key, version = :after, settings = :settings, updated_at = :updated, name_sort = :name, \
     counter_epoch = :epoch, remaining = :remaining";
/// Of a cast's own row, in which an earlier version counted.
pub const SET_REMAINING: &str = "SET remaining = :remaining";
/// Of a counter: claims that move it meanwhile stay counted.
pub const SET_VERSION: &str = "SET version = :after";
pub const SET_VERSION_AND_ADD: &str = "SET version = :after, remaining = remaining + :added";
pub const SET_COUNTER: &str =
    "SET version = :after, remaining = :remaining, counter_epoch = :epoch";
pub const SPLIT: &str = "SET remaining = remaining - :moved, parted = :next";
pub const SET_SHARD: &str = "SET version = :version, remaining = :remaining, \
                             counter_epoch = :epoch, parted = :parted";
pub const MAKE_WHOLE: &str = "SET parted = :next";
pub const COLLECT: &str = "SET remaining = remaining + :sum, parted = :next";
pub const CLOSE_SHARD: &str = "SET version = :closed, remaining = :closed";
pub const SET_LISTED: &str = "SET rev = :next, listed_until = :until, planned = :planned, \
                              batches = :batches, referenced_after = :referenced";
pub const SET_SCHEDULED: &str = "SET scheduled_until = :until";
pub const NEXT_TURN: &str = "SET last_turn = last_turn + :interval";
pub const FIRST_TURN: &str = "SET last_turn = :first";
pub const COUNT: &str = "SET expires_at = :expires, kind = :kind ADD refused :count";
pub const COUNT_AND_SAMPLE: &str = "SET expires_at = :expires, kind = :kind, samples = list_append(if_not_exists(samples, :none), \
     :samples) ADD refused :count";

// Which rows of an index.
pub const OF_KEY: &str = "cast_key = :key";
pub const OF_KIND: &str = "kind = :kind";
pub const OF_OWNER: &str = "owner_id = :owner";
pub const OF_KIND_SINCE: &str = "kind = :kind AND created_at BETWEEN :since AND :until";
pub const OF_OWNER_SINCE: &str = "owner_id = :owner AND created_at BETWEEN :since AND :until";
pub const OF_KIND_NAMED: &str = "kind = :kind AND name_sort = :name";
pub const OF_KIND_FROM: &str = "kind = :kind AND begins_with(id, :from)";
pub const OF_POOL: &str = "waits_in = :pool";
pub const OF_TARGET: &str = "target = :target";
pub const OF_DUE: &str = "due = :due";
pub const DUE_UNTIL: &str = "due = :due AND due_at <= :now";
pub const REFUSED_SINCE: &str = "link = :link AND hour_code BETWEEN :since AND :end";
pub const OF_LINK: &str = "link = :link";
pub const OF_HOURS: &str = "link = :link AND hour_code BETWEEN :since AND :until";
pub const REFUSED_BETWEEN: &str = "kind = :kind AND hour_code BETWEEN :since AND :until";

// Which rows of these.
pub const ID_BEGINS: &str = "begins_with(id, :from)";

/// The id of the row that claims a key for one cast; no cast's id looks like it.
pub fn key_claim(key: &CastKey) -> String {
    format!("KEY#{key}")
}

/// The id of the row of a cast's counter.
pub fn counter(cast: &CastId) -> String {
    format!("COUNTER#{cast}")
}

/// The id of a shard of it.
pub fn shard(cast: &CastId, shard: u64) -> String {
    format!("COUNTER#{cast}#{shard}")
}

/// The id of an IP window's row.
pub fn window(key: &str) -> String {
    format!("WINDOW#{key}")
}

/// The base of the numbers that buckets are named by: in letters and digits they are short enough for
/// a window of 64 buckets to fit into one unit.
const BUCKET_BASE: u32 = 36;

/// The name of a bucket of an IP window: its end.
pub fn bucket(end: Timestamp) -> String {
    let base = u64::from(BUCKET_BASE);
    let (mut left, mut name) = (end.millis().unsigned_abs(), Vec::new());
    while left > 0 || name.is_empty() {
        let digit = u32::try_from(left % base).unwrap_or_default();
        name.extend(char::from_digit(digit, BUCKET_BASE));
        left /= base;
    }
    name.into_iter().rev().collect()
}

/// The end of the bucket with this name.
pub fn read_bucket(name: &str) -> Option<Timestamp> {
    let millis = i64::from_str_radix(name, BUCKET_BASE).ok()?;
    Some(Timestamp::from_millis(millis))
}

/// The id of a waiting room's row.
pub fn room(cast: &CastId) -> String {
    format!("ROOM#{cast}")
}

/// The id of a count's row.
pub fn quota(key: &str) -> String {
    format!("TALLY#{key}")
}

/// The id of the row that says until when claims are in the schedule.
pub const SCHEDULE: &str = "SCHEDULE";

/// The id of the row that says until when claims are listed by link.
pub const LISTED: &str = "LISTED";

/// The id of the row that gives out the turns of queued starts.
pub const STARTS: &str = "STARTS";

/// The id of the row of a delivery to a hook.
pub fn delivery(id: &str) -> String {
    format!("HOOK#{id}")
}

/// The delivery of such an id.
pub fn read_delivery(id: &str) -> Option<&str> {
    id.strip_prefix("HOOK#")
}

/// The kind of the deliveries to a hook.
pub fn of_hook(hook: &HookId) -> String {
    format!("HOOK#{hook}")
}

/// The id of the row that says that a proof has been used.
pub fn proof(id: &str) -> String {
    format!("PROOF#{id}")
}

/// The partition of a cast's refusals.
pub fn link(cast: Option<&CastId>) -> String {
    cast.map_or_else(|| NO_LINK.to_owned(), ToString::to_string)
}

/// The partition of references that begin with this letter, or of those of small batches; no link
/// is called so.
pub fn references(letter: &str) -> String {
    format!("REFERENCES#{letter}")
}

/// What the id of every word that begins like this begins with.
pub fn word_prefix(word: &str) -> String {
    format!("WORD#{word}")
}

/// The id of the row by which a cast is found by this word.
pub fn word(word: &str, cast: &CastId) -> String {
    format!("WORD#{word}#{cast}")
}

/// Word and cast of such an id.
pub fn read_word(id: &str) -> Option<(&str, CastId)> {
    let (word, cast) = id.strip_prefix("WORD#")?.rsplit_once('#')?;
    Some((word, CastId::parse(cast)?))
}

/// The id of the row that says what was asked for under an idempotency key.
pub fn request(key: &str) -> String {
    format!("REQUEST#{key}")
}

/// The partition of the hours of a cast, or of all.
pub fn hours_of(cast: Option<&CastId>) -> String {
    cast.map_or_else(|| ALL_LINKS.to_owned(), ToString::to_string)
}

/// Sorts the parts of batches of a link's claims by the batches' ends, behind all refusals and before
/// the hours.
pub fn batch_part(end: Timestamp, part: usize) -> String {
    format!("C{:015}#{part:04}", end.millis().max(0))
}

/// Sorts behind the last part of the batch with this end.
pub fn batch_last(end: Timestamp) -> String {
    format!("C{:015}#~", end.millis().max(0))
}

/// The end of the batch of such a sort key.
pub fn read_batch(text: &str) -> Option<Timestamp> {
    let (millis, _) = text.strip_prefix('C')?.split_once('#')?;
    Some(Timestamp::from_millis(millis.parse().ok()?))
}

/// Sorts hours behind all refusals.
pub fn hour_mark(hour: i64) -> String {
    format!("S{}", hour_prefix(hour))
}

/// The hour of such a sort key.
pub fn read_hour_mark(text: &str) -> Option<i64> {
    text.strip_prefix('S')?.parse().ok()
}

/// Sorts refusals by hour, then by code.
pub fn hour_code(hour: i64, code: &str) -> String {
    format!("{}#{code}", hour_prefix(hour))
}

/// What every sort key of an hour begins with; sorts as text like the hours as numbers.
pub fn hour_prefix(hour: i64) -> String {
    format!("{:012}", hour.max(0))
}

/// Hour and code of a sort key.
pub fn read_hour_code(text: &str) -> Option<(i64, &str)> {
    let (hour, code) = text.split_once('#')?;
    Some((hour.parse().ok()?, code))
}
