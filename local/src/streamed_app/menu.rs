//! Owns what the desktop looks like and offers: the configuration of its window manager. Must not
//! start anything.

/// The configuration, for the program of this name, which opens the browser of its session.
pub(super) fn configuration(this_program: &str) -> String {
    format!(
        r##"<?xml version="1.0"?>
<JWM>
  <RootMenu onroot="123" height="28">
    <Program label="Browser">{this_program} open</Program>
    <Program label="Terminal">xterm -fa Monospace -fs 11 -bg '#16191d' -fg '#e8eaed'</Program>
    <Program label="Files">pcmanfm</Program>
  </RootMenu>
  <Tray x="0" y="-1" height="34" autohide="off">
    <TrayButton label="Menu">root:1</TrayButton>
    <TaskList maxwidth="240"/>
    <Dock/>
    <Clock format="%H:%M"/>
  </Tray>
  <WindowStyle><Font>Sans-10</Font><Width>4</Width><Height>26</Height><Active><Background>#2f5d8a</Background><Foreground>#ffffff</Foreground></Active></WindowStyle>
  <TrayStyle><Font>Sans-10</Font><Background>#23272d</Background><Foreground>#e8eaed</Foreground></TrayStyle>
  <MenuStyle><Font>Sans-10</Font></MenuStyle>
  <Desktops width="1" height="1"><Background type="solid">#3b4754</Background></Desktops>
  <FocusModel>click</FocusModel>
  <MoveMode>opaque</MoveMode>
  <ResizeMode>opaque</ResizeMode>
  <Key mask="A" key="Tab">nextstacked</Key>
  <Key mask="A" key="F4">close</Key>
</JWM>
"##
    )
}
