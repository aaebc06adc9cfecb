//! Owns the client for programs in Rust: its types held to the OpenAPI document, its methods to a
//! real program, and the example of `docs/api.md` run.

use std::time::Duration;

use casting_client::types::{
    Accepted, Cast, Devtools, NewCast, Offer, Page, SessionRecord, State, Status,
};
use casting_client::{Client, Problem};
use casting_tests::binaries;
use casting_tests::program::Program;
use reqwest::Method;
use serde::de::value::Error as NoValue;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value, json};
use tokio::process::Command;

const MANUAL: &str = include_str!("../../docs/api.md");
const EXAMPLE: &str = include_str!("../../shared/client/examples/claim.rs");

/// Notes which fields a struct reads.
struct Noted<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Noted<'_> {
    type Error = NoValue;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, NoValue> {
        Err(NoValue::custom("no struct"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, NoValue> {
        *self.0 = fields;
        Err(NoValue::custom("noted"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The fields that this type reads.
fn fields_of<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut fields: &[&str] = &[];
    assert!(T::deserialize(Noted(&mut fields)).is_err());
    fields
}

#[tokio::test]
async fn types_of_the_client_are_those_of_the_document() {
    let program = Program::start(["--memory", "--port", "0"])
        .await
        .expect("starts");
    let client = Client::new(&program.url).expect("an address");
    let document: Value = client
        .admin("")
        .ask(Method::GET, &["openapi.json"], None)
        .await
        .expect("a document");
    let schemas = &document["components"]["schemas"];
    for (name, fields) in [
        ("Description", fields_of::<Offer>()),
        ("Accepted", fields_of::<Accepted>()),
        ("Status", fields_of::<Status>()),
        ("Devtools", fields_of::<Devtools>()),
        ("Casts", fields_of::<Page<Cast>>()),
        ("Cast", fields_of::<Cast>()),
        ("Session", fields_of::<SessionRecord>()),
        ("Problem", fields_of::<Problem>()),
    ] {
        let known = schemas[name]["properties"].as_object().expect(name);
        let unknown: Vec<_> = fields
            .iter()
            .filter(|field| !known.contains_key(**field))
            .collect();
        assert!(
            unknown.is_empty() && !fields.is_empty(),
            "{name}: {unknown:?}"
        );
    }
    let states: Vec<State> =
        serde_json::from_value(schemas["Status"]["properties"]["state"]["enum"].clone())
            .expect("every state is known");
    assert_eq!(states.len(), 5);
}

#[tokio::test]
async fn client_makes_a_link_and_claims_its_session() {
    let program = Program::start(["--memory", "--port", "0"])
        .await
        .expect("starts");
    let client = Client::new(&program.url).expect("an address");
    let admin = client.admin(&program.key);
    let images: Page<Value> = admin
        .ask(Method::GET, &["images"], None)
        .await
        .expect("images");
    let image = images
        .items
        .iter()
        .find(|image| image["name"] == "Demo app");
    let image = image.expect("the demo")["id"].as_str().expect("an id");
    let new = NewCast::new("Once", image)
        .with("limit_total_sessions", true)
        .with("sessions_remaining", 1)
        .with("allow_anonymous", true);
    let cast = admin.make_cast(&new).await.expect("is made");
    assert_eq!(
        (cast.name.as_str(), cast.sessions_remaining),
        ("Once", Some(1))
    );

    let session = client.claim(&cast.key).await.expect("a session");
    let status = session.ready(Duration::from_secs(60)).await.expect("ready");
    assert!(status.enter_url.is_some() && status.devtools_url.is_none());
    let refused = client
        .claim(&cast.key)
        .await
        .expect_err("the last one is taken");
    let problem = refused.problem().expect("a refusal");
    assert_eq!(
        (problem.code.as_str(), problem.status),
        ("no-sessions-left", 410)
    );
    assert!(
        problem.reference.is_some() && !problem.detail.is_empty(),
        "{problem}"
    );
    let refused = session.devtools().await.expect_err("it has none");
    assert_eq!(
        refused.problem().expect("a refusal").code,
        "devtools-unavailable"
    );

    let seen = admin.session(session.id()).await.expect("the session");
    assert_eq!(
        (seen.state, seen.cast_name.as_str()),
        (State::Ready, "Once")
    );
    let sessions = admin.sessions(None).await.expect("a list");
    assert!(sessions.items.iter().any(|one| one.id == *session.id()));
    let over = session.end().await.expect("ends").state;
    assert!(matches!(over, State::Stopping | State::Ended), "{over:?}");

    let rename = |name: &str| Map::from_iter([("name".to_owned(), json!(name))]);
    let version = Some(cast.version);
    let change = admin.change_cast(&cast.id, rename("Twice"), version).await;
    assert_eq!(change.expect("is changed").name, "Twice");
    let stale = admin.change_cast(&cast.id, rename("Thrice"), version).await;
    let stale = stale.expect_err("it has another version");
    assert_eq!(stale.problem().expect("a refusal").code, "stale");
    assert_eq!(admin.cast(&cast.id).await.expect("is read").name, "Twice");
    admin.delete_cast(&cast.id).await.expect("is deleted");
    let gone = admin.cast(&cast.id).await.expect_err("gone");
    assert_eq!(gone.problem().map(|problem| problem.status), Some(404));
    let stranger = client.admin("k.x").casts(None).await.expect_err("no key");
    assert_eq!(stranger.problem().expect("a refusal").code, "unauthorized");
}

#[tokio::test]
async fn example_of_the_manual_in_rust_claims_a_session() {
    let (_, block) = MANUAL.split_once("```rust\n").expect("an example");
    let block = block.split("\n```").next().unwrap_or_default();
    assert_eq!(EXAMPLE.trim_end(), block, "shared/client/examples/claim.rs");
    let program = Program::start(["--memory", "--port", "0"])
        .await
        .expect("starts");
    for (link, begins) in [("welcome", "ready at http://"), ("nobody", "unknown-cast")] {
        let run = Command::new(binaries::path("examples/claim"))
            .args([&program.url, link])
            .output();
        let output = run.await.expect("runs");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.starts_with(begins), "{link}: {said}");
        assert_eq!(output.status.success(), link == "welcome", "{said}");
    }
}
