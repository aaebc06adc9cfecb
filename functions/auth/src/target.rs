//! Owns the validation of the path that a login leads to: within this deployment only.

use casting_core::urls;
use url::Url;

/// The longest path that is carried through a login, in bytes; it travels in a cookie.
const MAX_BYTES: usize = 2400;

/// The requested path; the account page if it is not a path of this deployment.
pub(crate) fn read(to: Option<&str>) -> &str {
    to.filter(|to| is_ours(to)).unwrap_or(HOME)
}

/// Where a login leads by default.
pub(crate) const HOME: &str = urls::ACCOUNT;

fn is_ours(to: &str) -> bool {
    let plain =
        to.len() <= MAX_BYTES && to.bytes().all(|b| (0x21..=0x7e).contains(&b) && b != b'\\');
    // Parsed as browsers do, because a path can look harmless and lead elsewhere.
    let base = "https://ours.invalid";
    let stays = Url::parse(base)
        .and_then(|base| base.join(to))
        .is_ok_and(|url| url.origin().ascii_serialization() == base);
    let circles = [urls::LOGIN, urls::LOGOUT]
        .iter()
        .any(|path| to.split(['?', '#']).next() == Some(path));
    plain && to.starts_with('/') && stays && !circles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn login_redirects_only_to_own_pages() {
        let long = format!("/cast/{}", "a".repeat(MAX_BYTES));
        for (name, to, kept) in [
            (
                "a link",
                "/cast/123abc?kasm_url=https%3A%2F%2Fa.example%2F&via=v1.x.y",
                true,
            ),
            ("the console", "/admin", true),
            ("another site", "https://evil.example/", false),
            ("another site without a scheme", "//evil.example/", false),
            ("with backslashes", "/\\evil.example/", false),
            ("with a tab", "/\t/evil.example/", false),
            ("with a line break", "/a\r\nset-cookie: x", false),
            ("a script", "javascript:alert(1)", false),
            ("without a slash", "cast/123abc", false),
            ("a dot before", "./\\evil.example", false),
            ("nothing", "", false),
            ("the login itself", "/login?to=/login", false),
            ("the logout", "/logout", false),
            ("too long", long.as_str(), false),
        ] {
            assert_eq!(read(Some(to)) == to, kept, "{name}");
        }
        assert_eq!(read(None), HOME);
    }
}
