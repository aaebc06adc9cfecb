//! Owns the fields of an image as they are asked for. Must not know what a field may hold (see `image_form`).

use crate::console::field::{Empty, Field, Kind, Noun, Picked, Section};

/// An image.
pub static IMAGE: Noun = Noun {
    name: "image",
    sections: &[
        Section {
            id: "image",
            title: "The image",
            intro: "What a session runs: a container image, or a task definition that exists already.",
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
                    "Switched off, no link starts it. Sessions that run go on.",
                ),
                Field::line(
                    "container_image",
                    "Container image",
                    "registry.example.com/app:1.2",
                    "A task definition is registered for it, with the gate in front of the app.",
                ),
                Field::line(
                    "task_definition",
                    "Task definition",
                    "my-app:3",
                    "Instead of a container image: a family, family:revision or ARN.",
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
            title: "How it starts",
            intro: "What runs in the container, and where the gate finds it.",
            fields: &[
                Field::new(
                    "command",
                    "Command",
                    Kind::Words {
                        example: "/usr/bin/app\n--listen\n8080",
                    },
                    "The program and its arguments, one on each line. Empty runs what the image itself runs; the gate then stands beside it, and Port is needed.",
                ),
                Field::number(
                    "port",
                    "Port",
                    (1, 65_535),
                    "",
                    "Where the app listens for browsers.",
                ),
                Field::new(
                    "environment",
                    "Environment",
                    Kind::Pairs {
                        example: "LANG=de_DE.UTF-8\nTZ=Europe/Berlin",
                    },
                    "NAME=value, one on each line. Names with CAST_ are taken.",
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
                    "A session that is not ready by then is given back.",
                )
                .required(),
                Field::number(
                    "session_time_limit_seconds",
                    "Session time limit",
                    (60, 604_800),
                    "seconds",
                    "No session of this image lives longer.",
                )
                .required(),
            ],
        },
        Section {
            id: "size",
            title: "Size",
            intro: "For container images; a task definition brings its own.",
            fields: &[
                Field::number(
                    "cpu",
                    "CPU units",
                    (256, 16_384),
                    "units",
                    "1,024 units are one processor. 256, 512, 1024, 2048, 4096, 8192 or 16384.",
                ),
                Field::number(
                    "memory",
                    "Memory",
                    (512, 122_880),
                    "MiB",
                    "Fargate offers certain sizes with each number of CPU units.",
                ),
                Field::number(
                    "ephemeral_storage",
                    "Disk",
                    (21, 200),
                    "GiB",
                    "Empty is Fargate\u{2019}s own 20 GiB.",
                ),
            ],
        },
        Section {
            id: "files",
            title: "Files of its users",
            intro: "For links that ask for a login: what a user leaves in a session is there in the next one.",
            fields: &[
                Field::line(
                    "profile_path",
                    "Profile path",
                    "/home/kasm-user",
                    "The folder in the container that comes back. Empty keeps nothing. The gate must start the app, so it needs a Command.",
                ),
                Field::number(
                    "profile_max_mib",
                    "Largest profile",
                    (1, 5120),
                    "MiB",
                    "Packed. A larger one is not saved; the one before it stays.",
                )
                .required(),
                Field::new(
                    "profile_exclude",
                    "Left out",
                    Kind::Words {
                        example: "**/*.tmp\nDownloads",
                    },
                    "Patterns below the profile path, one on each line. Caches are left out anyway.",
                ),
            ],
        },
        Section {
            id: "net",
            title: "Network",
            intro: "Where its sessions stand.",
            fields: &[
                Field::new(
                    "network",
                    "Network",
                    Kind::Picked(Picked::Network),
                    "Empty is the deployment\u{2019}s own.",
                ),
                Field::flag(
                    "allow_network_selection",
                    "Allow Network Selection",
                    "Casts with \u{201c}Allow Dynamic Docker Network URL Parameter\u{201d} may name another one.",
                ),
                Field::new(
                    "restrict_to_networks",
                    "Only these networks",
                    Kind::PickedMany(Picked::Network),
                    "Which networks may be named. None chosen accepts all.",
                ),
            ],
        },
        Section {
            id: "access",
            title: "Access and commands",
            intro: "How the gate speaks to the app, and what is run inside a session.",
            fields: &[
                Field::new(
                    "view_only",
                    "How it is only watched",
                    Kind::Choice(&[
                        ("", "Not at all: its sessions cannot be shared"),
                        ("rfb", "rfb: noVNC over WebSockets"),
                        ("kasmvnc", "kasmvnc: KasmVNC over WebSockets"),
                        ("requests", "requests: a web app; watchers may only read"),
                    ]),
                    "What keeps those who watch a shared session from changing anything.",
                ),
                Field::flag(
                    "app_https",
                    "The app speaks https",
                    "With whatever certificate: it never leaves the task.",
                ),
                Field::line(
                    "app_user",
                    "App user",
                    "kasm_user",
                    "Who the gate signs in to the app as. Visitors never learn the password.",
                ),
                Field::line(
                    "app_password_variable",
                    "Password variable",
                    "VNC_PW",
                    "The variable in which the app is told the password of each session.",
                ),
                Field::new(
                    "exec_config",
                    "Commands",
                    Kind::Json {
                        example: "{\n  \"go\": {\"cmd\": \"open \\\"$KASM_URL\\\"\"}\n}",
                    },
                    "What is run inside: first_launch, go (an address is to be opened) and assign, each with cmd and if wanted user, workdir and environment.",
                ),
            ],
        },
    ],
};
