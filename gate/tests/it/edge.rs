//! How a visitor comes in: the ticket in the address becomes a cookie of the session's own origin.

use crate::stage::Stage;

#[tokio::test]
async fn entering_keeps_the_ticket_and_forgets_the_address() {
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
        let reply = stage
            .request("GET", &format!("{prefix}/.cast/enter?ticket={ticket}"))
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
        let reply = stage
            .request("GET", &format!("{prefix}/seen"))
            .header("cookie", format!("{name}={ticket}"))
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
async fn a_ticket_opens_its_own_session_only() {
    let stage = Stage::by_name().await;
    for (name, path, status) in [
        ("no ticket", "/.cast/enter".to_owned(), 403),
        (
            "another session's",
            format!("/.cast/enter?ticket={}", stage.ticket(2)),
            403,
        ),
        (
            "two tickets",
            format!("/.cast/enter?ticket={0}&ticket={0}", stage.ticket(1)),
            403,
        ),
        (
            "another path of ours",
            format!("/.cast/else?ticket={}", stage.ticket(1)),
            403,
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
