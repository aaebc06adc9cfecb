//! Owns the one page of the demo app, and the policy that keeps anything else from running in it.
//! Must not know where its values come from.

use std::sync::{PoisonError, RwLock};

use askama::Template;
use casting_core::language::Language;
use casting_words::{Demo, Words};
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

    /// The page as it is now, in this language.
    ///
    /// # Errors
    /// Never in practice: the template has been checked at compile time and writes to memory.
    pub fn render(&self, now: &Status, language: Language) -> askama::Result<String> {
        let given = self.given.read().unwrap_or_else(PoisonError::into_inner);
        Markup {
            given: &given,
            link: link(&given),
            left: now.left,
            language,
            words: Words::of(language).demo(),
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
<html lang="{{ language.tag() }}" dir="{{ language.direction() }}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{ given.image.as_deref().unwrap_or(words.title) }}</title>
<link rel="icon" href="data:,">
<style>{{ style|safe }}</style>
</head>
<body>
<header>
  <p class="cast" dir="auto">{{ given.image.as_deref().unwrap_or(words.name) }}</p>
  <p class="state"><span class="dot" aria-hidden="true"></span><span id="status" role="status" aria-live="polite" data-live="{{ words.connected }}" data-again="{{ words.reconnecting }}" data-lost="{{ words.disconnected }}">{{ words.connecting }}</span></p>
</header>
<main>
  <section class="hello" aria-labelledby="title">
    <div>
      <h1 id="title">{{ words.heading }}</h1>
      <p>{{ words.about }}</p>
      {%- if let Some(url) = link %}
      <a class="button" id="kasm-url" href="{{ url }}" target="_blank" rel="noopener noreferrer"><span class="go">{{ words.open }} </span><span class="url" dir="ltr">{{ url }}</span></a>
      {%- endif %}
    </div>
    <div class="clock">
      <p class="label" id="left-label">{{ words.time_left }}</p>
      <p class="left" id="time-left" aria-labelledby="left-label"{% if let Some(left) = left %} data-left="{{ left }}"{% endif %}>{{ countdown() }}</p>
      <svg class="bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true"><rect id="bar" width="100" height="1"/></svg>
    </div>
  </section>
  <noscript><p class="note">{{ words.needs_script }}</p></noscript>
  <div class="columns">
    <section class="card" aria-labelledby="pad-title">
      <h2 id="pad-title"><label for="pad">{{ words.pad }}</label></h2>
      <p class="soft" id="pad-about">{{ words.pad_about }}</p>
      <textarea id="pad" rows="11" maxlength="20000" spellcheck="false" autocomplete="off" aria-describedby="pad-about pad-note" placeholder="{{ words.pad_empty }}" disabled></textarea>
      <p class="soft small" id="pad-note" data-shared="{{ words.pad_shared }}" data-full="{{ words.pad_full }}" data-kept="{{ words.pad_kept }}">&nbsp;</p>
    </section>
    <div class="side">
      <section class="card" aria-labelledby="live-title">
        <h2 id="live-title">{{ words.now }}</h2>
        <dl class="figures">
          <div><dt>{{ words.clock }}</dt><dd id="tick">&ndash;</dd></div>
          <div><dt>{{ words.windows }}</dt><dd id="windows">&ndash;</dd></div>
          <div><dt>{{ words.uptime }}</dt><dd id="uptime">&ndash;</dd></div>
        </dl>
      </section>
      <section class="card" aria-labelledby="given-title">
        <h2 id="given-title">{{ words.details }}</h2>
        <dl class="given">
          <div><dt>{{ words.user }}</dt><dd id="user" dir="auto">{{ self.said(given.user) }}</dd></div>
          <div><dt>{{ words.image }}</dt><dd id="image" dir="auto">{{ self.said(given.image) }}</dd></div>
          <div><dt>{{ words.network }}</dt><dd id="network" dir="auto">{{ self.said(given.network) }}</dd></div>
          <div><dt>{{ words.session }}</dt><dd class="mono" id="session" dir="auto">{{ self.said(given.session) }}</dd></div>
          {%- if link.is_none() %}
          <div><dt>{{ words.address }}</dt><dd dir="auto">{{ self.said(given.url) }}</dd></div>
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
    language: Language,
    words: &'static Demo,
    style: &'static str,
    script: &'static str,
}

impl Markup<'_> {
    /// A value, or that nothing was said.
    fn said<'a>(&self, value: &'a Option<String>) -> &'a str {
        value.as_deref().unwrap_or(self.words.not_set)
    }

    /// The time left as the script goes on to write it.
    fn countdown(&self) -> String {
        let Some(left) = self.left else {
            return self.words.no_limit.to_owned();
        };
        let (hours, minutes, seconds) = (left / 3600, left / 60 % 60, left % 60);
        if hours > 0 {
            format!("{hours}:{minutes:02}:{seconds:02}")
        } else {
            format!("{minutes}:{seconds:02}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(given: Given, left: Option<u64>) -> String {
        render_in(Language::English, given, left)
    }

    fn render_in(language: Language, given: Given, left: Option<u64>) -> String {
        let now = Status {
            clock: 0,
            windows: 0,
            uptime: 0,
            left,
        };
        Page::new(given).render(&now, language).expect("a page")
    }

    #[test]
    fn demo_page_is_said_in_each_language() {
        for language in Language::ALL {
            let html = render_in(language, Given::default(), None);
            let words = Words::of(language).demo();
            let root = format!(
                "<html lang=\"{}\" dir=\"{}\">",
                language.tag(),
                language.direction()
            );
            for text in [
                &root,
                words.heading,
                words.pad_empty,
                words.no_limit,
                words.not_set,
            ] {
                assert!(html.contains(text), "{language:?}: {text}: {html}");
            }
        }
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
