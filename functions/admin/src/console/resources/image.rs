//! Owns the fields of an image as they are asked for. Must not know what a field may hold (see `image_form`).

use crate::console::field::{Empty, Field, Kind, OptionSource, Resource, Section};

/// An image.
pub static IMAGE: Resource = Resource {
    name: "image",
    sections: &[
        Section {
            id: "image",
            title: "The image",
            intro: "What a session runs: a container image or an existing task definition.",
            fields: &[
                Field::new(
                    "name",
                    "Name",
                    Kind::Line {
                        empty: Empty::Text,
                        example: "Chromium",
                    },
                    "Visitors see it on the landing page.",
                )
                .required(),
                Field::flag(
                    "enabled",
                    "Enabled",
                    "When disabled, no link can start it. Running sessions continue.",
                ),
                Field::line(
                    "container_image",
                    "Container image",
                    "registry.example.com/app:1.2",
                    "A task definition is registered for it, with the gate (the proxy in front of each session).",
                ),
                Field::line(
                    "task_definition",
                    "Task definition",
                    "my-app:3",
                    "Instead of a container image: family, family:revision or ARN.",
                ),
                Field::new(
                    "description",
                    "Description",
                    Kind::Text,
                    "Notes for administrators.",
                ),
            ],
        },
        Section {
            id: "app",
            title: "Start",
            intro: "What runs in the container and where it listens.",
            fields: &[
                Field::new(
                    "command",
                    "Command",
                    Kind::Words {
                        example: "/usr/bin/app\n--listen\n8080",
                    },
                    "The program and its arguments, one per line. Empty: the image\u{2019}s own command; the gate then runs beside it and needs a Port.",
                ),
                Field::number(
                    "port",
                    "Port",
                    (1, 65_535),
                    "",
                    "The port the app listens on.",
                ),
                Field::new(
                    "environment",
                    "Environment",
                    Kind::Pairs {
                        example: "LANG=de_DE.UTF-8\nTZ=Europe/Berlin",
                    },
                    "NAME=value, one per line. Names that begin with CAST_ are reserved.",
                ),
                Field::new(
                    "container",
                    "Container",
                    Kind::Line {
                        empty: Empty::Text,
                        example: "session",
                    },
                    "The container\u{2019}s name in the task definition.",
                ),
                Field::number(
                    "start_timeout_seconds",
                    "Start timeout",
                    (10, 1800),
                    "seconds",
                    "A session that is not ready within this time is refunded.",
                )
                .required(),
                Field::number(
                    "session_time_limit_seconds",
                    "Session time limit",
                    (60, 604_800),
                    "seconds",
                    "The longest a session of this image may run.",
                )
                .required(),
            ],
        },
        Section {
            id: "size",
            title: "Size",
            intro: "For container images. A task definition has its own.",
            fields: &[
                Field::number(
                    "cpu",
                    "CPU units",
                    (256, 16_384),
                    "units",
                    "1024 units are one vCPU. 256, 512, 1024, 2048, 4096, 8192 or 16384.",
                ),
                Field::number(
                    "memory",
                    "Memory",
                    (512, 122_880),
                    "MiB",
                    "Fargate allows certain sizes for each number of CPU units.",
                ),
                Field::number(
                    "ephemeral_storage",
                    "Disk",
                    (21, 200),
                    "GiB",
                    "Empty: Fargate\u{2019}s default of 20 GiB.",
                ),
            ],
        },
        Section {
            id: "files",
            title: "Persistent files",
            intro: "For links that require a login: a user's files are kept for their next session.",
            fields: &[
                Field::line(
                    "profile_path",
                    "Profile path",
                    "/home/kasm-user",
                    "The folder in the container that is kept. Leave empty to keep nothing. Requires a Command, because the gate must start the app.",
                ),
                Field::number(
                    "profile_max_mib",
                    "Largest profile",
                    (1, 5120),
                    "MiB",
                    "Size of the compressed archive. A larger one is not saved; the previous one stays.",
                )
                .required(),
                Field::new(
                    "profile_exclude",
                    "Excluded",
                    Kind::Words {
                        example: "**/*.tmp\nDownloads",
                    },
                    "Patterns below the profile path, one per line. Caches are always excluded.",
                ),
            ],
        },
        Section {
            id: "net",
            title: "Network",
            intro: "The network of its sessions.",
            fields: &[
                Field::new(
                    "network",
                    "Network",
                    Kind::Select(OptionSource::Network),
                    "Empty: the deployment\u{2019}s own network.",
                ),
                Field::flag(
                    "allow_network_selection",
                    "Allow Network Selection",
                    "Casts with \u{201c}Allow Dynamic Docker Network URL Parameter\u{201d} may choose another one.",
                ),
                Field::new(
                    "restrict_to_networks",
                    "Only these networks",
                    Kind::SelectMany(OptionSource::Network),
                    "Which networks may be chosen. None: all.",
                ),
            ],
        },
        Section {
            id: "access",
            title: "Access and commands",
            intro: "How the gate connects to the app, and commands run inside a session.",
            fields: &[
                Field::new(
                    "view_only",
                    "View-only mode",
                    Kind::Choice(&[
                        ("", "None: its sessions cannot be shared"),
                        ("rfb", "rfb: noVNC over WebSockets"),
                        ("kasmvnc", "kasmvnc: KasmVNC over WebSockets"),
                        ("requests", "requests: a web app; watchers may only read"),
                    ]),
                    "How the gate keeps viewers of a shared session from changing anything.",
                ),
                Field::flag(
                    "app_https",
                    "The app speaks https",
                    "Any certificate is accepted: the connection stays inside the task.",
                ),
                Field::line(
                    "app_user",
                    "App user",
                    "kasm_user",
                    "The user name that the gate uses to sign in to the app. Visitors never see the password.",
                ),
                Field::line(
                    "app_password_variable",
                    "Password variable",
                    "VNC_PW",
                    "The environment variable that gives the app the session\u{2019}s password.",
                ),
                Field::new(
                    "exec_config",
                    "Commands",
                    Kind::Json {
                        example: "{\n  \"go\": {\"cmd\": \"open \\\"$KASM_URL\\\"\"}\n}",
                    },
                    "Commands run inside: first_launch, go (opens an address) and assign, each with cmd and optionally user, workdir and environment.",
                ),
            ],
        },
    ],
};
