//! Owns the fields of an image: what a session runs, how it is started, how large it is, what is
//! kept, where it runs and who gets to it. Must not know what holds between fields (see `rules`).

use std::sync::LazyLock;

use crate::exec_form;
use crate::field::{self, FieldTable};
use crate::form::{line, parsed, plain, whole};
use crate::image::{Architecture, GATE_PORT, ImageSettings, ImageSource};
use crate::network_form;
use crate::persistent_profile::{LARGEST_MIB, ProfileSettings};
use crate::resource::{OptionSource, Widget};
use crate::session_options::ViewOnly;
use crate::text_format;

/// An image as its document has it: both ways to name what it runs, side by side.
#[derive(Debug, Default)]
pub(super) struct ImageFields {
    /// Its source is what the rules make of the other members.
    pub(super) settings: ImageSettings,
    pub(super) task_definition: Option<String>,
    pub(super) container_image: Option<String>,
    pub(super) command: Vec<String>,
    pub(super) cpu: Option<u32>,
    pub(super) memory: Option<u32>,
    pub(super) ephemeral_storage: Option<u32>,
    pub(super) architecture: Option<Architecture>,
    pub(super) registry_secret: Option<String>,
}

impl From<&ImageSettings> for ImageFields {
    fn from(settings: &ImageSettings) -> Self {
        let (task_definition, container) = match &settings.source {
            ImageSource::TaskDefinition(name) => (Some(name.clone()), None),
            ImageSource::Container(container) => (None, Some(container.clone())),
        };
        let fields = Self {
            settings: settings.clone(),
            task_definition,
            ..Self::default()
        };
        let Some(container) = container else {
            return fields;
        };
        Self {
            container_image: Some(container.image),
            command: container.command,
            cpu: Some(container.cpu),
            memory: Some(container.memory),
            ephemeral_storage: container.ephemeral_storage,
            architecture: Some(container.architecture),
            registry_secret: container.registry_secret,
            ..fields
        }
    }
}

type Field = field::Field<ImageFields>;
type Section = field::Section<ImageFields>;

/// The fields of an image, in the order of the console's form.
pub(super) static FIELDS: LazyLock<FieldTable<ImageFields>> = LazyLock::new(|| {
    let sections = vec![image(), start(), size(), files(), network(), access()];
    FieldTable::new("image", sections)
});

fn image() -> Section {
    Section {
        id: "image",
        title: "The image",
        intro: "What a session runs: a container image or an existing task definition.",
        fields: vec![
            Field::required("name", line(1..=100), |image| &mut image.settings.name)
                .label("Name")
                .help("Visitors see it on the landing page.")
                .example("Chromium")
                .doc("What administrators and visitors call it."),
            Field::flag("enabled", true, |image| &mut image.settings.enabled)
                .label("Enabled")
                .help("When disabled, no link can start it. Running sessions continue.")
                .doc("Whether sessions of it are started."),
            Field::nullable(
                "container_image",
                plain(|| &text_format::CONTAINER_IMAGE),
                |image| &mut image.container_image,
            )
            .label("Container image")
            .help(
                "A task definition is registered for it, with the gate (the proxy in front of \
                 each session).",
            )
            .example("registry.example.com/app:1.2")
            .doc(
                "A container image, for which a task definition is registered; this or \
                 `task_definition`.",
            ),
            Field::nullable(
                "registry_secret",
                plain(|| &text_format::SECRET_ARN),
                |image| &mut image.registry_secret,
            )
            .label("Registry credentials")
            .help(
                "The ARN of a secret with username and password for a private registry. The \
                 parameter RegistrySecretArns must list it.",
            )
            .example("arn:aws:secretsmanager:eu-central-1:123456789012:secret:registry-AbCdEf")
            .doc(
                "The ARN of a secret in Secrets Manager, `{\"username\": \u{2026}, \"password\": \
                 \u{2026}}`, with which ECS fetches the image; null for public registries and ECR. \
                 Has no effect on one machine. Goes with `container_image`.",
            ),
            Field::nullable(
                "task_definition",
                plain(|| &text_format::TASK_DEFINITION),
                |image| &mut image.task_definition,
            )
            .label("Task definition")
            .help("Instead of a container image: family, family:revision or ARN.")
            .example("my-app:3")
            .doc("A task definition that exists; this or `container_image`."),
            Field::description(|image| &mut image.settings.description),
        ],
    }
}

