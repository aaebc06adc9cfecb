//! Owns sessions that are real containers: on the machine's Docker engine, or on one that the tests
//! start. Skipped, with the reason on stderr, where there can be none.

use std::any::Any;
use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::Path as AxumPath;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use casting_tests::binaries;
use casting_tests::engine::{self, Engine};
use casting_tests::processes::soon;
use casting_tests::program::Program;
use nix::sys::signal::{Signal, kill};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{RwLock, RwLockReadGuard};

use crate::kills::{Visitor, enter};

/// One static program, as the package `busybox-static` brings it.
const BUSYBOX: &str = "casting-test-busybox:1";
/// The hostile app in an image, as a user who is not root.
const HOSTILE: &str = "casting-test-hostile:1";

/// Held by every test that needs the engine alive; the one that kills it waits for the others.
static ENGINE_IN_USE: RwLock<()> = RwLock::const_new(());

/// A stack with an engine that has the test's image, for as long as the engine is left alone.
struct Stack {
    program: Program,
    engine: &'static Engine,
    /// The guard of [`ENGINE_IN_USE`].
    _in_use: Box<dyn Any + Send>,
}

fn make_busybox() -> bool {
    static MADE: LazyLock<bool> = LazyLock::new(|| {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::copy("/bin/busybox", folder.path().join("busybox")).expect("busybox-static");
        engine::shared().is_some_and(|engine| engine.import(folder.path(), "ENV A=b", BUSYBOX))
    });
    *MADE
}

fn make_hostile_app() -> bool {
    static MADE: LazyLock<bool> = LazyLock::new(|| {
        let folder = tempfile::tempdir().expect("a folder");
        copy_program(&binaries::path("hostile-app"), folder.path());
        engine::shared().is_some_and(|engine| engine.import(folder.path(), "USER 1000", HOSTILE))
    });
    *MADE
}

impl Stack {
    async fn with_busybox() -> Option<Self> {
        let in_use = Box::new(ENGINE_IN_USE.read().await);
        Self::start(make_busybox, in_use).await
    }

    async fn alone_with_busybox() -> Option<Self> {
        let in_use = Box::new(ENGINE_IN_USE.write().await);
        Self::start(make_busybox, in_use).await
    }

    async fn with_hostile_app() -> Option<Self> {
        let in_use = Box::new(ENGINE_IN_USE.read().await);
        Self::start(make_hostile_app, in_use).await
    }

    async fn start(make_image: fn() -> bool, in_use: Box<dyn Any + Send>) -> Option<Self> {
        let engine = engine::shared()?;
        assert!(make_image(), "the test's image can be made");
        Some(Self {
            program: Program::start_with(engine).await.expect("starts"),
            engine,
            _in_use: in_use,
        })
    }

    /// Makes an image of these fields and an anonymous link to it, both named like its key.
    async fn link(&self, key: &str, mut image: Value) {
        image["name"] = key.into();
        image["port"] = 8080.into();
        image["cpu"] = 256.into();
        image["memory"] = 512.into();
        let image = self.make("images", image).await["id"].clone();
        let cast = json!({"name": key, "key": key, "image_id": image, "allow_anonymous": true});
        self.make("casts", cast).await;
    }

