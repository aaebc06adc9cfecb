//! Owns the options that Selkies is started with: shaped for a small machine, and closed where the
//! visitor has no permission. Must not start it.

use casting_core::permission::Permission;

use crate::browser_app::settings::Settings;

/// What holds for every session. Nothing is sent while the picture stands still, and then the screen
/// is looked at 5 times a second only, as the gate's script asks for it; moving pictures come 30
/// times a second; and what a page of ours has (panel, sharing, time left) Selkies does not
/// show a second time.
const ALWAYS: [&str; 30] = [
    "--addr=127.0.0.1",
    "--enable-basic-auth=false",
    "--mode=websockets",
    "--enable-dual-mode=false|locked",
    "--rate-control-mode=crf",
    "--video-streaming-mode=false",
    "--framerate=30,5-60",
    "--audio-frame-duration-ms=20",
    "--use-css-scaling=true",
    "--auto-gpu=false",
    "--use-cpu=true",
    "--gamepad-enabled=false|locked",
    "--uinput-gamepad=false",
    "--webcam-enabled=false|locked",
    "--command-enabled=false|locked",
    "--printing-enabled=false|locked",
    "--second-screen=false|locked",
    // A viewer with control uses the session beside its owner, and does not replace the owner.
    "--enable-sharing=true",
    "--enable-collab=false|locked",
    "--ui-title=Session",
    "--ui-show-logo=false",
    "--ui-sidebar-show-video-settings=false",
    "--ui-sidebar-show-screen-settings=false",
    "--ui-sidebar-show-stats=false",
    "--ui-sidebar-show-apps=false",
    "--ui-sidebar-show-sharing=false",
    "--ui-sidebar-show-gamepads=false",
    "--ui-sidebar-show-gaming-mode=false",
    "--ui-sidebar-show-webcam=false",
    "--ui-sidebar-show-shortcuts=false",
];

/// The options for this session. `files`: the folder that uploads come to and downloads are taken
/// from.
pub(super) fn options(settings: &Settings, files: &str) -> Vec<String> {
    let allows = |permission| settings.allows(permission);
    let switch = |name: &str, on: bool| format!("--{name}={on}|locked");
    let clipboard = match (settings.paste_in, settings.copy_out) {
        (true, true) => "true",
        (true, false) => "in",
        (false, true) => "out",
        (false, false) => "false",
    };
    let transfers = match (allows(Permission::Uploads), allows(Permission::Downloads)) {
        (true, true) => "upload,download",
        (true, false) => "upload",
        (false, true) => "download",
        (false, false) => "none",
    };
    let sound = allows(Permission::Audio);
    let mut options: Vec<String> = ALWAYS.map(str::to_owned).into();
    options.extend([
        format!("--port={}", settings.port),
        format!("--enable-clipboard={clipboard}"),
        format!("--file-transfers={transfers}"),
        format!("--file-manager-path={files}"),
        switch("audio-enabled", sound),
        format!("--audio-on-start={}", sound && settings.sound_on),
        switch(
            "microphone-enabled",
            sound && allows(Permission::Microphone),
        ),
        format!("--ui-sidebar-show-files={}", transfers != "none"),
        format!("--ui-sidebar-show-clipboard={}", clipboard != "false"),
    ]);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_follow_the_permissions() {
        for (permissions, expected) in [
            (
                "",
                [
                    "enable-clipboard=false",
                    "file-transfers=none",
                    "audio-enabled=false|locked",
                    "microphone-enabled=false|locked",
                ],
            ),
            (
                "clipboard_up,uploads,audio",
                [
                    "enable-clipboard=in",
                    "file-transfers=upload",
                    "audio-enabled=true|locked",
                    "microphone-enabled=false|locked",
                ],
            ),
            (
                "clipboard_down,downloads,microphone",
                [
                    "enable-clipboard=out",
                    "file-transfers=download",
                    "audio-enabled=false|locked",
                    "microphone-enabled=false|locked",
                ],
            ),
            (
                "audio,clipboard_down,clipboard_up,downloads,microphone,uploads",
                [
                    "enable-clipboard=true",
                    "file-transfers=upload,download",
                    "audio-enabled=true|locked",
                    "microphone-enabled=true|locked",
                ],
            ),
        ] {
            let said = options(&Settings::allowing(permissions), "/files");
            for option in expected {
                assert!(
                    said.contains(&format!("--{option}")),
                    "{permissions}: {option} in {said:?}"
                );
            }
        }
    }
}