fn start() -> Section {
    let gates = format!("must not be {GATE_PORT}: the gate in front of the app listens there.");
    let port = whole(1..=65_535).but(GATE_PORT, gates);
    Section {
        id: "app",
        title: "Start",
        intro: "What runs in the container and where it listens.",
        fields: vec![
            Field::list_of("command", 0..=64, plain(|| &text_format::WORD), |image| {
                &mut image.command
            })
            .label("Command")
            .help(
                "The program and its arguments, one per line. Empty: the image\u{2019}s own \
                 command; the gate then runs beside it and needs a Port.",
            )
            .widget(Widget::Words)
            .example("/usr/bin/app\n--listen\n8080")
            .doc(
                "What starts the app, with the gate in front; empty when the image starts its \
                 app itself. At most 4,096 characters together. Goes with `container_image`.",
            ),
            Field::nullable("port", port, |image| &mut image.settings.port)
                .label("Port")
                .help("The port the app listens on.")
                .doc("Where the app listens; null when the gate picks one and sets `PORT`."),
            Field::map(
                "environment",
                || &text_format::OWN_VARIABLE,
                plain(|| &text_format::WORD),
                |image| &mut image.settings.environment,
            )
            .label("Environment")
            .help(
                "NAME=value, one per line. Names that begin with CAST_ are reserved. \
                 {kasm_url} in one value stands for the address to open.",
            )
            .example("LANG=de_DE.UTF-8\nTZ=Europe/Berlin")
            .doc(
                "Variables for the app; at most 3,584 characters as ECS counts them. What begins \
                 with CAST_ is ours. `{kasm_url}` stands in one value at most, for the address to \
                 be opened, which is then not in KASM_URL.",
            ),
            Field::defaulted(
                "container",
                "session".to_owned(),
                plain(|| &text_format::CONTAINER),
                |image| &mut image.settings.container,
            )
            .label("Container")
            .help("The container\u{2019}s name in the task definition.")
            .example("session")
            .doc("The container of the app in its task."),
            Field::defaulted("start_timeout_seconds", 180, whole(10..=1800), |image| {
                &mut image.settings.start_timeout_seconds
            })
            .label("Start timeout")
            .help("A session that is not ready within this time is refunded.")
            .unit("seconds")
            .doc("A session that is not ready by then is given up, and nothing is counted."),
            Field::defaulted(
                "session_time_limit_seconds",
                14_400,
                whole(60..=604_800),
                |image| &mut image.settings.session_time_limit_seconds,
            )
            .label("Session time limit")
            .help("The longest a session of this image may run.")
            .unit("seconds")
            .doc("No session lives longer."),
        ],
    }
}

fn size() -> Section {
    Section {
        id: "size",
        title: "Size",
        intro: "For container images. A task definition has its own.",
        fields: vec![
            Field::nullable("cpu", whole(256..=16_384), |image| &mut image.cpu)
                .label("Size")
                .help(
                    "The sizes that Fargate offers, with the list price of an hour on x86_64 \
                     in us-east-1, a public address included.",
                )
                .widget(Widget::TaskCpu)
                .doc(
                    "CPU units: 256, 512, 1024, 2048, 4096, 8192 or 16384; null is 1024. Goes \
                     with `container_image`.",
                ),
            Field::nullable("memory", whole(512..=122_880), |image| &mut image.memory)
                .label("Memory")
                .widget(Widget::TaskMemory)
                .doc(
                    "MiB, in the steps that Fargate offers for the CPU units; null is 2048. Goes \
                     with `container_image`.",
                ),
            Field::nullable("ephemeral_storage", whole(21..=200), |image| {
                &mut image.ephemeral_storage
            })
            .label("Disk")
            .help("Empty: Fargate\u{2019}s default of 20 GiB.")
            .unit("GiB")
            .doc("GiB of disk; null is what Fargate gives. Goes with `container_image`."),
            Field::nullable("architecture", parsed(read_architecture), |image| {
                &mut image.architecture
            })
            .label("Architecture")
            .help("The container image must be built for it. ARM64 costs 20 % less.")
            .widget(Widget::Choice(&[
                ("", "Default: x86_64"),
                ("x86_64", "x86_64: Intel and AMD"),
                ("arm64", "arm64: Graviton"),
            ]))
            .doc(
                "The processors that the container image is built for; null is `x86_64`. Has no \
                 effect on one machine. Goes with `container_image`.",
            ),
            Field::flag("shared_memory", false, |image| {
                &mut image.settings.shared_memory
            })
            .label("Large /dev/shm")
            .help(
                "For browsers, which crash with Fargate\u{2019}s 64 MiB. A volume on the disk. \
                 Requires a Command and the gate\u{2019}s own image.",
            )
            .doc(
                "Whether `/dev/shm` is a volume on the disk, because Fargate gives it no more \
                 than 64 MiB. Has an effect with a `command` in deployments with a gate image.",
            ),
        ],
    }
}

