//! Owns persistent profiles from end to end: what a user writes in one session is there in the
//! next, in real gates, through real signed requests to an S3 endpoint; and what becomes of it when
//! something is cut off.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use casting_core::ids::SessionId;
use casting_core::persistent_profile::{PersistentProfile, ProfileId};
use casting_core::ports::Stored;
use casting_core::session::EndReason;
use casting_core::testing::user;
use casting_core::ticket::LoginTicket;
use casting_core::user::User;
use casting_tests::inside::Inside;
use casting_tests::processes::{soon, with_environment};
use futures_util::{SinkExt, StreamExt};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::test_stack::{Answer, TestStack};

/// A visitor, logged in or not.
struct Person<'a> {
    stack: &'a TestStack,
    cookie: String,
}

/// A session of theirs.
struct Visit<'a> {
    stack: &'a TestStack,
    id: String,
    token: String,
}

impl<'a> Person<'a> {
    fn logged_in(stack: &'a TestStack, user: User) -> Self {
        let expires = casting_core::time::Clock::now(&*stack.clock).plus_seconds(3600);
        let ticket = LoginTicket { user, expires }.sign(&stack.local.control_plane.keys);
        Self {
            stack,
            cookie: format!("cast-login={ticket}"),
        }
    }

    const fn nobody(stack: &'a TestStack) -> Self {
        Self {
            stack,
            cookie: String::new(),
        }
    }

    async fn claim(&self, key: &str) -> Answer {
        let ask = |method, path: String| {
            self.stack
                .request(method, &path)
                .header("cookie", &self.cookie)
        };
        let described = Answer::of(ask(Method::GET, format!("/api/casts/{key}"))).await;
        if described.status != 200 {
            return described;
        }
        let document = json!({"ticket": described.json()["ticket"]});
        Answer::of(ask(Method::POST, format!("/cast/{key}/claims")).json(&document)).await
    }

    /// The page that a browser shows of the link.
    async fn page(&self, key: &str) -> Answer {
        let request = self.stack.request(Method::GET, &format!("/cast/{key}"));
        let request = request.header("accept", "text/html");
        Answer::of(request.header("cookie", &self.cookie)).await
    }

    /// Starts a session and waits until it is ready.
    async fn enter(&self, key: &str) -> Visit<'a> {
        let claimed = self.claim(key).await;
        assert!(
            (200..300).contains(&claimed.status),
            "{} {}",
            claimed.status,
            claimed.text
        );
        let text = |name: &str| claimed.json()[name].as_str().expect("a text").to_owned();
        let visit = Visit {
            stack: self.stack,
            id: text("session_id"),
            token: text("session_token"),
        };
        assert!(
            soon(async || visit.status().await["state"] == "ready").await,
            "{}",
            visit.status().await
        );
        visit
    }
}

impl Visit<'_> {
    async fn ask(&self, method: Method, path: &str) -> Answer {
        Answer::of(
            self.stack
                .request(method, &format!("/session/{}{path}", self.id))
                .bearer_auth(&self.token),
        )
        .await
    }

    async fn status(&self) -> Value {
        self.ask(Method::GET, "/status").await.json()
    }

    async fn ledger(&self) -> Value {
        self.stack
            .admin(Method::GET, &format!("sessions/{}", self.id), None)
            .await
            .json()
    }

    async fn inside(&self) -> Inside {
        let entrance = self.ask(Method::GET, "/enter").await;
        let (http, url) = (&self.stack.http, &self.stack.local.url);
        Inside::enter(http, url, entrance.header("location")).await
    }

    /// The page around the app.
    async fn viewer_page(&self) -> String {
        let (http, url) = (&self.stack.http, &self.stack.local.url);
        let page = self.inside().await.get(http, url, "/.cast/").await;
        page.text().await.expect("text")
    }

    /// What stands on the demo app's pad; then writes something else on it, if asked to.
    async fn pad(&self, write: Option<&str>) -> String {
        let stack = &self.stack.local;
        let app = self.inside().await.app;
        let mut request = format!("ws://{}/ws", stack.address)
            .into_client_request()
            .expect("a request");
        for (name, value) in [
            ("host", app.host.clone()),
            ("cookie", app.cookie),
            ("origin", format!("http://{}", app.host)),
        ] {
            request
                .headers_mut()
                .insert(name, value.parse().expect("a header"));
        }
        let (mut socket, _) = tokio_tungstenite::connect_async(request)
            .await
            .expect("a WebSocket");
        let before = hear(&mut socket, "hello").await;
        if let Some(text) = write {
            let edit = json!({"base": 0, "text": text}).to_string();
            socket.send(Message::text(edit)).await.expect("sends");
            // Sent to every window once it is saved.
            assert_eq!(hear(&mut socket, "pad").await, text);
        }
        before
    }

    /// Waits until it is over, by the ledger and on this machine.
    async fn over(&self) -> Value {
        assert!(
            soon(async || self.ledger().await["state"] == "ended").await,
            "{}",
            self.ledger().await
        );
        assert!(
            soon(async || with_environment(&self.id).is_empty()).await,
            "nothing of it is left running"
        );
        self.ledger().await
    }

    fn process(&self, word: &str) -> Pid {
        let is_it = |id: &u32| {
            let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(line.split(|byte| *byte == 0).next().unwrap_or_default())
                .ends_with(word)
        };
        let id = with_environment(&self.id)
            .into_iter()
            .find(is_it)
            .expect("it runs");
        Pid::from_raw(i32::try_from(id).expect("a process id"))
    }

    /// Where the session keeps its files on this machine: its gate knows, and the app has another
    /// name for it.
    fn folder(&self) -> PathBuf {
        let id = self.process("gate");
        let environment = std::fs::read(format!("/proc/{id}/environ")).expect("an environment");
        let told = environment
            .split(|byte| *byte == 0)
            .find_map(|line| line.strip_prefix(b"CAST_PROFILE_PATH="));
        PathBuf::from(String::from_utf8(told.expect("a folder").to_vec()).expect("text"))
    }
}