    async fn make(&self, path: &str, document: Value) -> Value {
        let request = self.program.admin(Method::POST, path).json(&document);
        let answer = request.send().await.expect("an answer");
        let (status, text) = (answer.status(), answer.text().await.expect("text"));
        assert_eq!(status, 201, "{text}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// What the engine says of a session's container, by this format.
    fn inspect(&self, session: &str, format: &str) -> String {
        let name = format!("casting-{session}");
        self.engine.says(&["inspect", "-f", format, &name])
    }

    /// Whether the engine has a container of this session, running or not.
    fn has_container(&self, session: &str) -> bool {
        let name = format!("name=casting-{session}");
        !self
            .engine
            .says(&["ps", "-aq", "--filter", &name])
            .is_empty()
    }

    async fn is_rid_of(&self, session: &str) -> bool {
        soon(async || !self.has_container(session)).await
    }

    async fn stop_session(&self, session: &str) {
        let path = format!("sessions/{session}/stop");
        let request = self.program.admin(Method::POST, &path).json(&json!({}));
        request.send().await.expect("an answer");
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.program.ask_to_end();
    }
}

/// The engine, for as long as it is left alone.
pub async fn with_engine() -> Option<(&'static Engine, RwLockReadGuard<'static, ()>)> {
    let in_use = ENGINE_IN_USE.read().await;
    Some((engine::shared()?, in_use))
}

/// Copies a program of this build with the libraries that it is linked against.
pub fn copy_program(program: &Path, root: &Path) {
    let (program, root) = (program.display(), root.display());
    let line = format!(
        "mkdir -p {root}/bin && cp {program} {root}/bin/ \
         && for library in $(ldd {program} | grep -o '/[^ ]*'); do \
              mkdir -p {root}$(dirname $library) && cp -L $library {root}$library; done"
    );
    let copied = Command::new("sh").args(["-c", &line]).status();
    assert!(copied.is_ok_and(|status| status.success()), "{program}");
}

/// A web server of the image's own files.
fn web_server() -> Value {
    json!(["/busybox", "httpd", "-f", "-p", "8080"])
}

async fn answer(request: RequestBuilder) -> Value {
    let answer = request.send().await.expect("an answer");
    answer.json().await.expect("JSON")
}

/// Claims a link; gives the session's id.
async fn claim(program: &Program, key: &str) -> String {
    let describe = format!("{}/api/casts/{key}", program.url);
    let described = answer(program.http.get(describe)).await;
    let claim = format!("{}/cast/{key}/claims", program.url);
    let claim = program.http.post(claim);
    let claimed = answer(claim.json(&json!({"ticket": described["ticket"]}))).await;
    claimed["session_id"].as_str().expect("a claim").to_owned()
}

/// A registry that has one image, of one layer.
struct Registry {
    /// Host and port.
    address: String,
    /// Of its manifest.
    digest: String,
}

impl Registry {
    async fn with_busybox() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let layer = folder.path().join("layer.tar");
        let packed = Command::new("tar")
            .arg("-cf")
            .arg(&layer)
            .args(["-C", "/bin", "busybox"])
            .status();
        assert!(packed.is_ok_and(|status| status.success()));
        let layer = std::fs::read(&layer).expect("a layer");
        let config = json!({
            "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
        });
        let config = config.to_string().into_bytes();
        let blob = |kind: &str, bytes: &[u8]| {
            let media_type = format!("application/vnd.docker.{kind}");
            json!({"mediaType": media_type, "size": bytes.len(), "digest": digest(bytes)})
        };
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": blob("container.image.v1+json", &config),
            "layers": [blob("image.rootfs.diff.tar", &layer)],
        });
        let manifest = manifest.to_string().into_bytes();
        let of_manifest = digest(&manifest);
        let blobs = [
            (of_manifest.clone(), manifest),
            (digest(&config), config),
            (digest(&layer), layer),
        ];
        let blobs = Arc::new(BTreeMap::from(blobs));
        let give = async move |AxumPath(digest): AxumPath<String>| {
            let blob = blobs.get(&digest).cloned().ok_or(StatusCode::NOT_FOUND)?;
            Ok::<_, StatusCode>(
                (
                    [
                        ("content-type", MANIFEST),
                        ("docker-content-digest", digest.as_str()),
                    ],
                    blob,
                )
                    .into_response(),
            )
        };
        let router = Router::new()
            .route("/v2/", get(async || StatusCode::OK))
            .route("/v2/busybox/manifests/{digest}", get(give.clone()))
            .route("/v2/busybox/blobs/{digest}", get(give));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            address,
            digest: of_manifest,
        }
    }
}

/// The media type of an image's manifest.
const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// The digest of these bytes, as registries write it.
fn digest(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    format!("sha256:{}", data_encoding::HEXLOWER.encode(digest.as_ref()))
}