fn files() -> Section {
    Section {
        id: "files",
        title: "Persistent files",
        intro: "For links that require a login: a user's files are kept for their next session.",
        fields: vec![
            Field::nullable(
                "profile_path",
                plain(|| &text_format::PROFILE_PATH),
                |image| &mut image.settings.profile.path,
            )
            .label("Profile path")
            .help(
                "The folder in the container that is kept. Leave empty to keep nothing. Requires \
                 a Command, because the gate must start the app.",
            )
            .example("/home/kasm-user")
            .doc(
                "The folder in the container that a user finds again in the next session; null \
                 keeps nothing. Needs a `command` or a `task_definition`.",
            ),
            Field::defaulted(
                "profile_max_mib",
                ProfileSettings::default().max_mib,
                whole(1..=u64::from(LARGEST_MIB)),
                |image| &mut image.settings.profile.max_mib,
            )
            .label("Largest profile")
            .help(
                "Size of the compressed archive. A larger one is not saved; the previous one \
                 stays.",
            )
            .unit("MiB")
            .doc(
                "A packed profile that is larger than this is not saved, and the one before it \
                 stays.",
            ),
            Field::list_of(
                "profile_exclude",
                0..=32,
                plain(|| &text_format::PATTERN),
                |image| &mut image.settings.profile.exclude,
            )
            .label("Excluded")
            .help("Patterns below the profile path, one per line. Caches are always excluded.")
            .widget(Widget::Words)
            .example("**/*.tmp\nDownloads")
            .doc("What of the folder is left out beside caches, as patterns such as `**/*.tmp`."),
        ],
    }
}

fn network() -> Section {
    Section {
        id: "net",
        title: "Network",
        intro: "The network of its sessions.",
        fields: vec![
            Field::nullable("network", parsed(network_form::read_name), |image| {
                &mut image.settings.network
            })
            .label("Network")
            .help("Empty: the deployment\u{2019}s own network.")
            .widget(Widget::Select(OptionSource::Network))
            .doc("The network that its sessions run in; null is the deployment's own."),
            Field::flag("allow_network_selection", false, |image| {
                &mut image.settings.allow_network_selection
            })
            .label("Allow Network Selection")
            .help(
                "Casts with \u{201c}Allow Dynamic Docker Network URL Parameter\u{201d} may \
                 choose another one.",
            )
            .doc("Whether a link's address may name another network."),
            Field::list(
                "restrict_to_networks",
                100,
                network_form::read_name,
                |image| &mut image.settings.restrict_to_networks,
            )
            .label("Only these networks")
            .help("Which networks may be chosen. None: all.")
            .widget(Widget::SelectMany(OptionSource::Network))
            .doc("The networks that it may name; empty is all."),
        ],
    }
}

