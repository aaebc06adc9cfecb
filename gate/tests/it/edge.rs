//! How a visitor comes in: the ticket in the address becomes a cookie of the session's own origin,
//! once.

use casting_protocol::session_options::ViewOnly;

use crate::stage::{CONTROL, Stage, UNLISTED, told_by_edge};

#[tokio::test]
async fn entry_url_is_exchanged_for_a_cookie() {
    for (template, secure, name, prefixed) in [
        ("{session}.localhost", false, "cast-session", false),
        ("{session}.localhost", true, "__Host-cast-session", false),
        ("localhost/s/{session}", false, "cast-session", true),
    ] {
        let stage = Stage::new(template, secure).await;
        let prefix = if prefixed {
            format!("/s/{}", stage.session)
        } else {
            String::new()
        };
        let ticket = stage.ticket(1);
        stage.clock.advance(10);
        let entry = stage.entry(&ticket);
        let reply = stage
            .request("GET", &format!("{prefix}/.cast/enter?ticket={entry}"))
            .send()
            .await
            .expect("an answer");
        let header = |name: &str| reply.headers()[name].to_str().expect("text").to_owned();
        assert_eq!(
            (reply.status().as_u16(), header("location")),
            (303, format!("{prefix}/.cast/")),
            "{template}"
        );
        assert_eq!(
            (header("referrer-policy"), header("cache-control")),
            ("no-referrer".into(), "no-store".into())
        );
        let flags = if secure {
            "HttpOnly; SameSite=Lax; Secure"
        } else {
            "HttpOnly; SameSite=Lax"
        };
        assert_eq!(
            header("set-cookie"),
            format!("{name}={ticket}; Path={prefix}/; Max-Age=50; {flags}")
        );
        let https_only = reply.headers().get("strict-transport-security");
        assert_eq!(https_only.is_some(), secure, "{template}");
        let reply = stage
            .request("GET", &format!("{prefix}/seen"))
            .header(
                "cookie",
                format!(
                    "{name}={}",
                    stage.ticket_at(&format!("{prefix}/seen"), &ticket)
                ),
            )
            .send()
            .await
            .expect("an answer");
        let seen = reply.text().await.expect("text");
        assert!(
            seen.contains(if secure {
                "x-forwarded-proto: https"
            } else {
                "x-forwarded-proto: http"
            }),
            "{seen}"
        );
        assert_eq!(
            stage.reached(),
            1,
            "only the second request reached the app"
        );
    }
}

#[tokio::test]
async fn ticket_opens_only_its_own_session() {
    let stage = Stage::by_name().await;
    for (name, path, status) in [
        ("no ticket", "/.cast/enter".to_owned(), 403),
        (
            "another session's",
            format!("/.cast/enter?ticket={}", stage.entry(&stage.ticket(2))),
            403,
        ),
        (
            "two tickets",
            format!(
                "/.cast/enter?ticket={0}&ticket={0}",
                stage.entry(&stage.ticket(1))
            ),
            403,
        ),
        (
            "another path of ours",
            format!("/.cast/else?ticket={}", stage.entry(&stage.ticket(1))),
            403,
        ),
        (
            "the ticket that a cookie holds",
            format!("/.cast/enter?ticket={}", stage.ticket(1)),
            403,
        ),
        (
            "an altered one",
            format!("/.cast/enter?ticket={}A", stage.entry(&stage.ticket(1))),
            403,
        ),
        (
            "to a port at which no gate is",
            format!(
                "/.cast/enter?ticket={}",
                stage.entry(&stage.ticket_to(1, UNLISTED))
            ),
            410,
        ),
        ("a probe", "/.cast/health".to_owned(), 204),
    ] {
        let reply = stage.request("GET", &path).send().await.expect("an answer");
        assert_eq!(reply.status().as_u16(), status, "{name}");
        assert!(!reply.headers().contains_key("set-cookie"), "{name}");
    }
    let reply = stage
        .asks("GET", "/seen")
        .header("host", "localhost")
        .send()
        .await
        .expect("an answer");
    assert_eq!(reply.status().as_u16(), 404, "a host without a session");
    assert_eq!(stage.reached(), 0);
}