#[tokio::test]
async fn container_ends_with_its_session() {
    let Some(stack) = Stack::with_busybox().await else {
        return;
    };
    let serve = "/busybox mkdir /www && echo \"$CAST_IMAGE:$CAST_BOOTSTRAP_TOKEN.\" > \
                 /www/index.html && exec /busybox httpd -f -p 8080 -h /www";
    let go = "echo \"$KASM_URL $PORT\" > /www/gone";
    let first_launch = json!({
        "cmd": ["/busybox", "sh", "-c", go],
        "environment": {"KASM_URL": "https://first.example/"},
    });
    let image = json!({
        "container_image": BUSYBOX, "command": ["/busybox", "sh", "-c", serve],
        "exec_config": {"first_launch": first_launch},
    });
    stack.link("boxed-link", image).await;
    let visitor = enter(&stack.program, "boxed-link").await;
    assert_eq!(
        visitor.read(&stack.program, "/index.html").await,
        (200, "boxed-link:.\n".to_owned()),
        "its own values, and not the gate's token"
    );
    let ran = soon(async || {
        visitor.read(&stack.program, "/gone").await
            == (200, "https://first.example/ 8080\n".to_owned())
    });
    assert!(ran.await, "commands run inside the container");
    assert!(stack.has_container(&visitor.session));
    stack.stop_session(&visitor.session).await;
    assert!(stack.is_rid_of(&visitor.session).await, "stopped");

    // The engine kills it, as it does where there is no memory left.
    let visitor: Visitor = enter(&stack.program, "boxed-link").await;
    let name = format!("casting-{}", visitor.session);
    stack.engine.docker(&["kill", &name]);
    let ended = async || visitor.ledger(&stack.program).await["state"] == "ended";
    assert!(
        soon(ended).await,
        "{}",
        visitor.ledger(&stack.program).await
    );
    assert!(stack.is_rid_of(&visitor.session).await, "killed inside");

    // Killed without a word, the program that stands for the container leaves it to be removed.
    let visitor: Visitor = enter(&stack.program, "boxed-link").await;
    kill(visitor.process("container-app"), Signal::SIGKILL).expect("killed");
    assert!(stack.is_rid_of(&visitor.session).await, "killed");
    let reason = async || visitor.ledger(&stack.program).await["reason"] == "task-stopped";
    assert!(
        soon(reason).await,
        "{}",
        visitor.ledger(&stack.program).await
    );
}

#[tokio::test]
async fn container_that_cannot_start_says_why() {
    let Some(stack) = Stack::with_busybox().await else {
        return;
    };
    let network = json!({
        "name": "casting-test-none", "subnets": ["subnet-0123456789abcdef0"],
        "security_groups": ["sg-0123456789abcdef0"], "assign_public_ip": true,
    });
    stack.make("networks", network).await;
    for (key, changes, said) in [
        (
            "missing-image",
            json!({"container_image": "casting-test-missing:1"}),
            "cannot be fetched",
        ),
        (
            "wrong-command",
            json!({"command": ["/no/such"]}),
            "/no/such",
        ),
        (
            "it-fails",
            json!({"command": ["/busybox", "sh", "-c", "echo no display; exit 3"]}),
            "no display",
        ),
        (
            "no-network",
            json!({"network": "casting-test-none"}),
            "has no network casting-test-none",
        ),
    ] {
        let mut image = json!({"container_image": BUSYBOX, "command": web_server()});
        for (field, value) in changes.as_object().expect("fields") {
            image[field] = value.clone();
        }
        stack.link(key, image).await;
        let session = claim(&stack.program, key).await;
        let mut seen = Value::Null;
        for _ in 0..6 {
            soon(async || {
                let path = format!("sessions/{session}");
                seen = answer(stack.program.admin(Method::GET, &path)).await;
                seen["state"] == "ended"
            })
            .await;
        }
        let told = seen["said"][0]["text"].as_str().unwrap_or_default();
        assert!(told.contains(said), "{key}: {seen}");
        assert_eq!(seen["outcome"], "refunded", "{key}: {seen}");
    }
}

