//! Owns the filter of lists without an index: it reads page after page, up to a bound, until a page
//! of matching rows is full; and what a search for words is. Must not know what is listed.

use std::future::Future;

use crate::ports::{Fault, Page};

use crate::admin::error::AdminError;

/// How many pages of the store are looked through for one page of a filtered list.
const PAGES: u32 = 6;

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

/// Whether every word of `search` stands somewhere in these texts, in whatever case.
pub fn has_words<'a>(texts: impl IntoIterator<Item = &'a str>, search: &str) -> bool {
    let texts: Vec<&str> = texts.into_iter().collect();
    let known = texts.join("\n").to_lowercase();
    let search = search.to_lowercase();
    search.split_whitespace().all(|word| known.contains(word))
}