#[tokio::test]
async fn entry_url_works_once_and_before_it_expires() {
    let stage = Stage::by_name().await;
    stage.share(ViewOnly::Rfb, 1);
    let (owner, watcher) = (stage.ticket(1), stage.watcher("ada", 1));
    for (name, draw, ticket, after, status) in [
        ("the first", "a", &owner, 0, 303),
        ("a copy", "a", &owner, 0, 410),
        ("another address", "b", &owner, 0, 303),
        ("a watcher's", "a", &watcher, 0, 303),
        ("a copy of it", "a", &watcher, 0, 410),
        ("in the last second", "c", &owner, 29, 303),
        ("too late", "d", &owner, 1, 410),
    ] {
        stage.clock.advance(after);
        let entry = stage.entry_by(draw, ticket);
        let reply = stage
            .request("GET", &format!("/.cast/enter?ticket={entry}"))
            .header("accept", "text/html")
            .send()
            .await
            .expect("an answer");
        let cookie = reply.headers().contains_key("set-cookie");
        assert_eq!(
            (reply.status().as_u16(), cookie),
            (status, status == 303),
            "{name}"
        );
        if status == 410 {
            let page = reply.text().await.expect("text");
            assert!(page.contains("has been used"), "{name}: {page}");
            let own = format!("href=\"{CONTROL}/session/{}\"", stage.session);
            assert_eq!(page.contains(&own), ticket == &owner, "{name}: {page}");
        }
    }
    assert_eq!(stage.reached(), 0);
}

#[tokio::test]
async fn concurrent_entries_admit_exactly_one() {
    let stage = Stage::by_name().await;
    let path = format!("/.cast/enter?ticket={}", stage.entry(&stage.ticket(1)));
    let ask = async || {
        let reply = stage.request("GET", &path).send().await;
        reply.expect("an answer").status().as_u16()
    };
    let (a, b, c, d) = tokio::join!(ask(), ask(), ask(), ask());
    let mut answers = [a, b, c, d];
    answers.sort_unstable();
    assert_eq!(answers, [303, 410, 410, 410]);
}

#[tokio::test]
async fn edge_headers_sent_by_visitors_are_dropped() {
    let stage = Stage::by_name().await;
    let watcher = stage.watcher("ada", 1);
    stage.share(ViewOnly::Requests, 1);
    let owner = told_by_edge(&stage.keys.secret(&stage.session), &stage.ticket(1));
    // Even with the edge's own headers, a viewer stays a viewer.
    for (name, headers) in [
        ("told again", owner.clone()),
        ("in part", {
            let mut part = owner;
            part.remove("x-cast-edge-proof");
            part
        }),
    ] {
        let reply = stage
            .request("GET", "/seen")
            .header("cookie", stage.cookie("/seen", &watcher))
            .headers(headers.clone())
            .send()
            .await
            .expect("an answer");
        let seen = reply.text().await.expect("text");
        assert!(seen.contains("x-cast-role: viewer"), "{name}: {seen}");
        assert!(!seen.contains("x-cast-edge"), "{name}: {seen}");
        let reply = stage.request("GET", "/seen").headers(headers).send().await;
        assert_eq!(reply.expect("an answer").status().as_u16(), 403, "{name}");
    }
    // A good address with a cookie of the visitor's making gives the edge's cookie alone.
    let entry = stage.entry(&stage.ticket(1));
    let reply = stage
        .request("GET", &format!("/.cast/enter?ticket={entry}"))
        .header("x-cast-edge-cookie", "planted=1")
        .header("x-cast-edge-entry", "another.9999999999999")
        .send()
        .await
        .expect("an answer");
    let cookies: Vec<_> = reply.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies.len(), 1);
    assert!(
        cookies[0]
            .to_str()
            .expect("text")
            .starts_with("cast-session=v1.")
    );
}
