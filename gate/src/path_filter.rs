//! Owns the paths of an app that need a permission, for apps that cannot be configured by their
//! environment. Must not know who asks.
//!
//! Session images of the kasmweb family serve the session's downloads under `/Downloads` whatever
//! their configuration.

/// Where those images serve files from.
const DOWNLOADS: &str = "downloads";

/// Whether this path leads to the session's files. It is read as servers read it: percent signs
/// decoded, dots and doubled slashes resolved, and, to be on the safe side, whatever its case.
pub fn leads_to_downloads(path: &str) -> bool {
    leads_to(path, DOWNLOADS)
}

/// Whether this path leads below `folder`, however it is written.
pub fn leads_to(path: &str, folder: &str) -> bool {
    resolve(path).is_none_or(|segments| {
        let first = segments.first().map(String::as_str).unwrap_or_default();
        first.eq_ignore_ascii_case(folder)
    })
}

/// Whether this path begins with `beginning`, however it is written. The beginning need not end
/// where a folder's name does: a web server that shows a folder under `/files` may find its files
/// under `/filesname` too.
pub fn begins_with(path: &str, beginning: &str) -> bool {
    resolve(path).is_none_or(|segments| {
        let path = format!("/{}", segments.join("/")).to_ascii_lowercase();
        path.starts_with(
            beginning
                .trim_end_matches('/')
                .to_ascii_lowercase()
                .as_str(),
        )
    })
}

/// The parts of a path, as servers read it; `None` when it is ambiguous. An encoded question mark
/// is part of a name, so what stands behind it counts; a name also ends there, and where C and
/// Java servers end it.
fn resolve(path: &str) -> Option<Vec<String>> {
    let decoded = decode_fully(path)?.replace('\\', "/");
    let mut segments: Vec<&str> = Vec::new();
    for segment in decoded.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            name => segments.push(name),
        }
    }
    let name = |segment: &str| {
        let end = segment.find(['?', '#', ';', '\0']);
        // Parsers of URLs leave these out.
        segment[..end.unwrap_or(segment.len())].replace(['\t', '\n', '\r'], "")
    };
    Some(segments.into_iter().map(name).collect())
}

/// Whether this path may leave the folder that it names, however it is written.
pub fn climbs(path: &str) -> bool {
    let Some(decoded) = decode_fully(path) else {
        return true;
    };
    decoded.contains(['\\', '\0']) || decoded.split('/').any(|segment| segment == "..")
}

/// The path, percent-decoded until nothing changes, at most four times, so that no server behind us
/// decodes further than we did; `None` when a round is not UTF-8.
fn decode_fully(path: &str) -> Option<String> {
    let mut decoded = path.to_owned();
    for _ in 0..4 {
        let next = decode(&decoded)?;
        if next == decoded {
            break;
        }
        decoded = next;
    }
    Some(decoded)
}

/// One round of percent-decoding; `None` when the result is not UTF-8.
fn decode(path: &str) -> Option<String> {
    let mut bytes = path.bytes();
    let mut decoded = Vec::with_capacity(path.len());
    while let Some(byte) = bytes.next() {
        let mut rest = bytes.clone();
        let digits = [rest.next(), rest.next()]
            .map(|digit| digit.and_then(|digit| char::from(digit).to_digit(16)));
        match (byte, digits) {
            (b'%', [Some(high), Some(low)]) => {
                decoded.push((high * 16 + low) as u8);
                bytes = rest;
            }
            _ => decoded.push(byte),
        }
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn climbing_paths_are_known_in_every_spelling() {
        for (path, climbs_up) in [
            ("/api/files/..", true),
            ("/api/files/../tokens", true),
            ("/api/files/%2e%2e/tokens", true),
            ("/api/files/%252e%252e/tokens", true),
            ("/api/files/%2e./tokens", true),
            ("/api/files/..%2ftokens", true),
            ("/api/files/..%5ctokens", true),
            ("/api/files/%ff", true),
            ("/api/files/a..b", false),
            ("/api/files/a%20b.txt", false),
        ] {
            assert_eq!(climbs(path), climbs_up, "{path}");
        }
    }

    #[test]
    fn paths_of_files_are_known_by_their_beginning() {
        for (path, beginning, found) in [
            ("/files", "/files", true),
            ("/files/a.txt", "/files", true),
            ("/filesa.txt", "/files", true),
            ("/files../config", "/files", true),
            ("/FILES/a.txt", "/files", true),
            ("/%66iles/a.txt", "/files/", true),
            ("//files", "/files", true),
            ("/x/../files", "/files", true),
            ("/%ff", "/files", true),
            ("/my/files/a.txt", "/files", false),
            ("/", "/files", false),
            ("/file", "/files", false),
            ("/my/files/a.txt", "/my/files", true),
            ("/my//files", "/my/files", true),
            ("/my", "/my/files", false),
        ] {
            assert_eq!(begins_with(path, beginning), found, "{path}");
        }
    }

    #[test]
    fn download_paths_are_blocked_in_every_spelling() {
        for (path, found) in [
            ("/Downloads", true),
            ("/Downloads/", true),
            ("/Downloads/a.txt", true),
            ("/downloads/a.txt", true),
            ("//Downloads/a.txt", true),
            ("/./Downloads/a.txt", true),
            ("/x/../Downloads/a.txt", true),
            ("/%44ownloads/a.txt", true),
            ("/%2544ownloads/a.txt", true),
            ("/x/%2e%2e/Downloads/a.txt", true),
            ("/x%2f..%2fDownloads/a.txt", true),
            ("/\\Downloads/a.txt", true),
            ("/x%3f/../Downloads/a.txt", true),
            ("/x%23/../Downloads/a.txt", true),
            ("/x%253F/%2e%2e/Downloads/a.txt", true),
            ("/Downloads%3fa", true),
            ("/Downloads;a=b/a.txt", true),
            ("/Downloads%00/a.txt", true),
            ("/Down%09loads/a.txt", true),
            ("/../../Downloads", true),
            ("/", false),
            ("/index.html", false),
            ("/Downloads.html", false),
            ("/app/Downloads/a.txt", false),
            ("/api/downloads", false),
        ] {
            assert_eq!(leads_to_downloads(path), found, "{path}");
        }
    }
}