fn access() -> Section {
    Section {
        id: "access",
        title: "Access and commands",
        intro: "How the gate connects to the app, and commands run inside a session.",
        fields: vec![
            Field::nullable("view_only", parsed(read_view_only), |image| {
                &mut image.settings.view_only
            })
            .label("View-only mode")
            .help(
                "How the gate keeps viewers of a shared session from changing anything. With \
                 requests or none, the app learns the other permissions; the gate cannot hold \
                 them, but for files.",
            )
            .widget(Widget::Choice(&[
                ("", "None: its sessions cannot be shared"),
                ("rfb", "rfb: noVNC over WebSockets, without sound and files"),
                (
                    "kasmvnc",
                    "kasmvnc: KasmVNC over WebSockets; uploads and devices are off",
                ),
                ("selkies", "selkies: Selkies over WebSockets"),
                ("requests", "requests: a web app; watchers may only read"),
            ]))
            .doc(
                "How viewers are kept from changing anything; null: the image cannot be watched. \
                 `kasmvnc` leads to KasmVNC, and to the service for sound that `app_sound_port` \
                 names: those for uploads, microphone, webcam and game controllers (ports 4902 to \
                 4905) are off, whatever the permissions. `selkies` needs a `command`: only a gate that starts it can send \
                 it the roles.",
            ),
            Field::flag("app_https", false, |image| &mut image.settings.app.https)
                .label("The app speaks https")
                .help("Any certificate is accepted: the connection stays inside the task.")
                .doc("Whether the app speaks https."),
            Field::nullable("app_user", plain(|| &text_format::APP_USER), |image| {
                &mut image.settings.app.user
            })
            .label("App user")
            .help(
                "The user name that the gate uses to sign in to the app. Visitors never see the \
                 password.",
            )
            .example("kasm_user")
            .doc("The user that the gate is to the app; with `app_password_variable`."),
            Field::nullable(
                "app_password_variable",
                plain(|| &text_format::PASSWORD_VARIABLE),
                |image| &mut image.settings.app.password_variable,
            )
            .label("Password variable")
            .help("The environment variable that gives the app the session\u{2019}s password.")
            .example("VNC_PW")
            .doc("The variable with the password that the gate generates; with `app_user`."),
            Field::nullable(
                "app_files_path",
                plain(|| &text_format::PROFILE_PATH),
                |image| &mut image.settings.app.files_path,
            )
            .label("Path of files")
            .help(
                "Where the app serves and receives files. Paths that begin with it are closed \
                 without the permissions downloads (reading) and uploads (all else).",
            )
            .example("/files")
            .doc(
                "The path with which the addresses of the session's files begin: the gate \
                 refuses reads there without the permission `downloads`, and writes without \
                 `uploads`. `/Downloads` is closed in any case.",
            ),
            Field::nullable("app_sound_port", whole(1..=65_535), |image| {
                &mut image.settings.app.sound_port
            })
            .label("Sound port")
            .help(
                "Where the app serves its sound as images of the kasmweb family do (4901). Empty: \
                 the viewer plays none of its own.",
            )
            .doc(
                "The port at which the app serves its sound: MPEG-TS with MP2 over a WebSocket, \
                 with the app's own scheme and login, as in images of the kasmweb family (4901). \
                 The gate leads it to the viewer, with the permission `audio`.",
            ),
            Field::nullable("app_devtools_port", whole(1024..=65_535), |image| {
                &mut image.settings.app.devtools_port
            })
            .label("DevTools port")
            .help(
                "Where the app serves Chrome DevTools on loopback, for programs that drive its \
                 browser (9222). They can do all that the browser can, so sessions without \
                 downloads, uploads or a clipboard both ways have none. Empty: none.",
            )
            .doc(
                "The loopback port at which the app serves Chrome DevTools; the app finds it in \
                 `CAST_DEVTOOLS_PORT`. Programs that have claimed a session then drive its \
                 browser through the gate. Only with the permissions `downloads`, `uploads`, \
                 `clipboard_up` and `clipboard_down`: DevTools can do what these allow.",
            ),
            exec_form::field("exec_config", |image: &mut ImageFields| {
                &mut image.settings.exec
            })
            .label("Commands")
            .help(
                "Commands run inside: first_launch, go (opens an address) and assign, each with \
                 cmd and optionally user, workdir and environment.",
            )
            .example("{\n  \"go\": {\"cmd\": \"open \\\"$KASM_URL\\\"\"}\n}")
            .doc(
                "Commands that are run inside a session; at most 4,096 bytes. Needs a `command`. \
                 A change replaces the whole object.",
            ),
        ],
    }
}

fn read_architecture(text: &str) -> Result<Architecture, String> {
    Architecture::ALL
        .into_iter()
        .find(|known| known.as_str() == text)
        .ok_or_else(|| "must be x86_64, arm64 or null.".to_owned())
}

fn read_view_only(text: &str) -> Result<ViewOnly, String> {
    ViewOnly::ALL
        .into_iter()
        .find(|known| known.as_str() == text)
        .ok_or_else(|| "must be rfb, kasmvnc, selkies, requests or null.".to_owned())
}