#[tokio::test]
async fn container_joins_the_named_network() {
    let Some(stack) = Stack::with_busybox().await else {
        return;
    };
    let network = "casting-test-lab";
    let document = json!({
        "name": network, "subnets": ["subnet-0123456789abcdef0"],
        "security_groups": ["sg-0123456789abcdef0"], "assign_public_ip": true,
    });
    stack.make("networks", document).await;
    stack.engine.docker(&["network", "create", network]);
    let image = json!({"container_image": BUSYBOX, "command": web_server(), "network": network});
    stack.link("lab-link", image).await;
    let visitor = enter(&stack.program, "lab-link").await;
    let networks = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}";
    let networks = stack.inspect(&visitor.session, networks);
    let row = visitor.ledger(&stack.program).await;
    let container = format!("casting-{}", visitor.session);
    stack.engine.docker(&["rm", "-f", &container]);
    stack.engine.docker(&["network", "rm", network]);
    assert_eq!(networks, network);
    assert_eq!(row["network"], network, "{row}");
}

#[tokio::test]
async fn network_of_the_address_is_joined_or_refused() {
    let Some(stack) = Stack::with_busybox().await else {
        return;
    };
    let (program, network) = (&stack.program, "casting-test-chosen");
    let document = json!({
        "name": network, "subnets": ["subnet-0123456789abcdef0"],
        "security_groups": ["sg-0123456789abcdef0"], "assign_public_ip": true,
    });
    stack.make("networks", document).await;
    stack.engine.docker(&["network", "create", network]);
    let image = json!({"container_image": BUSYBOX, "command": web_server(), "allow_network_selection": true});
    stack.link("choosing-link", image).await;
    let casts = answer(program.admin(Method::GET, "casts")).await;
    let items = casts["items"].as_array().expect("casts");
    let cast = items.iter().find(|cast| cast["key"] == "choosing-link");
    let cast = cast.and_then(|cast| cast["id"].as_str()).expect("its id");
    let path = format!("casts/{cast}");
    let allow = program.admin(Method::PATCH, &path);
    let allow = allow.json(&json!({"allow_dynamic_docker_network": true}));
    let allowed = allow.send().await.expect("an answer");
    assert_eq!(allowed.status(), 200);
    let visitor = enter(program, &format!("choosing-link?docker_network={network}")).await;
    let networks = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}";
    let networks = stack.inspect(&visitor.session, networks);
    let row = visitor.ledger(program).await;
    let container = format!("casting-{}", visitor.session);
    stack.engine.docker(&["rm", "-f", &container]);
    stack.engine.docker(&["network", "rm", network]);
    assert_eq!(networks, network);
    assert_eq!(row["network"], network, "{row}");
    let unknown = format!(
        "{}/api/casts/choosing-link?docker_network=moon",
        program.url
    );
    let unknown = program.http.get(unknown).send().await.expect("an answer");
    assert_eq!(unknown.status(), 422);
}

/// An image as those of the linuxserver family: its own init is the first process, and its web
/// server gives out files below `/files`.
const WITH_INIT: &str = "casting-test-init:1";

fn make_image_with_init() -> bool {
    static MADE: LazyLock<bool> = LazyLock::new(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        std::fs::copy("/bin/busybox", root.join("busybox")).expect("busybox-static");
        std::fs::create_dir_all(root.join("www/files")).expect("folders");
        std::fs::write(root.join("www/files/secret"), "secret").expect("a file");
        let init = "#!/busybox sh\n[ $$ = 1 ] || exit 9\n/busybox env > /www/env\nexec /busybox \
                    httpd -f -p 3000 -h /www\n";
        std::fs::write(root.join("init"), init).expect("a script");
        let executable = Permissions::from_mode(0o755);
        std::fs::set_permissions(root.join("init"), executable).expect("is ours");
        let start = "ENTRYPOINT [\"/init\"]";
        engine::shared().is_some_and(|engine| engine.import(root, start, WITH_INIT))
    });
    *MADE
}

