//! Owns the push to a session's gate when its directives have changed. The gate then reports at
//! once and gets the new ones in reply, so a push carries no directives and cannot arrive out of
//! order. A lost push costs time only: every gate reports once a minute.

use super::ControlPlane;
use super::assign::ORDER_SECONDS;
use crate::session::{Endpoint, Session, State};
use crate::ticket::{Role, SessionTicket};
use crate::time::Timestamp;

impl ControlPlane {
    /// Makes the gate of a session that was ready as `known` fetch its directives again. Waits for
    /// a few seconds at most until the gate is reached.
    pub(super) async fn refresh_gate(&self, known: &Session) {
        let (Some(gates), State::Ready { endpoint, .. }) = (&self.gates, &known.state) else {
            return;
        };
        let expires = self.clock.now().plus_seconds(ORDER_SECONDS);
        let enter = self.way_to_gate(known, endpoint, expires);
        if let Err(why) = gates.refresh(&known.id, &enter).await {
            let id = &known.id;
            tracing::warn!(
                session.id = %id,
                why,
                "The gate of session {id} was not reached; its next report brings the change"
            );
        }
    }

    /// The ticket with which the control plane itself reaches a gate through the edge.
    pub(super) fn way_to_gate(
        &self,
        session: &Session,
        endpoint: &Endpoint,
        expires: Timestamp,
    ) -> String {
        SessionTicket {
            session: session.id.clone(),
            role: Role::Owner,
            watcher: None,
            origin: Some(self.urls.entry_origin()),
            host: endpoint.host.clone(),
            port: endpoint.port,
            expires,
        }
        .sign(self.keys.sessions().named(&session.secret_key))
    }
}
