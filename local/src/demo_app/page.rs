//! Owns the one page of the demo app, and the policy that keeps anything else from running in it.
//! Must not know where its values come from.

use std::sync::{PoisonError, RwLock};

use askama::Template;
use data_encoding::BASE64;
use ring::digest::{SHA256, digest};

use super::settings::Given;
use super::shared_state::Status;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The page, less what changes with time.
pub struct Page {
    given: RwLock<Given>,
    /// The Content-Security-Policy to send with it.
    pub policy: String,
}

impl Page {
    /// The page for a session that was given this.
    pub fn new(given: Given) -> Self {
        let hash = |text: &str| BASE64.encode(digest(&SHA256, text.as_bytes()).as_ref());
        let policy = format!(
            "default-src 'none'; connect-src 'self'; img-src data:; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'self'",
            hash(STYLE),
            hash(SCRIPT)
        );
        Self {
            given: RwLock::new(given),
            policy,
        }
    }

    /// From now on, this is what the session was given.
    pub fn give(&self, given: Given) {
        *self.given.write().unwrap_or_else(PoisonError::into_inner) = given;
    }

    /// The page as it is now.
    ///
    /// # Errors
    /// Never in practice: the template has been checked at compile time and writes to memory.
    pub fn render(&self, now: &Status) -> askama::Result<String> {
        let given = self.given.read().unwrap_or_else(PoisonError::into_inner);
        Markup {
            given: &given,
            link: link(&given),
            left: now.left,
            style: STYLE,
            script: SCRIPT,
        }
        .render()
    }
}

/// The URL, if a browser may be sent there by a click.
fn link(given: &Given) -> Option<&str> {
    given
        .url
        .as_deref()
        .filter(|url| url.starts_with("https://") || url.starts_with("http://"))
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{ given.image.as_deref().unwrap_or("Your session") }}</title>
<link rel="icon" href="data:,">
<style>{{ style|safe }}</style>
</head>
<body>
<header>
  <p class="cast">{{ given.image.as_deref().unwrap_or("Demo") }}</p>
  <p class="state"><span class="dot" aria-hidden="true"></span><span id="status" role="status" aria-live="polite">connecting</span></p>
</header>
<main>
  <section class="hello" aria-labelledby="title">
    <div>
      <h1 id="title">This is your own&nbsp;session.</h1>
      <p>It was started for you when you opened the link and is gone when you leave.</p>
      {%- if let Some(url) = link %}
      <a class="button" id="kasm-url" href="{{ url }}" target="_blank" rel="noopener noreferrer"><span class="go">Open </span><span class="url">{{ url }}</span></a>
      {%- endif %}
    </div>
    <div class="clock">
      <p class="label" id="left-label">Time left</p>
      <p class="left" id="time-left" aria-labelledby="left-label"{% if let Some(left) = left %} data-left="{{ left }}"{% endif %}>{{ countdown() }}</p>
      <svg class="bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true"><rect id="bar" width="100" height="1"/></svg>
    </div>
  </section>
  <noscript><p class="note">Without JavaScript the clock and the pad stand still. Everything else here is as it was when you opened the page.</p></noscript>
  <div class="columns">
    <section class="card" aria-labelledby="pad-title">
      <h2 id="pad-title"><label for="pad">Pad</label></h2>
      <p class="soft" id="pad-about">Shared by all windows of this session. Open another one and type.</p>
      <textarea id="pad" rows="11" maxlength="20000" spellcheck="false" autocomplete="off" aria-describedby="pad-about pad-note" placeholder="Write something&hellip;" disabled></textarea>
      <p class="soft small" id="pad-note">&nbsp;</p>
    </section>
    <div class="side">
      <section class="card" aria-labelledby="live-title">
        <h2 id="live-title">Live</h2>
        <dl class="figures">
          <div><dt>Clock</dt><dd id="tick">&ndash;</dd></div>
          <div><dt>Windows</dt><dd id="windows">&ndash;</dd></div>
          <div><dt>Running for</dt><dd id="uptime">&ndash;</dd></div>
        </dl>
      </section>
      <section class="card" aria-labelledby="given-title">
        <h2 id="given-title">Session details</h2>
        <dl class="given">
          <div><dt>User</dt><dd id="user">{{ self::said(given.user) }}</dd></div>
          <div><dt>Image</dt><dd id="image">{{ self::said(given.image) }}</dd></div>
          <div><dt>Network</dt><dd id="network">{{ self::said(given.network) }}</dd></div>
          <div><dt>Session</dt><dd class="mono" id="session">{{ self::said(given.session) }}</dd></div>
          {%- if link.is_none() %}
          <div><dt>Page to open</dt><dd>{{ self::said(given.url) }}</dd></div>
          {%- endif %}
        </dl>
      </section>
    </div>
  </div>
</main>
<script>{{ script|safe }}</script>
</body>
</html>
"##
)]
struct Markup<'a> {
    given: &'a Given,
    link: Option<&'a str>,
    left: Option<u64>,
    style: &'static str,
    script: &'static str,
}

impl Markup<'_> {
    /// The time left as the script goes on to write it.
    fn countdown(&self) -> String {
        let Some(left) = self.left else {
            return "no limit".to_owned();
        };
        let (hours, minutes, seconds) = (left / 3600, left / 60 % 60, left % 60);
        if hours > 0 {
            format!("{hours}:{minutes:02}:{seconds:02}")
        } else {
            format!("{minutes}:{seconds:02}")
        }
    }
}

/// A value, or that nothing was said.
fn said(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or("not set")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(given: Given, left: Option<u64>) -> String {
        Page::new(given)
            .render(&Status {
                clock: 0,
                windows: 0,
                uptime: 0,
                left,
            })
            .expect("a page")
    }

    #[test]
    fn demo_page_shows_its_settings_and_is_small() {
        let html = render(
            Given {
                url: Some("https://example.com/?a=1&b=2".into()),
                user: Some("<b>ada</b>".into()),
                image: Some("Welcome".into()),
                ..Given::default()
            },
            Some(3599),
        );
        for part in [
            "href=\"https://example.com/?a=1&#38;b=2\"",
            "&#60;b&#62;ada",
            "<title>Welcome</title>",
            ">59:59</p>",
            ">not set<",
        ] {
            assert!(html.contains(part), "{part}");
        }
        assert!(html.len() < 20_000, "{} bytes", html.len());
    }

    #[test]
    fn only_web_addresses_become_links() {
        for (url, link) in [
            ("https://a.example/", true),
            ("http://a.example/", true),
            ("javascript:alert(1)", false),
        ] {
            let html = render(
                Given {
                    url: Some(url.into()),
                    ..Given::default()
                },
                None,
            );
            assert_eq!(html.contains("id=\"kasm-url\""), link, "{url}");
        }
    }
}