#[tokio::test]
async fn linuxserver_shaped_image_keeps_its_init_and_files() {
    let in_use = Box::new(ENGINE_IN_USE.read().await);
    let Some(stack) = Stack::start(make_image_with_init, in_use).await else {
        return;
    };
    let program = &stack.program;
    for (key, permissions, files, told) in [
        ("open-files", json!({}), (200, "secret"), None),
        (
            "shut-files",
            json!({"downloads": false, "audio": false}),
            (403, "Files cannot leave this session"),
            Some("SELKIES_FILE_TRANSFERS=upload\n"),
        ),
    ] {
        let image = json!({
            "name": key, "container_image": WITH_INIT, "preset": "linuxserver_chromium", "cpu": 256, "memory": 512,
        });
        let image = stack.make("images", image).await["id"].clone();
        let cast = json!({
            "name": key, "key": key, "image_id": image, "allow_anonymous": true, "kasm_url": "https://first.example/",
            "enforce_client_settings": true, "client_settings": {"permissions": permissions},
        });
        let cast = stack.make("casts", cast).await;
        let warned = cast["warnings"].to_string();
        assert!(!warned.contains("/kasm_url"), "{warned}");
        let visitor = enter(program, key).await;
        let (status, environment) = visitor.read(program, "/env").await;
        assert_eq!(status, 200, "{key}: {environment}");
        let address = "CHROME_CLI=--disable-dev-shm-usage https://first.example/\n";
        assert!(environment.contains(address), "{key}: {environment}");
        assert!(!environment.contains("KASM_URL"), "{key}: {environment}");
        assert_eq!(
            environment.contains("SELKIES_AUDIO_ENABLED=false|locked\n"),
            told.is_some(),
            "{key}: {environment}"
        );
        assert!(
            told.is_none_or(|told| environment.contains(told)),
            "{key}: {environment}"
        );
        for path in ["/files/secret", "/%66iles/secret"] {
            let (status, text) = visitor.read(program, path).await;
            assert!(
                status == files.0 && text.contains(files.1),
                "{key} {path}: {status} {text}"
            );
        }
    }
    // Where no variable is the address, an administrator hears of it.
    let image = json!({"name": "no-place", "container_image": WITH_INIT, "preset": "linuxserver"});
    let image = stack.make("images", image).await["id"].clone();
    let cast = json!({"name": "no-place", "key": "no-place", "image_id": image, "allow_anonymous": true, "kasm_url": "https://a.example/"});
    let warned = stack.make("casts", cast).await["warnings"].to_string();
    assert!(warned.contains("{kasm_url}"), "{warned}");
}

/// An image as those of the kasmweb family: scripts at their places, a user who is not root, and a
/// screen behind https that asks for a login.
const KASMWEB: &str = "casting-test-kasmweb:1";

/// The screen: it knows who asks by the password in its environment.
const KASM_SCREEN: &str = r#"import base64, http.server, os, ssl
login = "Basic " + base64.b64encode(("kasm_user:" + os.environ["VNC_PW"]).encode()).decode()
class Screen(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.headers.get("Authorization") == login:
            return super().do_GET()
        self.send_error(401)
server = http.server.ThreadingHTTPServer(("", 6901), Screen)
certificate = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
certificate.load_cert_chain("/etc/screen.pem")
server.socket = certificate.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"#;

fn make_kasmweb_shaped_image() -> bool {
    static MADE: LazyLock<bool> = LazyLock::new(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        let write = |path: &str, content: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            std::fs::write(&path, content).expect("a file");
            std::fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("is ours");
        };
        let line = format!(
            "cd {} && mkdir -p bin usr/lib home/kasm-user tmp && cp /bin/busybox . && ln -s /busybox bin/sh \
             && chmod 1777 tmp && chown 1000:1000 home/kasm-user && cp -a /usr/lib/python3* usr/lib/",
            root.display()
        );
        let copied = Command::new("sh").args(["-c", &line]).status();
        assert!(copied.is_ok_and(|status| status.success()), "{line}");
        copy_program(Path::new("/usr/bin/python3"), root);
        for module in modules() {
            copy_program(&module, root);
        }
        let certificate = rcgen::generate_simple_self_signed(["screen".to_owned()]);
        let certificate = certificate.expect("a certificate");
        let chain = pem("CERTIFICATE", certificate.cert.der());
        let key = pem("PRIVATE KEY", &certificate.signing_key.serialize_der());
        write("etc/screen.pem", &(chain + &key));
        write("screen.py", KASM_SCREEN);
        write(
            "dockerstartup/kasm_default_profile.sh",
            "#!/bin/sh\necho profile > $HOME/profile; exec \"$@\"\n",
        );
        let start = "#!/bin/sh\n/busybox mkdir /tmp/www; cd /tmp/www; echo screen > index.html; \
                     PYTHONHOME=/usr /bin/python3 /screen.py & exec \"$@\"\n";
        write("dockerstartup/vnc_startup.sh", start);
        let wait = "#!/bin/sh\n[ \"$1\" = --wait ] && exec /busybox sleep 3600\n";
        write("dockerstartup/kasm_startup.sh", wait);
        let go = "#!/bin/sh\n/busybox id -u > /tmp/www/user; echo \"$*\" > /tmp/www/gone\n";
        write("dockerstartup/custom_startup.sh", go);
        let change = "USER 1000\nENV HOME=/home/kasm-user";
        engine::shared().is_some_and(|engine| engine.import(root, change, KASMWEB))
    });
    *MADE
}

