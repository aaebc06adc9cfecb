//! Owns the HTML snippet that embeds a link in another site's page. Must not know who shows it.
//!
//! The frame shows the link's own page. A session opens in a window of its own: in another site's
//! frame browsers withhold its cookies, and many apps refuse to be framed. So the frame may open
//! windows and submit forms, and gets no camera, clipboard or full screen.

use casting_core::cast::CastSettings;
use casting_core::urls;

/// Scripts and forms, as on any page of ours; its own origin, because a form of an opaque origin is
/// refused; and windows without these restrictions.
const SANDBOX: &str =
    "allow-scripts allow-forms allow-same-origin allow-popups allow-popups-to-escape-sandbox";

/// The snippet for one of the sites that the link is restricted to; `None` when it lists none,
/// because then no site may frame it. `public_url` is our own origin, and `name` the title of the
/// frame for screen readers.
pub fn snippet(settings: &CastSettings, name: &str, public_url: &str) -> Option<String> {
    if settings.referrers.is_empty() {
        return None;
    }
    let (url, name) = (
        escape(&format!("{public_url}{}", urls::cast(&settings.key))),
        escape(settings.title.as_deref().unwrap_or(name)),
    );
    // The site's policy may suppress referrers; the link needs one, and the origin is enough.
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
