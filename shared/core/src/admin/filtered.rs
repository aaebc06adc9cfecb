//! Owns the filter of lists without an index: it reads page after page, up to a bound, until a page
//! of matching rows is full. Must not know what is listed.

use std::future::Future;

use crate::ports::{Fault, Page};

use crate::admin::error::AdminError;

/// How many pages of the store are looked through for one page of a filtered list.
const PAGES: u32 = 10;

/// A page of matching rows. It may be shorter than requested although more follow. `read` reads a
/// page that begins after a cursor.
pub async fn page<T, Read: Future<Output = Result<Page<T>, Fault>>>(
    cursor: Option<&str>,
    limit: u32,
    read: impl Fn(Option<String>, u32) -> Read,
    fits: impl Fn(&T) -> bool,
) -> Result<Page<T>, AdminError> {
    let (mut items, mut after) = (Vec::new(), cursor.map(str::to_owned));
    for _ in 0..PAGES {
        let wanted = limit - u32::try_from(items.len()).unwrap_or(limit);
        let page = read(after, wanted).await?;
        items.extend(page.items.into_iter().filter(&fits));
        after = page.next;
        if after.is_none() || items.len() >= limit as usize {
            break;
        }
    }
    Ok(Page { items, next: after })
}