/// These bytes as OpenSSL reads them from a text file.
fn pem(name: &str, der: &[u8]) -> String {
    let text = data_encoding::BASE64.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).expect("ASCII"))
        .collect();
    let lines = lines.join("\n");
    format!("-----BEGIN {name}-----\n{lines}\n-----END {name}-----\n")
}

/// The modules of this machine's Python that are libraries with others beside them.
fn modules() -> Vec<PathBuf> {
    let found = Command::new("sh")
        .args(["-c", "ls /usr/lib/python3*/lib-dynload/_ssl*.so"])
        .output();
    let found = found.expect("a list").stdout;
    let lines = String::from_utf8_lossy(&found);
    lines.lines().map(Into::into).collect()
}

#[tokio::test]
async fn kasmweb_shaped_image_runs_behind_its_own_login() {
    let in_use = Box::new(ENGINE_IN_USE.read().await);
    let Some(stack) = Stack::start(make_kasmweb_shaped_image, in_use).await else {
        return;
    };
    let go = json!({
        "cmd": "/dockerstartup/custom_startup.sh --go --url \"$KASM_URL\"", "environment": {"KASM_URL": "https://first.example/"},
    });
    let image = json!({
        "name": "kasmweb", "container_image": KASMWEB, "preset": "kasmweb", "cpu": 256, "memory": 512, "exec_config": {"first_launch": go},
    });
    let image = stack.make("images", image).await["id"].clone();
    let cast =
        json!({"name": "kasmweb", "key": "kasmweb", "image_id": image, "allow_anonymous": true});
    stack.make("casts", cast).await;
    let visitor = enter(&stack.program, "kasmweb").await;
    let read = async |path: &str| visitor.read(&stack.program, path).await;
    assert_eq!(read("/").await, (200, "screen\n".to_owned()));
    let gone = "--go --url https://first.example/\n".to_owned();
    let opened = soon(async || read("/gone").await == (200, gone.clone())).await;
    assert!(opened, "{:?}", read("/gone").await);
    assert_eq!(read("/user").await, (200, "1000\n".to_owned()));
    // The engine has its own port for it, on this machine alone; the login is not the visitor's.
    let port = "{{(index (index .NetworkSettings.Ports \"6901/tcp\") 0).HostIp}}";
    assert_eq!(stack.inspect(&visitor.session, port), "127.0.0.1");
    stack.stop_session(&visitor.session).await;
    assert!(stack.is_rid_of(&visitor.session).await);
}

