//! Owns the login at a provider that others wrote and that is certified: whatever ours understands
//! of the protocol, this one does too.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use casting_identity::oidc::OidcSettings;
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use url::Url;

use crate::test_stack::{Answer, TestStack};

/// Starts the provider; npm has installed it before (`./test.sh` does).
async fn provider(issuer: &str, redirect: &str) -> Child {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("oidc_provider");
    assert!(
        folder.join("node_modules").is_dir(),
        "install the provider first: npm ci --prefix tests/oidc_provider"
    );
    let mut command = Command::new("node");
    command
        .arg("server.js")
        .args([issuer, redirect])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let mut child = command.spawn().expect("node");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let starting = async {
        while lines
            .next_line()
            .await
            .expect("can be read")
            .expect("it ended before it listened")
            != "listening"
        {}
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), starting)
        .await
        .expect("starts in time");
    // What it goes on saying must go somewhere.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    child
}

/// A browser, as far as a login needs one: it keeps cookies and follows redirects.
struct Browser<'a> {
    stack: &'a TestStack,
    cookies: BTreeMap<String, String>,
    at: Url,
}

impl Browser<'_> {
    async fn send(&mut self, request: RequestBuilder) -> Answer {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let answer = Answer::of(request.header("cookie", cookies.join("; "))).await;
        for cookie in answer.headers.get_all("set-cookie") {
            let pair = cookie
                .to_str()
                .expect("text")
                .split(';')
                .next()
                .expect("a pair")
                .to_owned();
            let (name, value) = pair.split_once('=').expect("a cookie");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    /// Follows redirects until there is a page.
    async fn follow(&mut self, mut answer: Answer) -> Answer {
        for _ in 0..12 {
            if !(300..400).contains(&answer.status) {
                return answer;
            }
            self.at = self.at.join(answer.header("location")).expect("an address");
            let request = self.stack.http.get(self.at.clone());
            answer = self.send(request).await;
        }
        answer
    }

    /// Fills in the form of a page and sends it.
    async fn submit(&mut self, page: &Answer, fields: &[(&str, &str)]) -> Answer {
        let action = page
            .text
            .split("action=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .expect("a form");
        self.at = self.at.join(action).expect("an address");
        let request = self.stack.http.post(self.at.clone()).form(fields);
        let answer = self.send(request).await;
        self.follow(answer).await
    }
}

#[tokio::test]
async fn login_works_with_a_certified_provider() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port")
        .port();
    let issuer = format!("http://localhost:{port}");
    let stack = TestStack::with_login(OidcSettings::new(issuer.clone(), "casting")).await;
    let _provider = provider(&issuer, &format!("{}/login/callback", stack.local.url)).await;
    let cast = stack.cast(&json!({"allow_anonymous": false})).await;
    let link = format!("/cast/{}", cast["key"].as_str().expect("a key"));

    let mut browser = Browser {
        stack: &stack,
        cookies: BTreeMap::new(),
        at: Url::parse(&stack.local.url).expect("a URL"),
    };
    let first = browser.send(stack.request(Method::GET, &link)).await;
    let login = browser.follow(first).await;
    assert!(
        login.status == 200 && login.text.contains("name=\"login\""),
        "{} {}",
        login.status,
        login.text
    );
    let consent = browser
        .submit(
            &login,
            &[("prompt", "login"), ("login", "ann"), ("password", "any")],
        )
        .await;
    let page = browser.submit(&consent, &[("prompt", "consent")]).await;
    assert_eq!(browser.at.path(), link, "back where it began");
    assert!(
        page.status == 200 && page.text.contains("Signed in as Ann Example"),
        "{} {}",
        page.status,
        page.text
    );
    let me = browser
        .send(
            stack
                .request(Method::GET, "/login/me")
                .header("accept", "application/json"),
        )
        .await
        .json();
    assert_eq!(
        (me["roles"].clone(), me["groups"].clone()),
        (json!(["auditor"]), json!(["Staff"]))
    );
    stack.local.stop().await;
}
