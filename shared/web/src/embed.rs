//! Owns how a link is put into another site's page: the lines of HTML that its administrator copies. Must not know who shows them.
//!
//! What stands in the frame is the link's own page. A session opens in a window of its own: in another site's frame browsers keep its cookies
//! away, and many apps refuse to be framed. So the frame may open windows and send forms, and gets no camera, clipboard or full screen.

use casting_core::cast::CastSettings;
use casting_core::urls;

/// Scripts and forms, as any page of ours; that it keeps its own origin, because a form of an unknown sender is refused; and windows that are
/// not held to these same limits.
const SANDBOX: &str =
    "allow-scripts allow-forms allow-same-origin allow-popups allow-popups-to-escape-sandbox";

/// The lines for a page of one of the sites that the link is restricted to; `None` when it lists none, because then nobody may frame it.
/// `public_url` is our own origin, and `name` says to those who cannot see it what the frame is.
pub fn snippet(settings: &CastSettings, name: &str, public_url: &str) -> Option<String> {
    if settings.referrers.is_empty() {
        return None;
    }
    let (url, name) = (
        escape(&format!("{public_url}{}", urls::cast(&settings.key))),
        escape(settings.title.as_deref().unwrap_or(name)),
    );
    // The site's own policy may keep referrers to itself; the link asks for one, and the origin is enough.
    Some(format!(
        "<iframe src=\"{url}\" title=\"{name}\" sandbox=\"{SANDBOX}\" allow=\"\" referrerpolicy=\"origin\" loading=\"lazy\" \
         width=\"480\" height=\"420\" style=\"border:0;max-width:100%\"></iframe>"
    ))
}

fn escape(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut escaped, c| {
            match c {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '"' => escaped.push_str("&quot;"),
                c => escaped.push(c),
            }
            escaped
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use casting_core::referrer::ReferrerRule;
    use casting_core::testing::cast;

    #[test]
    fn only_listed_sites_may_embed_a_link() {
        let mut settings = cast(1).settings;
        assert_eq!(
            snippet(&settings, "Paint", "https://cast.example.com"),
            None,
            "nobody may frame it"
        );
        settings.referrers = vec![ReferrerRule::parse("acme.com").expect("a host")];
        insta::assert_snapshot!(snippet(&settings, "Paint <&> \"Draw\"", "https://cast.example.com").expect("a snippet"), @r#"<iframe src="https://cast.example.com/cast/wg7ndnwnxuz2qpp6wwvolf64ra" title="Paint &lt;&amp;&gt; &quot;Draw&quot;" sandbox="allow-scripts allow-forms allow-same-origin allow-popups allow-popups-to-escape-sandbox" allow="" referrerpolicy="origin" loading="lazy" width="480" height="420" style="border:0;max-width:100%"></iframe>"#);
        settings.title = Some("Try it".into());
        let titled = snippet(&settings, "Paint", "https://cast.example.com").expect("a snippet");
        assert!(
            titled.contains(" title=\"Try it\"") && !titled.contains("Paint"),
            "{titled}"
        );
    }
}
