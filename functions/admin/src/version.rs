//! Owns the headers of versions: `If-Match` of a request, `ETag` of a response. Must not know what
//! has a version.

use casting_core::admin::version::{Precondition, tag, tag_of_cast};
use casting_core::cast::Cast;
use casting_web::{Reply, RequestContext};
use http::HeaderValue;
use http::header::{ETAG, IF_MATCH};

/// What `If-Match` demands; without it, nothing.
pub(crate) fn precondition(visit: &RequestContext) -> Precondition {
    visit
        .header(&IF_MATCH)
        .map_or(Precondition::None, Precondition::of_tags)
}

/// Adds the ETag.
pub(crate) fn set(reply: &mut Reply, version: u64) {
    set_tag(reply, &tag(version));
}

/// Adds the ETag of a cast.
pub(crate) fn set_cast(reply: &mut Reply, cast: &Cast) {
    set_tag(reply, &tag_of_cast(cast));
}

fn set_tag(reply: &mut Reply, tag: &str) {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        reply.headers_mut().insert(ETAG, tag);
    }
}
