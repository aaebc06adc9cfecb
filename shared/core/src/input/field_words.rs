//! Owns what each field of the API means, in a sentence, for its document. Must not know how a field is read; the forms do.

/// What `sessions_remaining_add` means, which only a change has.
pub const SESSIONS_REMAINING_ADD: &str = "Added to `sessions_remaining`, or taken from it where it \
    is negative, whatever claims do meanwhile.";

/// The fields of a cast.
pub const CAST: &[(&str, &str)] = &[
    ("name", "What administrators call the link."),
    ("description", "For administrators only."),
    (
        "title",
        "What visitors read, on the link's page and in chats; null is the deployment's own words.",
    ),
    (
        "summary",
        "What visitors read below the title; null is the deployment's own words.",
    ),
    (
        "key",
        "The public part of the link. Drawn, so that nobody can guess it, when it is left out.",
    ),
    ("image_id", "What a session runs."),
    (
        "enabled",
        "A disabled link looks as if it did not exist, except to users who resume their own session.",
    ),
    (
        "valid_until",
        "From this time on the link gives no new sessions; null is for ever. Without an offset the time is in UTC.",
    ),
    (
        "limit_total_sessions",
        "Whether the link gives a limited number of sessions.",
    ),
    (
        "sessions_remaining",
        "How many sessions the link still gives; required while `limit_total_sessions` is on, and kept while it is off. While it is on, another number is set only with If-Match, over the number that was read: every claim moves it. A new number holds within 5 seconds. See `sessions_remaining_add`.",
    ),
    (
        "limit_requests_per_ip",
        "Whether one address gets a limited number of sessions in a given time.",
    ),
    (
        "sessions_allowed",
        "How many; required while `limit_requests_per_ip` is on.",
    ),
    (
        "within_seconds",
        "In which time; required while `limit_requests_per_ip` is on.",
    ),
    (
        "limit_requests_by",
        "What is counted: addresses, or browsers at an address.",
    ),
    (
        "limit_exempt_addresses",
        "Addresses and blocks that are not counted, each with a label if wanted.",
    ),
    (
        "restrict_to_referrers",
        "The sites whose visitors are accepted; empty accepts everybody. `acme.com` is it and its subdomains, `=acme.com` only it, `*.acme.com` only its subdomains.",
    ),
    (
        "error_url",
        "Where people are sent when a claim is refused; at most 2,048 characters once it is written out, and not a link of this host.",
    ),
    (
        "kasm_url",
        "The address that a session opens; at most 2,048 characters once it is written out.",
    ),
    (
        "allow_dynamic_kasm_url",
        "Whether the link's address may name what a session opens.",
    ),
    (
        "dynamic_kasm_url_hosts",
        "The hosts that it may name; empty is every public one.",
    ),
    (
        "allow_dynamic_docker_network",
        "Whether the link's address may name the network that a session runs in.",
    ),
    ("allow_anonymous", "Whether visitors need no login."),
    (
        "anonymous_user_group_id",
        "The group that anonymous visitors are in besides All Users.",
    ),
    (
        "require_captcha",
        "Whether anonymous visitors must show that they are a person.",
    ),
    (
        "allow_resume",
        "Whether users who have logged in get back into their own running session, whatever limits and hours say.",
    ),
    (
        "max_live_sessions",
        "How many sessions of this link may live at once; null is no limit.",
    ),
    (
        "waiting_room",
        "Whether visitors who find every place taken wait in line instead of being refused.",
    ),
    (
        "open_hours",
        "When in the week the link gives sessions; null is always.",
    ),
    (
        "allowed_addresses",
        "The only addresses that may come; empty is all.",
    ),
    ("banned_addresses", "Addresses that may not come."),
    (
        "enforce_client_settings",
        "Whether `client_settings` win over those of groups.",
    ),
    (
        "client_settings",
        "What a session is allowed; a change replaces the whole object.",
    ),
    ("background_url", "A picture behind the landing page."),
    (
        "disable_control_panel",
        "Whether a session has no control panel.",
    ),
    ("disable_tips", "Whether there are no tips on entry."),
    (
        "enable_sharing",
        "Whether every session has a link for those who only watch. The image must be one that can be only watched.",
    ),
    (
        "allow_anonymous_viewers",
        "Whether those who watch need no login.",
    ),
    (
        "disable_shared_fixed_resolution",
        "Whether the screen keeps its own size while others watch.",
    ),
    (
        "kasm_audio_default_on",
        "Whether sound is on when a session starts, where the permission audio allows it.",
    ),
    (
        "kasm_ime_mode_default_on",
        "Whether the streamed screen starts with the input method of the visitor's own machine switched on.",
    ),
];

/// The fields of a group.
pub const GROUP: &[(&str, &str)] = &[
    (
        "name",
        "Users whose login names a group of this name are in it.",
    ),
    ("description", "For administrators only."),
    (
        "priority",
        "For each setting, the lowest number that says something wins.",
    ),
    (
        "client_settings",
        "What its users' sessions are allowed; a change replaces the whole object.",
    ),
];

/// The fields of a network.
pub const NETWORK: &[(&str, &str)] = &[
    ("name", "What links and images call it. It never changes."),
    ("description", "For administrators only."),
    ("subnets", "Where its tasks are placed."),
    (
        "security_groups",
        "What its tasks may reach, and who may reach them.",
    ),
    (
        "assign_public_ip",
        "Whether its tasks get a public address.",
    ),
];

