//! Owns the names of all variables that a session's app is started with. `docs/environment.md` says
//! what each one means, and `tests/plans/docs.rs` holds it to this list. Must not know how a task
//! is started.

use crate::permission::Permission;

/// The id of the session's user; every visitor without a login has one of their own.
pub const USER: &str = "CAST_USER";
/// The same, under the name that session images of the kasmweb family read.
pub const KASM_USER_ID: &str = "KASM_USER_ID";
/// The name of a user who has logged in.
pub const KASM_USER: &str = "KASM_USER";
/// The id of the link that the session was claimed by.
pub const CAST_ID: &str = "CAST_ID";
/// The keyed hash of the address that the claim came from, as the ledger has it.
pub const ADDRESS_HASH: &str = "CAST_ADDRESS_HASH";
/// Who was invited, where the claim came by an invitation. Never its id, which opens the link.
pub const INVITED: &str = "CAST_INVITED";
/// The label of that invitation.
pub const INVITATION_LABEL: &str = "CAST_INVITATION_LABEL";
/// The image's name.
pub const IMAGE: &str = "CAST_IMAGE";
/// The network's name.
pub const NETWORK: &str = "CAST_NETWORK";
/// The address to be opened.
pub const KASM_URL: &str = "KASM_URL";
/// The permissions, as names separated by commas.
pub const PERMISSIONS: &str = "CAST_PERMISSIONS";
/// The session's id.
pub const SESSION_ID: &str = "CAST_SESSION_ID";
/// How long the session may live once it is ready, or once it has its visitor, in seconds.
pub const TIME_LIMIT_SECONDS: &str = "CAST_TIME_LIMIT_SECONDS";
/// The folder with the user's files.
pub const PROFILE_PATH: &str = "CAST_PROFILE_PATH";

/// The text that a gate exchanges once for its secret, before it starts the app.
pub const BOOTSTRAP_TOKEN: &str = "CAST_BOOTSTRAP_TOKEN";

/// How the app streams, where a gate has to know that before it starts: `selkies`.
pub const APP_STREAM: &str = "CAST_APP_STREAM";
/// With which path the addresses of the session's files begin, for the gate that closes them.
pub const APP_FILES: &str = "CAST_APP_FILES";
/// The port at which the app serves its sound, for the gate that leads it to the viewer.
pub const APP_SOUND_PORT: &str = "CAST_APP_SOUND_PORT";
/// The loopback port at which the app is to serve Chrome DevTools, and the gate finds them; only
/// where the image has one and the session's permissions allow it.
pub const DEVTOOLS_PORT: &str = "CAST_DEVTOOLS_PORT";
/// The permissions without which there are no DevTools: whoever drives a browser by them reads and
/// writes its files and its clipboard.
pub const DEVTOOLS_NEED: [Permission; 4] = [
    Permission::ClipboardDown,
    Permission::ClipboardUp,
    Permission::Downloads,
    Permission::Uploads,
];
/// The socket behind which the gate finds that port, where the session has a network of its own.
pub const DEVTOOLS_SOCKET: &str = "CAST_DEVTOOLS_SOCKET";
/// By which Selkies, the streaming server, knows its gate.
pub const MASTER_TOKEN: &str = "SELKIES_MASTER_TOKEN";

/// The variables of an app besides the image's own environment, in any container.
pub const OF_APP: [&str; 22] = [
    USER,
    KASM_USER_ID,
    KASM_USER,
    CAST_ID,
    ADDRESS_HASH,
    INVITED,
    INVITATION_LABEL,
    IMAGE,
    NETWORK,
    KASM_URL,
    PERMISSIONS,
    DEVTOOLS_PORT,
    "KASM_SVC_AUDIO",
    "KASM_SVC_AUDIO_INPUT",
    "KASM_SVC_UPLOADS",
    "KASM_SVC_GAMEPAD",
    "KASM_SVC_WEBCAM",
    "KASM_SVC_PRINTER",
    "KASM_SVC_SEND_CUT_TEXT",
    "KASM_SVC_ACCEPT_CUT_TEXT",
    "KASM_AUDIO_DEFAULT_ON",
    "KASM_IME_MODE_DEFAULT_ON",
];

/// The further variables of an app whose gate stands beside it, where something is not allowed:
/// Selkies in images of the linuxserver family reads them.
pub const OF_SELKIES: [&str; 6] = [
    "SELKIES_AUDIO_ENABLED",
    "SELKIES_MICROPHONE_ENABLED",
    "SELKIES_GAMEPAD_ENABLED",
    "SELKIES_CLIPBOARD_IN_ENABLED",
    "SELKIES_CLIPBOARD_OUT_ENABLED",
    "SELKIES_FILE_TRANSFERS",
];

/// The further variables of an app that its gate starts, in one container.
pub const BESIDE_GATE: [&str; 5] = [
    SESSION_ID,
    TIME_LIMIT_SECONDS,
    PROFILE_PATH,
    "PORT",
    MASTER_TOKEN,
];

/// The variables of the gate only: it passes none of these on to the app that it starts.
pub const OF_GATE: [&str; 13] = [
    BOOTSTRAP_TOKEN,
    "CAST_REPORT_URL",
    "CAST_KEEPALIVE_SECONDS",
    "CAST_GATE_LISTEN",
    "CAST_APP_PORT",
    "CAST_APP_HTTPS",
    APP_SOUND_PORT,
    DEVTOOLS_SOCKET,
    APP_STREAM,
    APP_FILES,
    "CAST_APP_USER",
    "CAST_APP_PASSWORD_VARIABLE",
    "CAST_RECLAIM_SECONDS",
];