#[tokio::test]
async fn leftover_container_is_found_and_removed() {
    let Some(stack) = Stack::with_busybox().await else {
        return;
    };
    let image = json!({"container_image": BUSYBOX, "command": web_server()});
    stack.link("left-over-link", image).await;
    let visitor = enter(&stack.program, "left-over-link").await;
    // As one that an engine could not be asked to remove, because it was away.
    let label = "{{index .Config.Labels \"session-casting.folder\"}}";
    let folder = stack.inspect(&visitor.session, label);
    let (left, other) = ("leftover-of-a-session", "of-another-stack");
    for (session, folder) in [(left, folder.as_str()), (other, "/another/folder")] {
        let label = format!("session-casting.folder={folder}");
        let name = format!("casting-{session}");
        let begun = stack.engine.docker(&[
            "run",
            "-d",
            "--network",
            "none",
            "--label",
            &label,
            "--name",
            &name,
            BUSYBOX,
            "/busybox",
            "sleep",
            "600",
        ]);
        assert!(begun.status.success(), "{begun:?}");
    }
    let mut is_gone = false;
    for _ in 0..10 {
        is_gone = is_gone || stack.is_rid_of(left).await;
    }
    let (other_there, own_there) = (
        stack.has_container(other),
        stack.has_container(&visitor.session),
    );
    for session in [left, other] {
        stack
            .engine
            .docker(&["rm", "-f", &format!("casting-{session}")]);
    }
    assert!(is_gone, "it has no session");
    assert!(other_there, "another stack's");
    assert!(own_there, "its session lives");
}

#[tokio::test]
async fn container_of_a_killed_stack_goes_with_its_next_start() {
    let in_use = Box::new(ENGINE_IN_USE.read().await);
    let Some(engine) = engine::shared() else {
        return;
    };
    assert!(make_busybox(), "the test's image can be made");
    let folder = tempfile::tempdir().expect("a folder");
    let start = async || Program::start_kept(engine, folder.path()).await;
    let mut stack = Stack {
        program: start().await.expect("starts"),
        engine,
        _in_use: in_use,
    };
    let image = json!({"container_image": BUSYBOX, "command": web_server()});
    stack.link("kept-link", image).await;
    let visitor = enter(&stack.program, "kept-link").await;
    assert!(stack.has_container(&visitor.session));
    stack.program.child.kill().await.expect("killed");
    stack.program = start().await.expect("starts again");
    assert!(stack.is_rid_of(&visitor.session).await, "it has no session");
    let ended = async || visitor.ledger(&stack.program).await["state"] == "ended";
    assert!(
        soon(ended).await || soon(ended).await,
        "{}",
        visitor.ledger(&stack.program).await
    );
}

#[tokio::test]
async fn container_of_a_crashed_engine_is_removed() {
    let Some(stack) = Stack::alone_with_busybox().await else {
        return;
    };
    if !stack.engine.is_own() {
        eprintln!("Skipped: the engine is the machine's, and is not killed.");
        return;
    }
    let image = json!({"container_image": BUSYBOX, "command": web_server()});
    stack.link("crashed-link", image).await;
    let visitor = enter(&stack.program, "crashed-link").await;
    let Stack {
        program, engine, ..
    } = &stack;
    engine.kill();
    let reason = async || visitor.ledger(program).await["state"] == "ended";
    let mut ended = false;
    for _ in 0..6 {
        ended = ended || soon(reason).await;
    }
    engine.start_again();
    assert!(engine.answers_soon());
    assert!(ended, "{}", visitor.ledger(program).await);
    let mut is_gone = false;
    for _ in 0..10 {
        is_gone = is_gone || stack.is_rid_of(&visitor.session).await;
    }
    assert!(is_gone, "it has no session");
}

