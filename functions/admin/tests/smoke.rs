//! Scratch.
#![allow(missing_docs, clippy::all, clippy::disallowed_methods, clippy::allow_attributes)]
use std::sync::Arc;
use casting_core::testing::*; use casting_core::ports::*; use casting_core::session::*;
use casting_core::{Terms};
use casting_web::{Body, Request, Reply};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn fake_ecs() -> String {
    let l = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", l.local_addr().unwrap());
    tokio::spawn(async move { loop { let (mut s, _) = l.accept().await.unwrap(); tokio::spawn(async move {
        let mut b = vec![0; 65536];
        while let Ok(n) = s.read(&mut b).await { if n == 0 {break}
            let t = String::from_utf8_lossy(&b[..n]).to_string();
            let (st, body) = if t.contains("bad/image") { ("400 Bad Request", r#"{"__type":"ClientException","message":"Container.image is bad."}"#.to_string()) }
              else if t.contains("RegisterTaskDefinition") { ("200 OK", r#"{"taskDefinition":{"taskDefinitionArn":"arn:aws:ecs:x:1:task-definition/casting-i:1"}}"#.into()) }
              else { ("200 OK", r#"{"taskArns":[],"tasks":[],"failures":[]}"#.into()) };
            s.write_all(format!("HTTP/1.1 {st}\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
        }}); }});
    url
}
fn req(m: &str, p: &str, key: &str, h: &[(&str,&str)], body: Option<Value>) -> Request {
    let mut r = http::Request::builder().method(m).uri(format!("http://localhost{p}"));
    if !key.is_empty() { r = r.header("authorization", format!("Bearer {key}")); }
    if body.is_some() { r = r.header("content-type", "application/json"); }
    for (n,v) in h { r = r.header(*n,*v); }
    r.body(body.map_or(Body::Empty, |b| Body::Text(b.to_string()))).unwrap()
}
fn show(what: &str, r: &Reply) -> Value {
    let t = std::str::from_utf8(r.body().as_ref()).unwrap();
    println!("== {what}: {} loc={:?} etag={:?} www={:?}\n{}", r.status(), r.headers().get("location"), r.headers().get("etag"), r.headers().get("www-authenticate"), &t[..t.len().min(1500)]);
    serde_json::from_str(t).unwrap_or(Value::Null)
}
#[tokio::test]
async fn smoke() {
    let db = dynoxide::Database::memory().unwrap();
    let l = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let durl = format!("http://{}", l.local_addr().unwrap());
    std::thread::spawn(move || { let l = { let s = l.into_std().unwrap(); s };
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async move {
            let _ = dynoxide::server::serve_with_shutdown(tokio::net::TcpListener::from_std(l).unwrap(), db, std::future::pending()).await; }) });
    let ecs = fake_ecs().await;
    let terms = Terms { public_url: "http://localhost:1".into(), report_url: "http://localhost:1".into(), session_url: "http://{session}.localhost:1".into() };
    let s = casting_boot::Settings::local(terms, &"A".repeat(43), &durl, &ecs, Arc::new(casting_boot::SystemClock), Arc::new(casting_boot::SystemEntropy::new())).unwrap();
    let client = casting_boot::clients::dynamodb(&s.aws, &casting_boot::http::shared_client().unwrap());
    casting_dynamo::schema::create_tables(&client, &s.tables).await.unwrap();
    let s2 = s.clone(); let c = casting_boot::build(s).unwrap();
    let (k, key) = casting_fn_admin::issue(&*c.entropy, c.clock.now(), "seed".into());
    c.store.put_api_key(&k).await.unwrap();
    let call = |m: &'static str, p: String, b: Option<Value>| { let (c, key) = (&c, key.clone()); async move { let r = casting_fn_admin::handle(c, req(m, &p, &key, &[], b)).await; (show(&format!("{m} {p}"), &r), r) } };
    println!("SIZE handle {}", std::mem::size_of_val(&casting_fn_admin::handle(&c, req("GET", "/", "", &[], None))));
    println!("SIZE end {}", std::mem::size_of_val(&c.end_as_administrator(&casting_core::ids::SessionId::from_bytes([0;16]))));
    println!("SIZE session {}", std::mem::size_of_val(&c.store.session(&casting_core::ids::SessionId::from_bytes([0;16]))));
    println!("SIZE casts {}", std::mem::size_of_val(&c.store.casts(None, 5)));
    println!("SIZE find {}", std::mem::size_of_val(&c.launcher.find(&casting_core::ids::SessionId::from_bytes([0;16]))));
    println!("SIZE sweep {}", std::mem::size_of_val(&c.sweep()));
    show("no key", &casting_fn_admin::handle(&c, req("GET", "/api/admin/casts", "", &[], None)).await);
    show("bad key", &casting_fn_admin::handle(&c, req("GET", "/api/admin/casts", &format!("{key}x"), &[], None)).await);
    show("page", &casting_fn_admin::handle(&c, req("GET", "/admin", "", &[], None)).await);
    let (img, _) = call("POST", "/api/admin/images".into(), Some(json!({"name":"App","container_image":"a/b:1","cpu":256,"memory":512}))).await;
    call("POST", "/api/admin/images".into(), Some(json!({"name":"App","container_image":"bad/image:1"}))).await;
    call("POST", "/api/admin/casts".into(), Some(json!({"name":"","image_id":"x","foo":1}))).await;
    call("POST", "/api/admin/casts".into(), Some(json!({"name":"n","image_id":casting_core::ids::ImageId::from_bytes([9;16])}))).await;
    let (cast, _) = call("POST", "/api/admin/casts".into(), Some(json!({"name":"Demo","key":"welcome","image_id":img["id"],"limit_total_sessions":true,"sessions_remaining":3}))).await;
    let cid = cast["id"].as_str().unwrap().to_owned();
    call("POST", "/api/admin/casts".into(), Some(json!({"name":"Demo2","key":"welcome","image_id":img["id"]}))).await;
    call("GET", format!("/api/admin/casts/{cid}"), None).await;
    let (back, _) = call("PATCH", format!("/api/admin/casts/{cid}"), Some(cast.clone())).await;
    assert_eq!(back, cast);
    call("PATCH", format!("/api/admin/casts/{cid}"), Some(json!({"sessions_remaining": 8, "key":"other-key"}))).await;
    show("stale", &casting_fn_admin::handle(&c, req("PATCH", &format!("/api/admin/casts/{cid}"), &key, &[("if-match","\"1\"")], Some(json!({"name":"x"})))).await);
    show("fresh", &casting_fn_admin::handle(&c, req("PATCH", &format!("/api/admin/casts/{cid}"), &key, &[("if-match","\"2\"")], Some(json!({"name":"x"})))).await);
    let now = c.clock.now();
    let row = c.store.cast(&casting_core::ids::CastId::parse(&cid).unwrap()).await.unwrap().unwrap();
    for n in 1..4 { let mut s = session(&row, n); s.created_at = now; s.charge = Charge { count: Some(row.counter.epoch), window: None };
        let r = c.store.reserve(&Reservation { session: s, cast_version: row.version, window: None }).await.unwrap(); assert!(matches!(r, Reserved::Placed), "{r:?}"); }
    let (list, _) = call("GET", format!("/api/admin/sessions?cast={cid}&limit=2"), None).await;
    call("GET", format!("/api/admin/sessions?cast={cid}&limit=2&cursor={}", list["next"].as_str().unwrap()), None).await;
    call("GET", "/api/admin/sessions?cursor=nonsense".into(), None).await;
    let sid = list["items"][0]["id"].as_str().unwrap();
    call("POST", format!("/api/admin/sessions/{sid}/stop"), None).await;
    call("GET", format!("/api/admin/casts/{cid}/claims"), None).await;
    call("DELETE", format!("/api/admin/images/{}", img["id"].as_str().unwrap()), None).await;
    call("PATCH", format!("/api/admin/images/{}", img["id"].as_str().unwrap()), Some(json!({"port":80, "container_image":"a/b:2"}))).await;
    let c: &'static _ = Box::leak(Box::new(casting_boot::build(s2).unwrap()));
    for kb in [2048usize, 1024, 768, 512, 384] {
        let (cid, key) = (cid.clone(), key.clone());
        let u = std::thread::Builder::new().stack_size(kb*1024).spawn(move || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async move {
            let r = Box::pin(casting_fn_admin::handle(c, req("DELETE", &format!("/api/admin/casts/{cid}?terminate=true"), &key, &[], None))).await;
            println!("STACK {kb} ok {}", r.status());
        })).unwrap().join();
        println!("{u:?}");
    }
    call("DELETE", format!("/api/admin/casts/{cid}?terminate=true"), None).await;
    call("GET", "/api/admin/sessions".into(), None).await;
    call("DELETE", format!("/api/admin/images/{}", img["id"].as_str().unwrap()), None).await;
    call("DELETE", format!("/api/admin/api-keys/{}", k.id), None).await;
    let (k2, _) = call("POST", "/api/admin/api-keys".into(), Some(json!({"name":"second"}))).await;
    show("with the second", &casting_fn_admin::handle(&c, req("GET", "/api/admin/api-keys", k2["key"].as_str().unwrap(), &[], None)).await);
    call("DELETE", format!("/api/admin/api-keys/{}", k2["id"].as_str().unwrap()), None).await;
    show("with the second", &casting_fn_admin::handle(&c, req("GET", "/api/admin/api-keys", k2["key"].as_str().unwrap(), &[], None)).await);
    call("PUT", format!("/api/admin/casts/{cid}"), None).await;
}
