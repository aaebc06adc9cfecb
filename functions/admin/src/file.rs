//! Owns files that are saved from lists: how a cell of a spreadsheet is written, and the
//! headers. Must not know what is listed.

use casting_web::{Reply, reply};
use http::header::CONTENT_DISPOSITION;
use http::{HeaderValue, StatusCode};

/// The type of a file with commas.
pub(crate) const CSV: &str = "text/csv; charset=utf-8";
/// The type of a plain text.
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";

/// A text as a cell. What a spreadsheet would take for a formula is marked as a text.
pub(crate) fn cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// Records of cells as a file; `None` when they cannot be written.
pub(crate) fn csv<R>(records: impl IntoIterator<Item = R>) -> Option<String>
where
    R: IntoIterator,
    R::Item: AsRef<[u8]>,
{
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in records {
        writer.write_record(record).ok()?;
    }
    String::from_utf8(writer.into_inner().ok()?).ok()
}

/// A file to be saved under this name.
pub(crate) fn attachment(name: &str, kind: &'static str, content: String) -> Reply {
    let mut reply = reply::text(StatusCode::OK, kind, content);
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        reply.headers_mut().insert(CONTENT_DISPOSITION, value);
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_cells_are_never_formulas() {
        for (text, expected) in [
            ("plain", "plain"),
            (
                "=HYPERLINK(\"https://evil.example\")",
                "'=HYPERLINK(\"https://evil.example\")",
            ),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@x", "'@x"),
            ("", ""),
        ] {
            assert_eq!(cell(text), expected);
        }
    }
}