#[tokio::test]
async fn hostile_container_reaches_no_other_session() {
    let Some(stack) = Stack::with_hostile_app().await else {
        return;
    };
    let program = &stack.program;
    let address = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    let gateway = "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}";
    let session_of = async |key: &str, targets: Value| {
        let environment = json!({"TARGETS": targets.to_string(), "LISTEN": "0.0.0.0"});
        let image = json!({
            "container_image": HOSTILE, "command": ["/bin/hostile-app"], "environment": environment,
            "exec_config": {"go": {"cmd": ["/bin/hostile-app"], "user": "1000"}},
        });
        stack.link(key, image).await;
        enter(program, key).await
    };
    let neighbour = session_of("neighbour", json!({})).await;
    let (beside, bridge) = (
        stack.inspect(&neighbour.session, address),
        stack.inspect(&neighbour.session, gateway),
    );
    let port = program.url.rsplit_once(':').expect("a port").1.to_owned();
    let others = [
        format!("{beside}:8080"),
        format!("{bridge}:{port}"),
        format!("172.17.0.1:{port}"),
    ];
    let targets =
        json!({"addresses": others, "secrets": [program.key.chars().rev().collect::<String>()]});
    let visitor = session_of("attacker", targets).await;
    let (status, text) = visitor.read(program, "/report").await;
    assert_eq!(status, 200, "{text}");
    let attempts: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    // What is its own container's it may look at: its init, its files, its ports.
    let own = [
        "open /proc/1/",
        "open /sys/",
        "find something",
        "reach other ports",
    ];
    let breaches: Vec<&Value> = attempts
        .iter()
        .filter(|attempt| attempt["refused"] == false)
        .filter(|attempt| {
            let name = attempt["attempt"].as_str().expect("a name");
            !own.iter().any(|own| name.starts_with(own))
                && !name.contains("169.254.")
                && name != "send by UDP"
        })
        .collect();
    assert!(breaches.is_empty(), "{breaches:#?}");
    for other in &others {
        let name = format!("connect to {other}");
        assert!(
            attempts
                .iter()
                .any(|attempt| attempt["attempt"] == name.as_str()),
            "{name}"
        );
    }
    for (format, expected) in [
        ("{{.HostConfig.CapDrop}} {{.HostConfig.CapAdd}}", "[ALL] []"),
        ("{{.HostConfig.SecurityOpt}}", "[no-new-privileges]"),
        ("{{.HostConfig.PidsLimit}}", "2048"),
        (
            "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}",
            "536870912 536870912",
        ),
        ("{{.HostConfig.ShmSize}}", "268435456"),
        ("{{.HostConfig.Privileged}}", "false"),
    ] {
        assert_eq!(
            stack.inspect(&visitor.session, format),
            expected,
            "{format}"
        );
    }
    assert_ne!(
        stack.inspect(&visitor.session, "{{.HostConfig.NetworkMode}}"),
        stack.inspect(&neighbour.session, "{{.HostConfig.NetworkMode}}")
    );
    let network = format!("casting-{}", visitor.session);
    stack.stop_session(&visitor.session).await;
    let name = format!("name={network}");
    let is_gone = async || {
        let listed = stack.engine.says(&["network", "ls", "-q", "-f", &name]);
        listed.is_empty()
    };
    assert!(soon(is_gone).await, "its network goes with it");
}

#[tokio::test]
async fn image_by_digest_is_fetched() {
    let Some(stack) = Stack::with_busybox().await else {
        return;
    };
    let registry = Registry::with_busybox().await;
    let reference = format!("{}/busybox@{}", registry.address, registry.digest);
    stack
        .link(
            "by-digest",
            json!({"container_image": reference, "command": web_server()}),
        )
        .await;
    let visitor = enter(&stack.program, "by-digest").await;
    assert_eq!(
        stack.inspect(&visitor.session, "{{.Config.Image}}"),
        reference
    );
    stack.stop_session(&visitor.session).await;
    assert!(stack.is_rid_of(&visitor.session).await);
    stack.engine.docker(&["rmi", "-f", &reference]);
    let wrong = format!("{}/busybox@{}", registry.address, digest(b"another"));
    stack
        .link(
            "by-wrong-digest",
            json!({"container_image": wrong, "command": web_server()}),
        )
        .await;
    let session = claim(&stack.program, "by-wrong-digest").await;
    let mut seen = Value::Null;
    let has_ended = soon(async || {
        let path = format!("sessions/{session}");
        seen = answer(stack.program.admin(Method::GET, &path)).await;
        seen["state"] == "ended"
    });
    assert!(has_ended.await, "{seen}");
    let said = seen["said"][0]["text"].as_str().unwrap_or_default();
    assert!(said.contains("cannot be fetched"), "{seen}");
}