/// What the next message of this kind says.
async fn hear<S: StreamExt<Item = Result<Message, Error>> + Unpin>(
    socket: &mut S,
    is: &str,
) -> String {
    loop {
        let text = socket
            .next()
            .await
            .expect("a message")
            .expect("a message")
            .into_text()
            .expect("text");
        let heard: Value = serde_json::from_str(&text).expect("JSON");
        if heard["is"] == is {
            break heard["text"].as_str().expect("a text").to_owned();
        }
    }
}

async fn profiles(stack: &TestStack, user: &User) -> Vec<Value> {
    let answer = stack
        .admin(Method::GET, &format!("users/{}/profiles", user.id), None)
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["items"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn profile_persists_for_its_user_only() {
    let stack = TestStack::with_processes().await;
    let (ann, bob) = (
        Person::logged_in(&stack, user(1)),
        Person::logged_in(&stack, user(2)),
    );
    let first = ann.enter("my-files").await;
    assert_eq!(first.pad(Some("Ann was here")).await, "");
    std::fs::create_dir_all(first.folder().join(".cache"))
        .and(std::fs::write(first.folder().join(".cache/x"), "x"))
        .expect("a cache");

    let second = ann.claim("my-files").await;
    assert_eq!(
        (second.status, second.code().as_str()),
        (409, "profile-busy"),
        "one session with one profile at a time"
    );
    let page = ann.page("my-files").await;
    assert_eq!(page.status, 409, "{}", page.text);
    for text in [
        format!("href=\"/session/{}\">Go to that session", first.id),
        format!("action=\"/session/{}/end\"", first.id),
        "value=\"/cast/my-files\"".to_owned(),
    ] {
        assert!(page.text.contains(&text), "{text}: {}", page.text);
    }
    let of_bob = bob.enter("my-files").await;
    assert_eq!(of_bob.pad(None).await, "", "Bob has a profile of his own");
    let anonymous = Person::nobody(&stack).enter("welcome").await;
    assert!(
        !anonymous.process("demo-app").to_string().is_empty()
            && anonymous.status().await["state"] == "ready"
    );
    assert_eq!(anonymous.pad(Some("nobody")).await, "");
    for (session, said) in [
        (&first, "Your files are kept"),
        (&anonymous, "Everything in it is deleted"),
    ] {
        let page = session.viewer_page().await;
        assert!(page.contains(said), "{page}");
    }

    // The owner ends it; then it ends by a signal, as when a machine is taken back or a time limit
    // is reached.
    assert!(first.ask(Method::POST, "/end").await.status < 400);
    let ended = first.over().await;
    assert_eq!(
        (ended["notes"].clone(), ended["reason"].clone()),
        (json!(["profile-saved"]), json!("ended-by-owner"))
    );
    // For a moment it is remembered that the profile was taken.
    stack.clock.advance(10);
    let again = ann.enter("my-files").await;
    assert!(
        !again.folder().join(".cache").exists(),
        "caches are left out"
    );
    assert_eq!(again.pad(Some("Ann was here twice")).await, "Ann was here");
    kill(again.process("gate"), Signal::SIGTERM).expect("asked to end");
    assert_eq!(again.over().await["notes"], json!(["profile-saved"]));
    let third = ann.enter("my-files").await;
    assert_eq!(third.pad(None).await, "Ann was here twice");

    let kept = profiles(&stack, &user(1)).await;
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0]["current"]["session_id"], json!(again.id));
    assert_eq!(kept[0]["older"].as_array().map(Vec::len), Some(1));
    anonymous.ask(Method::POST, "/end").await;
    anonymous.over().await;
    let ids: Vec<Value> = profiles(&stack, &user(2))
        .await
        .into_iter()
        .map(|profile| profile["current"].clone())
        .collect();
    assert_eq!(
        ids,
        [Value::Null],
        "Bob has saved nothing yet, and nobody anonymous has a profile"
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn killed_gate_keeps_the_old_profile_app_exit_saves() {
    let stack = TestStack::with_processes().await;
    let ann = Person::logged_in(&stack, user(1));
    let first = ann.enter("my-files").await;
    first.pad(Some("kept")).await;
    kill(first.process("demo-app"), Signal::SIGTERM).expect("the app ends by itself");
    assert_eq!(first.over().await["notes"], json!(["profile-saved"]));

    let torn = ann.enter("my-files").await;
    assert_eq!(torn.pad(Some("lost")).await, "kept");
    // It says what it is about to send, as it does at its end, and sends half of it. Then it is
    // killed.
    let id = SessionId::parse(&torn.id).expect("an id");
    let secret = stack.local.control_plane.keys.sessions().secret(&id);
    let report = async |document: Value| {
        let path = format!("/session/{}/profile", torn.id);
        Answer::of(
            stack
                .request(Method::POST, &path)
                .bearer_auth(secret.expose())
                .json(&document),
        )
        .await
    };
    let sum = "0".repeat(64);
    let upload = report(json!({"is": "save", "bytes": 100, "sha256": sum}))
        .await
        .json()["upload"]
        .clone();
    let mut put = stack
        .http
        .put(upload["url"].as_str().expect("a URL"))
        .body("x".repeat(50));
    for (name, value) in upload["headers"]
        .as_object()
        .expect("headers")
        .iter()
        .filter(|(name, _)| *name != "content-length")
    {
        put = put.header(name, value.as_str().expect("a text"));
    }
    assert!(
        !put.send().await.expect("an answer").status().is_success(),
        "another archive than was announced is not taken"
    );
    assert_eq!(
        report(json!({"is": "saved", "bytes": 100, "sha256": sum}))
            .await
            .status,
        422,
        "what is not whole does not count"
    );
    let stranger = stack
        .request(Method::POST, &format!("/session/{}/profile", torn.id))
        .bearer_auth("guess")
        .json(&json!({"is": "restore"}));
    assert_eq!(Answer::of(stranger).await.status, 403);
    kill(torn.process("gate"), Signal::SIGKILL).expect("killed");
    torn.over().await;
    assert_eq!(
        report(json!({"is": "saved", "bytes": 100, "sha256": sum}))
            .await
            .status,
        410,
        "too late"
    );

    let next = ann.enter("my-files").await;
    assert_eq!(next.pad(Some("larger")).await, "kept");
    assert_eq!(profiles(&stack, &user(1)).await[0]["older"], json!([]));

    // The same with a gate that is killed while it really sends.
    let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..))
        .take(48 << 20)
        .collect();
    std::fs::write(next.folder().join("noise"), noise).expect("a large file");
    let gate = next.process("gate");
    kill(gate, Signal::SIGTERM).expect("asked to end");
    let id = ProfileId::parse(
        profiles(&stack, &user(1)).await[0]["id"]
            .as_str()
            .expect("an id"),
    )
    .expect("an id");
    let record = async || -> PersistentProfile {
        stack
            .local
            .control_plane
            .store
            .record(id.as_str())
            .await
            .expect("reads")
            .expect("is there")
    };
    let coming = loop {
        if let Some(coming) = record().await.coming {
            break coming;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    kill(gate, Signal::SIGKILL).expect("killed");
    next.over().await;
    let files = stack
        .local
        .control_plane
        .profiles
        .clone()
        .expect("a bucket");
    let whole = Stored {
        bytes: coming.bytes,
        sha256: Some(coming.sha256.clone()),
    };
    let arrived = files
        .stat(&record().await.key(&coming))
        .await
        .expect("answers")
        == Some(whole);
    let last = ann.enter("my-files").await;
    let taken = record()
        .await
        .current
        .is_some_and(|current| current.sha256 == coming.sha256);
    assert!(
        taken || !arrived,
        "what has arrived whole by the time that somebody comes counts"
    );
    assert_eq!(
        last.pad(None).await,
        if taken { "larger" } else { "kept" },
        "and nothing else does"
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn failed_restore_starts_nothing_and_keeps_the_profile() {
    let stack = TestStack::with_processes().await;
    let ann = Person::logged_in(&stack, user(1));
    let first = ann.enter("my-files").await;
    first.pad(Some("kept")).await;
    first.ask(Method::POST, "/end").await;
    first.over().await;
    // An administrator takes the archive away under the record.
    let profile = profiles(&stack, &user(1)).await.remove(0);
    let key = format!(
        "profiles/{}/{}/{}",
        user(1).id,
        profile["image_id"].as_str().expect("an id"),
        profile["current"]["name"].as_str().expect("a name")
    );
    let files = stack
        .local
        .control_plane
        .profiles
        .clone()
        .expect("a bucket");
    files.delete(&key).await.expect("deletes");
    let claimed = ann.claim("my-files").await.json();
    let id = claimed["session_id"]
        .as_str()
        .expect("a session")
        .to_owned();
    let token = claimed["session_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let visit = Visit {
        stack: &stack,
        id,
        token,
    };
    let over = visit.over().await;
    let status = visit.status().await;
    assert_eq!(
        (&status["reason"], &status["denial"]),
        (
            &json!("profile-not-restored"),
            &json!("profile-unavailable")
        )
    );
    assert_eq!(
        (over["reason"].clone(), over["notes"].clone()),
        (json!(EndReason::ProfileNotRestored.as_str()), json!([]))
    );
    assert_eq!(
        profiles(&stack, &user(1)).await[0]["current"],
        profile["current"],
        "the record still names what was saved"
    );
    stack.local.stop().await;
}

#[tokio::test]
async fn oversized_profile_is_not_saved_and_reported() {
    let stack = TestStack::with_processes().await;
    let images = stack.admin(Method::GET, "images", None).await.json();
    let keeps = |image: &&Value| image["name"] == "Demo app, with your own files";
    let image = images["items"]
        .as_array()
        .and_then(|images| images.iter().find(keeps))
        .expect("an image that keeps files");
    let image = image["id"].as_str().expect("an id");
    let changed = stack
        .admin(
            Method::PATCH,
            &format!("images/{image}"),
            Some(&json!({"profile_max_mib": 1})),
        )
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let ann = Person::logged_in(&stack, user(1));
    let first = ann.enter("my-files").await;
    first.pad(Some("kept")).await;
    first.ask(Method::POST, "/end").await;
    first.over().await;
    let second = ann.enter("my-files").await;
    let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..))
        .take(2 << 20)
        .collect();
    std::fs::write(second.folder().join("noise"), noise).expect("a large file");
    second.pad(Some("too much")).await;
    second.ask(Method::POST, "/end").await;
    assert_eq!(second.over().await["notes"], json!(["profile-too-large"]));
    let third = ann.enter("my-files").await;
    assert_eq!(third.pad(None).await, "kept");
    stack.local.stop().await;
}

#[tokio::test]
async fn administrators_manage_profiles_and_anonymising_deletes() {
    let stack = TestStack::with_processes().await;
    let ann = Person::logged_in(&stack, user(1));
    for text in ["one", "two"] {
        let visit = ann.enter("my-files").await;
        visit.pad(Some(text)).await;
        stack.clock.advance(1);
        visit.ask(Method::POST, "/end").await;
        visit.over().await;
    }
    let profile = profiles(&stack, &user(1)).await.remove(0);
    let path = format!("profiles/{}", profile["id"].as_str().expect("an id"));
    let restore = async |name: &Value| {
        stack
            .admin(
                Method::POST,
                &format!("{path}/restore"),
                Some(&json!({"archive": name})),
            )
            .await
    };
    let older = profile["older"][0]["name"].clone();
    let visit = ann.enter("my-files").await;
    assert_eq!(
        restore(&older).await.status,
        409,
        "while a session has it, it would be replaced at the end"
    );
    assert_eq!(stack.admin(Method::DELETE, &path, None).await.status, 409);
    visit.ask(Method::POST, "/end").await;
    visit.over().await;
    assert_eq!(restore(&json!("nothing")).await.status, 404);
    stack.clock.advance(1);
    let restored = restore(&older).await;
    assert_eq!(
        (restored.status, &restored.json()["current"]["name"]),
        (200, &older),
        "{}",
        restored.text
    );
    let visit = ann.enter("my-files").await;
    assert_eq!(visit.pad(None).await, "one");
    visit.ask(Method::POST, "/end").await;
    visit.over().await;

    let audit = stack
        .admin(
            Method::GET,
            &format!("audit?target={}", profile["id"].as_str().expect("an id")),
            None,
        )
        .await
        .json();
    assert_eq!(
        (&audit["items"][0]["action"], &audit["items"][0]["noun"]),
        (&json!("changed"), &json!("profile")),
        "{audit}"
    );
    let files = stack
        .local
        .control_plane
        .profiles
        .clone()
        .expect("a bucket");
    let key = |name: &Value| {
        format!(
            "profiles/{}/{}/{}",
            user(1).id,
            profile["image_id"].as_str().expect("an id"),
            name.as_str().expect("a name")
        )
    };
    assert!(files.stat(&key(&older)).await.expect("answers").is_some());
    // No login has left a record of this user, so one is written as a login does.
    let record =
        casting_core::profile::Profile::after_login(None, &user(1), casting_core::testing::NOON);
    stack
        .local
        .control_plane
        .store
        .put_record(&record, None, None)
        .await
        .expect("writes");
    let forgotten = stack
        .admin(Method::DELETE, &format!("users/{}", user(1).id), None)
        .await;
    assert_eq!(forgotten.status, 204, "{}", forgotten.text);
    assert_eq!(profiles(&stack, &user(1)).await.len(), 0);
    assert!(
        files.stat(&key(&older)).await.expect("answers").is_none(),
        "nothing of theirs is left"
    );
    stack.local.stop().await;
}

/// What the app of the next test does with the user's folder: it sets the time of the folder
/// itself, as `cp -p` of a home does, shows what it finds, and leaves files that are its own alone.
const KEEPING: &str = "cd /home/app && /busybox touch -d @1000000000 . || exit 4
/busybox mkdir /tmp/www
/busybox find . -type f -exec /busybox stat -c '%n %a %u:%g' {} + | /busybox sort > /tmp/www/found
/busybox stat -c '%Y' . > /tmp/www/time
umask 077; /busybox mkdir -p .ssh; echo key > .ssh/key; echo run > tool; /busybox chmod 400 .ssh/key; /busybox chmod 755 tool
exec /busybox httpd -f -p 8080 -h /tmp/www";

#[tokio::test]
async fn profile_in_a_container_keeps_owners_and_modes() {
    let Some(engine) = casting_tests::engine::without_firewall() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::copy("/bin/busybox", folder.path().join("busybox")).expect("busybox-static");
    let tmp = folder.path().join("tmp");
    std::fs::create_dir(&tmp).expect("a folder");
    std::fs::set_permissions(&tmp, Permissions::from_mode(0o1777)).expect("is ours");
    let name = "casting-test-home:1";
    assert!(engine.import(folder.path(), "USER 1000:1000", name));
    let stack = TestStack::with_containers(Some(engine.socket().to_owned())).await;
    let image = json!({
        "name": "Home", "container_image": name, "command": ["/busybox", "sh", "-c", KEEPING], "port": 8080,
        "cpu": 256, "memory": 512, "profile_path": "/home/app",
    });
    let image = stack.admin(Method::POST, "images", Some(&image)).await;
    assert_eq!(image.status, 201, "{}", image.text);
    let cast = json!({"name": "Home", "key": "a-home-of-ones-own", "image_id": image.json()["id"], "allow_anonymous": false});
    let cast = stack.admin(Method::POST, "casts", Some(&cast)).await;
    assert_eq!(cast.status, 201, "{}", cast.text);
    let ann = Person::logged_in(&stack, user(1));
    let kept = "./.ssh/key 400 1000:1000\n./tool 755 1000:1000\n";
    for (name, found) in [("first", ""), ("second", kept), ("third", kept)] {
        let visit = ann.enter("a-home-of-ones-own").await;
        let inside = visit.inside().await;
        let read = async |path: &str| {
            let reply = inside.get(&stack.http, &stack.local.url, path).await;
            reply.text().await.expect("text")
        };
        assert_eq!(read("/found").await, found, "{name}");
        assert_eq!(read("/time").await, "1000000000\n", "{name}");
        assert!(visit.ask(Method::POST, "/end").await.status < 400);
        let mut ledger = visit.ledger().await;
        for _ in 0..3 {
            soon(async || {
                ledger = visit.ledger().await;
                ledger["state"] == "ended"
            })
            .await;
        }
        assert_eq!(
            ledger["notes"],
            json!(["profile-saved"]),
            "{name}: {ledger}"
        );
    }
}