/// The deployment's settings.
pub const SETTINGS: &[(&str, &str)] = &[
    ("captcha_kind", "Who asks whether somebody is there."),
    (
        "captcha_site_key",
        "The public half of the provider's keys; required for every kind but altcha.",
    ),
    (
        "captcha_secret_key",
        "The private half. It can be set and is never shown.",
    ),
    (
        "captcha_verify_url",
        "Where proofs are verified, when it is not the provider's own address.",
    ),
    (
        "captcha_min_score_percent",
        "The lowest score that passes, in hundredths; for recaptcha-v3.",
    ),
    (
        "anonymous_user_hours",
        "When an anonymous user is forgotten, in hours after the claim; 0 and null are never.",
    ),
    (
        "anonymous_users_per_hour",
        "How many anonymous users the deployment makes in an hour; null is as many as come.",
    ),
    (
        "max_sessions",
        "How many sessions may live at once; 0 is maintenance, null is no limit.",
    ),
    (
        "budget_per_hour_cents",
        "What the sessions claimed in one clock hour may cost together, in US cents; null is no limit.",
    ),
    ("budget_per_day_cents", "The same of one day (UTC)."),
    (
        "banned_addresses",
        "Addresses that get nothing from any link.",
    ),
    (
        "attempts_per_minute",
        "How many claims one address may try in a minute.",
    ),
    (
        "calls_per_minute",
        "What one administrator or API key may ask in a minute of one function instance.",
    ),
];

/// The fields of an image.
pub const IMAGE: &[(&str, &str)] = &[
    ("name", "What administrators and visitors call it."),
    ("description", "For administrators only."),
    ("enabled", "Whether sessions of it are started."),
    (
        "task_definition",
        "A task definition that exists; this or `container_image`.",
    ),
    (
        "container_image",
        "A container image, for which a task definition is registered; this or `task_definition`.",
    ),
    (
        "command",
        "What starts the app, with the gate in front; empty when the image starts its app itself. At most 4,096 characters together. Goes with `container_image`.",
    ),
    (
        "cpu",
        "CPU units: 256, 512, 1024, 2048, 4096, 8192 or 16384; null is 1024. Goes with `container_image`.",
    ),
    (
        "memory",
        "MiB, in the steps that Fargate offers for the CPU units; null is 2048. Goes with `container_image`.",
    ),
    (
        "ephemeral_storage",
        "GiB of disk; null is what Fargate gives. Goes with `container_image`.",
    ),
    ("container", "The container of the app in its task."),
    (
        "port",
        "Where the app listens; null when the gate picks a port and tells the app.",
    ),
    (
        "environment",
        "Variables for the app; at most 3,584 characters as ECS counts them. What begins with CAST_ is ours.",
    ),
    (
        "start_timeout_seconds",
        "A session that is not ready by then is given up, and nothing is counted.",
    ),
    ("session_time_limit_seconds", "No session lives longer."),
    (
        "network",
        "The network that its sessions run in; null is the deployment's own.",
    ),
    (
        "allow_network_selection",
        "Whether a link's address may name another network.",
    ),
    (
        "restrict_to_networks",
        "The networks that it may name; empty is all.",
    ),
    (
        "view_only",
        "How those who watch are kept from changing anything; null is that nobody can watch. `selkies` needs a `command`: the gate that starts it tells it who may do what.",
    ),
    (
        "exec_config",
        "Commands that are run inside a session; at most 4,096 bytes. Needs a `command`. A change replaces the whole object.",
    ),
    ("app_https", "Whether the app speaks https."),
    (
        "app_user",
        "The user that the gate is to the app; with `app_password_variable`.",
    ),
    (
        "app_password_variable",
        "The variable in which the app is told the password that the gate makes up; with `app_user`.",
    ),
    (
        "profile_path",
        "The folder in the container that a user finds again in the next session; null keeps nothing. Needs a `command` or a `task_definition`.",
    ),
    (
        "profile_max_mib",
        "A packed profile that is larger than this is not saved, and the one before it stays.",
    ),
    (
        "profile_exclude",
        "What of the folder is left out beside caches, as patterns such as `**/*.tmp`.",
    ),
];

/// The fields of an API key.
pub const API_KEY: &[(&str, &str)] = &[
    ("name", "What the key is for."),
    (
        "scopes",
        "What it may do; when it names none, it reads and changes nothing.",
    ),
    (
        "expires_at",
        "From this time on it opens nothing; null is never.",
    ),
];

/// The fields of a staging config.
pub const STAGING: &[(&str, &str)] = &[
    ("name", "What administrators call the pool."),
    ("description", "For administrators only."),
    ("enabled", "A pool that is off keeps nothing ready."),
    ("image_id", "What its sessions run."),
    (
        "network",
        "Where they run; null is the image's own network.",
    ),
    (
        "group_id",
        "Beside All Users, the group whose permissions its sessions are started with.",
    ),
    ("desired_sessions", "How many sessions shall be ready."),
    (
        "expiration_hours",
        "After so many hours an unused session is replaced by a fresh one.",
    ),
    (
        "schedule",
        "When in the week the pool is kept; null is always.",
    ),
    (
        "daily_budget_cents",
        "The most that its unused sessions may cost in a day (UTC), in US cents; null is no cap.",
    ),
];
