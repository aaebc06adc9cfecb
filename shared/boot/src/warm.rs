//! Owns the opening of connections while a function starts: Lambda gives full CPU then, and the
//! first visitor does not wait for two handshakes.

use std::time::Duration;

use casting_core::ControlPlane;
use casting_core::ids::SessionId;

/// Longer than this, starting is not held up.
const LIMIT: Duration = Duration::from_millis(1500);

/// Asks DynamoDB and ECS for something that is not there. Whatever they answer, the connections
/// stand, and endpoint, signature and parsers have been used once.
pub(crate) async fn connect(control_plane: &ControlPlane) {
    let nothing = SessionId::from_bytes([0; 16]);
    let no_task = ["warm".to_owned()];
    let calls = async {
        let (store, launcher) = tokio::join!(
            control_plane.store.session(&nothing),
            control_plane.launcher.describe(&no_task)
        );
        for fault in [store.err(), launcher.err()].into_iter().flatten() {
            tracing::debug!(%fault, "A first call was not answered as usual");
        }
    };
    if tokio::time::timeout(LIMIT, calls).await.is_err() {
        tracing::warn!(
            "The first calls were not answered in time; the connections are opened later"
        );
    }
}
