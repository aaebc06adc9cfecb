//! Owns claims as a file: CSV for spreadsheets, JSON for programs. Must not know how claims are
//! found.

use casting_core::ids::CastId;
use casting_core::ports::{Page, RefusalCount};
use casting_core::session::Session;
use casting_core::time::Timestamp;
use casting_web::Reply;
use http::HeaderValue;
use http::header::LINK;
use serde_json::Value;

use super::{Call, claims};
use crate::api::claims::Filters;
use crate::api::paging::Paging;
use crate::api::query::Query;
use crate::file;
use casting_core::admin::claims::{self as verbs, ClaimsOf};
use casting_core::admin::error::AdminError;
use casting_core::admin::sessions;
use casting_web::HandlerError;

/// Accepted claims in one file at most: what fits into one answer with room to spare. `Link: …;
/// rel="next"` says where the rest begins.
const ROWS: usize = 3000;

/// The columns, and where each stands in the claim's document.
const COLUMNS: [(&str, &str); 27] = [
    ("time", "/created_at"),
    ("outcome", "/outcome"),
    ("reference", "/reference"),
    ("reason", "/reason"),
    ("detail", "/detail"),
    ("count", ""),
    ("cast_id", "/cast_id"),
    ("cast_key", "/cast_key"),
    ("cast_name", "/cast_name"),
    ("image_name", "/image_name"),
    ("owner_kind", "/owner/kind"),
    ("owner_id", "/owner/id"),
    ("owner_name", "/owner/name"),
    ("address_hash", "/address_hash"),
    ("referrer", "/referrer"),
    ("kasm_url", "/kasm_url"),
    ("network", "/network"),
    ("ready_at", "/ready_at"),
    ("ended_at", "/ended_at"),
    ("session_id", "/id"),
    ("pool_id", "/pool/id"),
    ("pool_place", "/pool/place"),
    ("invitation_id", "/invitation/id"),
    ("invitation_name", "/invitation/name"),
    ("invitation_label", "/invitation/label"),
    ("access_tier", "/access_tier/number"),
    ("access_tier_name", "/access_tier/name"),
];

/// `/claims/export?format=csv|json`, with the filters of `/claims`.
pub(crate) async fn claims(
    call: &Call<'_>,
    (((paging, filters), cast), is_csv): (((Paging, Filters), Option<CastId>), bool),
) -> Result<Reply, HandlerError> {
    let asked = filters.of(
        cast.map_or(ClaimsOf::All, ClaimsOf::Cast),
        call.service.control_plane.clock.now(),
    );
    let mut found =
        paging.checked(verbs::list(&call.service, &asked, paging.cursor.as_deref(), 100).await)?;
    while found.accepted.items.len() < ROWS
        && let Some(next) = found.accepted.next.take()
    {
        let more = verbs::list(&call.service, &asked, Some(&next), 100).await?;
        found.accepted.items.extend(more.accepted.items);
        found.accepted.next = more.accepted.next;
    }
    let mut reply = if is_csv {
        let text = csv(&found.accepted, &found.refused)?;
        file::attachment("claims.csv", file::CSV, text)
    } else {
        let text = found.view(&call.service).to_string();
        file::attachment("claims.json", "application/json", text)
    };
    if let Some(next) = &found.accepted.next
        && let Ok(link) = HeaderValue::from_str(&format!("<?cursor={next}>; rel=\"next\""))
    {
        reply.headers_mut().insert(LINK, link);
    }
    Ok(reply)
}

/// What a file of claims is asked for; `limit` means nothing there.
pub(crate) fn asked(query: &mut Query) -> (((Paging, Filters), Option<CastId>), bool) {
    let of_all = claims::asked_of_all(query);
    (
        of_all,
        query
            .word(
                "format",
                "The type of the file; csv when it is left out.",
                &[("csv", true), ("json", false)],
            )
            .unwrap_or(true),
    )
}

fn csv(accepted: &Page<Session>, refused: &[RefusalCount]) -> Result<String, HandlerError> {
    let accepted = accepted.items.iter().map(|session| {
        let document = sessions::view(session);
        COLUMNS.map(|(name, pointer)| {
            if name == "count" {
                "1".to_owned()
            } else {
                cell(document.pointer(pointer))
            }
        })
    });
    let refused = refused
        .iter()
        .map(|row| COLUMNS.map(|(name, _)| refused_cell(row, name)));
    let heads = std::iter::once(COLUMNS.map(|(name, _)| name.to_owned()));
    file::csv(heads.chain(accepted).chain(refused))
        .ok_or_else(|| AdminError::contention("write a file").into())
}

fn refused_cell(row: &RefusalCount, column: &str) -> String {
    match column {
        "time" => Timestamp::from_millis(row.hour * 1000).to_string(),
        "outcome" => "refused".to_owned(),
        "reason" => row.code.clone(),
        "count" => row.count.to_string(),
        "reference" => row
            .samples
            .iter()
            .map(|sample| sample.reference.as_str())
            .collect::<Vec<_>>()
            .join(" "),
        "cast_id" => row
            .cast_id
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        _ => String::new(),
    }
}

/// A value as a cell.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => file::cell(text),
        Some(other) => file::cell(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use casting_core::testing::{NOON, cast, session};

    use super::*;

    #[test]
    fn every_export_column_is_a_field_of_a_claim() {
        let document = sessions::view(&session(&cast(1), 1));
        for (name, pointer) in COLUMNS.iter().filter(|(name, pointer)| {
            let is_optional = ["/pool/", "/invitation/", "/access_tier/"].iter();
            !["count", "owner_name"].contains(name)
                && !is_optional.clone().any(|part| pointer.starts_with(part))
        }) {
            assert!(document.pointer(pointer).is_some(), "{name}");
        }
    }

    #[test]
    fn export_escapes_commas_and_quotes_of_all_claims() {
        let mut served = session(&cast(1), 1);
        served.cast_name = "Spring, \u{201c}26\u{201d} \"quoted\"".into();
        let refused = RefusalCount {
            cast_id: Some(cast(1).id),
            hour: NOON.seconds(),
            code: "ip-limit".into(),
            count: 12,
            samples: Vec::new(),
        };
        let text = csv(
            &Page {
                items: vec![served],
                next: None,
            },
            &[refused],
        )
        .expect("written");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("time,outcome,reference,reason,detail,count,cast_id"));
        assert!(
            lines[1].starts_with("2026-11-23T12:00:00Z,live,")
                && lines[1].contains("\"Spring, \u{201c}26\u{201d} \"\"quoted\"\"\""),
            "{}",
            lines[1]
        );
        assert!(
            lines[2].starts_with("2026-11-23T12:00:00Z,refused,,ip-limit,,12,"),
            "{}",
            lines[2]
        );
    }
}
