//! Owns how lists are asked for and shown: `?limit=` and `?cursor=`, and `{"items": …, "next": …}`.
//! Must not know what is listed.

use casting_core::form::{plain, whole};
use casting_core::ports::{FaultKind, Page};
use casting_core::text_format;
use casting_web::{Problem, Reply, RequestError, reply};
use http::StatusCode;
use serde_json::{Value, json};

use crate::api::query::Query;
use casting_web::HandlerError;

/// The default number of rows of a page.
const DEFAULT_LIMIT: u32 = 50;
/// How many rows a page has at most.
const MAX_LIMIT: u64 = 100;

/// Which page is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paging {
    /// Where it begins.
    pub(crate) cursor: Option<String>,
    /// How many rows it has at most.
    pub(crate) limit: u32,
}

impl Paging {
    /// Asks for `limit` and `cursor`.
    pub(crate) fn asked(query: &mut Query) -> Self {
        let limit = query.optional(
            "limit",
            "How many entries a page has at most; 50 when it is left out.",
            &whole(1..=MAX_LIMIT),
        );
        let cursor = query.optional(
            "cursor",
            "Where the page begins: `next` of the page before.",
            &plain(|| &text_format::WORD),
        );
        Self {
            cursor: cursor.filter(|cursor| !cursor.is_empty()),
            limit: limit.unwrap_or(DEFAULT_LIMIT),
        }
    }

    /// What was found. A store refuses a cursor that it has not handed out; that is the caller's
    /// mistake.
    ///
    /// # Errors
    /// 400 for such a cursor, else what was wrong otherwise.
    pub(crate) fn checked<T>(
        &self,
        found: Result<T, impl Into<HandlerError>>,
    ) -> Result<T, HandlerError> {
        found.map_err(|error| match self.cursor {
            Some(_) => of_cursor(error.into()),
            None => error.into(),
        })
    }
}

/// What went wrong with a request that has a cursor: the cursor, if the store refused it.
pub(crate) fn of_cursor(error: HandlerError) -> HandlerError {
    match error {
        HandlerError::Fault(fault) if fault.kind == FaultKind::Refused => {
            tracing::warn!(%fault, "A cursor was refused");
            Problem::new(RequestError::BadRequest)
                .detail("The cursor is not one that was handed out here.")
                .into()
        }
        error => error,
    }
}

/// A page as a document; `next` is the cursor of the page that follows, or null.
pub(crate) fn document<T>(page: &Page<T>, view: impl Fn(&T) -> Value) -> Value {
    json!({ "items": page.items.iter().map(view).collect::<Vec<_>>(), "next": page.next })
}

/// A page as an answer.
pub(crate) fn show<T>(page: &Page<T>, view: impl Fn(&T) -> Value) -> Reply {
    reply::json(StatusCode::OK, &document(page, view))
}

#[cfg(test)]
mod tests {
    use casting_core::ports::Fault;
    use casting_core::testing::SeededEntropy;
    use casting_web::{Body, RequestContext};

    use super::*;
    use crate::api::query;

    fn paging(query: &str) -> Option<(Option<String>, u32)> {
        let request = http::Request::builder()
            .uri(format!("/api/admin/casts?{query}"))
            .body(Body::Empty)
            .expect("a request");
        query::read(
            &RequestContext::parse(&request, &SeededEntropy::new(1)),
            Paging::asked,
        )
        .ok()
        .map(|paging| (paging.cursor, paging.limit))
    }

    #[test]
    fn page_is_selected_by_limit_and_cursor() {
        for (query, expected) in [
            ("", Some((None, 50))),
            ("limit=1", Some((None, 1))),
            (
                "limit=100&cursor=a%2Fb",
                Some((Some("a/b".to_owned()), 100)),
            ),
            ("cursor=", Some((None, 50))),
            ("limit=0", None),
            ("limit=101", None),
            ("limit=-1", None),
            ("limit=ten", None),
            ("limit=", None),
        ] {
            assert_eq!(paging(query), expected, "{query}");
        }
    }

    #[test]
    fn only_an_invalid_cursor_is_a_client_error() {
        let refused = || {
            Err::<Page<()>, _>(HandlerError::Fault(Fault {
                kind: FaultKind::Refused,
                what: "list",
                detail: String::new(),
            }))
        };
        let with = |cursor: Option<&str>| Paging {
            cursor: cursor.map(str::to_owned),
            limit: 1,
        };
        assert!(matches!(
            with(Some("x")).checked(refused()),
            Err(HandlerError::Problem(_))
        ));
        assert!(matches!(
            with(None).checked(refused()),
            Err(HandlerError::Fault(_))
        ));
    }
}
