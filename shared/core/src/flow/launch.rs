//! Owns the start of a reserved session's task. May run several times for one session, concurrently
//! and after a crash: ECS sees one client token.

use std::collections::BTreeMap;

use super::{ControlPlane, FlowError, outcome};
use crate::denial::DenialCode;
use crate::ids::UserId;
use crate::image::KASM_URL_PLACEHOLDER;
use crate::keys::SessionKey;
use crate::network::DEFAULT_NETWORK;
use crate::permission::PERMISSIONS_VARIABLE;
use crate::ports::{Fault, Run, Task, TaskSpec};
use crate::session::{EndReason, Owner, Session, State};
use crate::session_environment as variables;
use crate::session_options::ViewOnly;

impl ControlPlane {
    /// Starts the task of a session that was just reserved by this very call, or whose turn it is;
    /// ends the session when ECS refuses, and queues the start when ECS throttles. Without an answer
    /// the session stays reserved: the visitor waits, and the sweep asks ECS later.
    ///
    /// The row is not written again: ECS's first event brings the task, or the sweep finds it by
    /// `startedBy`. The session that is returned knows it already.
    pub(super) async fn launch(&self, session: Session) -> Result<Session, FlowError> {
        if !session.may_launch(self.clock.now()) {
            return Ok(session);
        }
        if !session.has_turn() && self.turns.are_ahead(self.clock.now()) {
            return Ok(self.queue_start(session).await?);
        }
        let session = match self.launcher.run(&self.spec(&session)).await {
            Run::Started(task) => return Ok(expecting(session, &task)),
            Run::Throttled(_) => return Ok(self.queue_start(session).await?),
            Run::NoCapacity(detail) if session.launch.attempt < self.launcher.capacities() => {
                tracing::warn!(session.id = %session.id, detail,
                    "ECS has no room for session {}; trying the next capacity", session.id);
                return self.launch_elsewhere(session).await;
            }
            Run::NoCapacity(detail) => {
                tracing::warn!(session.id = %session.id, detail, "ECS has no room for session {}", session.id);
                self.settle_refused(session, EndReason::NoCapacity).await?
            }
            Run::Refused(detail) => {
                tracing::error!(session.id = %session.id, detail, "ECS refused session {}", session.id);
                self.settle_refused(session, EndReason::StartRefused { detail })
                    .await?
            }
            Run::Unknown(detail) => {
                tracing::warn!(session.id = %session.id, detail, "No answer from ECS for session {}", session.id);
                session
            }
        };
        match outcome(&session) {
            Some(denial) => Err(denial.into()),
            None => Ok(session),
        }
    }

    /// Starts the session on the next capacity, as its next attempt: written first, because a call
    /// that comes again must not find a client token that two kinds of capacity share.
    async fn launch_elsewhere(&self, session: Session) -> Result<Session, FlowError> {
        let (id, refused) = (session.id.clone(), session.launch.attempt);
        let row = self
            .move_session(&id, Some(session), |row| {
                if row.launch.attempt != refused {
                    return None;
                }
                row.with_next_capacity().ok()
            })
            .await?
            .ok_or(DenialCode::UnknownSession)?;
        Box::pin(self.launch(row)).await
    }

    /// Starts the task of a session that an earlier call reserved, unless its row says that it has
    /// one. The earlier call may have started it, or be about to: so a refusal proves nothing, and
    /// the session stays reserved. If there is no task, the sweep refunds the claim.
    pub(super) async fn launch_again(&self, session: Session) -> Session {
        if !session.may_launch(self.clock.now()) {
            return session;
        }
        match self.launcher.run(&self.spec(&session)).await {
            Run::Started(task) => expecting(session, &task),
            Run::Throttled(detail)
            | Run::NoCapacity(detail)
            | Run::Refused(detail)
            | Run::Unknown(detail) => {
                tracing::warn!(session.id = %session.id, detail, "Could not repeat the start of session {}", session.id);
                session
            }
        }
    }

    /// Records the task of a session. If the session has ended meanwhile, or has another task, this
    /// one is stopped: no task lives without a session.
    pub(super) async fn attach(&self, session: Session, task: &Task) -> Result<Session, Fault> {
        let id = session.id.clone();
        let row = self
            .move_session(&id, Some(session), |row| {
                let known = row
                    .task
                    .as_ref()
                    .is_some_and(|known| known.arn == task.task.arn);
                if known {
                    None
                } else {
                    row.started(task.task.clone()).ok()
                }
            })
            .await?;
        match row {
            Some(row)
                if row
                    .task
                    .as_ref()
                    .is_some_and(|known| known.arn == task.task.arn)
                    && row.is_live() =>
            {
                if let State::Stopping { .. } = row.state {
                    return self.complete_stop(row).await;
                }
                Ok(row)
            }
            row => {
                tracing::warn!(session.id = %id, task.arn = task.task.arn,
                    "Stopping a task that session {id} has no use for");
                self.launcher
                    .stop(&task.task.arn, "its session has ended")
                    .await?;
                row.ok_or_else(|| Fault {
                    kind: crate::ports::FaultKind::Corrupt,
                    what: "attach a task",
                    detail: format!("session {id} is gone"),
                })
            }
        }
    }

    /// Refunds the claim after a refused start; a session that has moved on meanwhile is left
    /// alone.
    async fn settle_refused(
        &self,
        session: Session,
        reason: EndReason,
    ) -> Result<Session, FlowError> {
        let (id, now) = (session.id.clone(), self.clock.now());
        let row = self
            .move_session(&id, Some(session), |row| match row.state {
                State::Reserved => row.ended(reason.clone(), now).ok(),
                _ => None,
            })
            .await?;
        row.ok_or_else(|| DenialCode::UnknownSession.into())
    }

    /// The RunTask request; the same for every repetition.
    fn spec(&self, session: &Session) -> TaskSpec {
        let launch = &session.launch;
        let key = self.keys.sessions().named(&session.secret_key);
        let secret = key.secret(&session.id);
        let (mut app, mut gate) = (
            self.app_environment(session),
            self.gate_environment(session, key),
        );
        if let Some(variable) = &launch.app.password_variable {
            app.insert(variable.clone(), secret.app_password());
            gate.insert(variable.clone(), secret.app_password());
        }
        let gate_environment = if launch.gate_beside {
            Some(gate.into_iter().collect())
        } else {
            app.extend(gate);
            None
        };
        TaskSpec {
            session: session.id.clone(),
            client_token: session.client_token(),
            attempt: launch.attempt,
            task_definition: launch.task_definition.clone(),
            container: launch.container.clone(),
            environment: app.into_iter().collect(),
            gate_environment,
            placement: launch
                .network
                .as_ref()
                .map(|network| network.placement.clone()),
        }
    }

    /// The environment of the session's app.
    fn app_environment(&self, session: &Session) -> BTreeMap<String, String> {
        let launch = &session.launch;
        let mut environment = launch.environment.clone();
        // The image's own values of these are for sessions without permissions of their own.
        let beside = launch
            .gate_beside
            .then(|| session.grant.selkies_environment());
        environment.extend(
            session
                .grant
                .environment()
                .into_iter()
                .chain(beside.into_iter().flatten())
                .map(|(name, value)| (name.to_owned(), value)),
        );
        let mut set =
            |name: &str, value: &str| environment.insert(name.to_owned(), value.to_owned());
        set(variables::IMAGE, &launch.image_name);
        if let Some(port) = session.devtools_port() {
            set(variables::DEVTOOLS_PORT, &port.to_string());
        }
        set(
            variables::NETWORK,
            launch
                .network
                .as_ref()
                .map_or(DEFAULT_NETWORK, |network| network.name.as_str()),
        );
        environment.extend(visitor_environment(session));
        place_address(&mut environment, launch.kasm_url.as_deref());
        environment
    }

    /// The environment of the session's gate.
    fn gate_environment(&self, session: &Session, key: &SessionKey) -> BTreeMap<String, String> {
        let app = &session.launch.app;
        let mut environment = BTreeMap::new();
        let mut set =
            |name: &str, value: &str| environment.insert(name.to_owned(), value.to_owned());
        set(variables::SESSION_ID, session.id.as_str());
        // The gate's secret stays in the control plane until its gate exchanges its token.
        let token = key.bootstrap_token(&session.id, session.launch.attempt);
        set(variables::BOOTSTRAP_TOKEN, &token);
        set("CAST_REPORT_URL", &self.urls.report_url);
        set(
            variables::TIME_LIMIT_SECONDS,
            &session.time_limit_seconds.to_string(),
        );
        set(
            "CAST_KEEPALIVE_SECONDS",
            &session.keepalive_seconds().to_string(),
        );
        for (name, value) in session.grant.environment() {
            if name == PERMISSIONS_VARIABLE {
                set(name, &value);
            }
        }
        if let Some(port) = session.launch.port {
            set("CAST_APP_PORT", &port.to_string());
        }
        if let Some(profile) = &session.profile {
            set(variables::PROFILE_PATH, &profile.path);
        }
        if app.https {
            set("CAST_APP_HTTPS", "1");
        }
        if let Some(path) = &app.files_path {
            set(variables::APP_FILES, path);
        }
        if let Some(port) = app.sound_port {
            set(variables::APP_SOUND_PORT, &port.to_string());
        }
        if let Some(port) = session.devtools_port() {
            set(variables::DEVTOOLS_PORT, &port.to_string());
        }
        if session.options.view_only == Some(ViewOnly::Selkies) {
            set(variables::APP_STREAM, ViewOnly::Selkies.as_str());
        }
        if let (Some(name), Some(variable)) = (&app.user, &app.password_variable) {
            set("CAST_APP_USER", name);
            set("CAST_APP_PASSWORD_VARIABLE", variable);
        }
        environment
    }
}

/// Puts the address where the image has a place for it, which is then the only one: a task has no
/// room for it twice.
fn place_address(environment: &mut BTreeMap<String, String>, address: Option<&str>) {
    let mut is_placed = false;
    for (name, value) in environment.iter_mut() {
        if name != variables::KASM_URL && value.contains(KASM_URL_PLACEHOLDER) {
            *value = value.replace(KASM_URL_PLACEHOLDER, address.unwrap_or_default());
            is_placed = true;
        }
    }
    if is_placed {
        environment.remove(variables::KASM_URL);
    }
}

/// The session as its row will be once ECS's first event has brought its task. Its revision stays
/// that of the row, so that nothing is written over another move.
fn expecting(session: Session, task: &Task) -> Session {
    match session.started(task.task.clone()) {
        Ok(started) => Session {
            rev: session.rev,
            ..started
        },
        Err(_) => session,
    }
}

/// The variables about the visitor and their request; none while the session is unassigned.
fn visitor_environment(session: &Session) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::new();
    if session.is_unassigned() {
        return environment;
    }
    let user = session.owner.id().map_or("", UserId::as_str);
    let mut set = |name: &str, value: &str| environment.insert(name.to_owned(), value.to_owned());
    set(variables::USER, user);
    set(variables::KASM_USER_ID, user);
    set(variables::CAST_ID, session.cast_id.as_str());
    set(variables::ADDRESS_HASH, &session.origin.address);
    if let Owner::User { name, .. } = &session.owner {
        set(variables::KASM_USER, name);
    }
    if let Some(invited) = &session.invitation {
        set(variables::INVITED, &invited.name);
        if !invited.label.is_empty() {
            set(variables::INVITATION_LABEL, &invited.label);
        }
    }
    if let Some(url) = &session.launch.kasm_url {
        set(variables::KASM_URL, url);
    }
    let switch = |on: bool| if on { "1" } else { "0" };
    set("KASM_AUDIO_DEFAULT_ON", switch(session.options.audio_on));
    set("KASM_IME_MODE_DEFAULT_ON", switch(session.options.ime_on));
    environment
}

/// The same for the command `assign` of a session that was started in advance, which learns its
/// time limit late.
pub(super) fn assigned_environment(session: &Session) -> BTreeMap<String, String> {
    let mut environment = visitor_environment(session);
    environment.insert(
        variables::TIME_LIMIT_SECONDS.to_owned(),
        session.time_limit_seconds.to_string(),
    );
    environment
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cast, session};

    #[test]
    fn address_goes_where_the_image_has_a_place_for_it() {
        let url = "https://a.example/";
        for (name, own, address, expected) in [
            (
                "a place",
                ("CHROME_CLI", "--flag {kasm_url}"),
                Some(url),
                vec![("CHROME_CLI", "--flag https://a.example/")],
            ),
            (
                "a place and no address",
                ("CHROME_CLI", "--flag {kasm_url}"),
                None,
                vec![("CHROME_CLI", "--flag ")],
            ),
            (
                "no place",
                ("MOOD", "good"),
                Some(url),
                vec![("KASM_URL", url), ("MOOD", "good")],
            ),
        ] {
            let of_visitor = address.map(|url| (variables::KASM_URL, url));
            let mut environment = BTreeMap::from_iter(
                [own]
                    .into_iter()
                    .chain(of_visitor)
                    .map(|(name, value)| (name.to_owned(), value.to_owned())),
            );
            place_address(&mut environment, address);
            let expected = expected
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(environment, expected.collect(), "{name}");
        }
    }

    #[test]
    fn container_knows_the_guest_and_not_the_invitation() {
        let mut session = session(&cast(1), 1);
        assert!(!assigned_environment(&session).contains_key(variables::INVITED));
        let id = crate::testing::invitation(1).id;
        session.invitation = Some(crate::invitation::Invited {
            id: id.clone(),
            name: "Grace".into(),
            label: "Class 7b".into(),
        });
        let environment = assigned_environment(&session);
        assert_eq!(environment[variables::INVITED], "Grace");
        assert_eq!(environment[variables::INVITATION_LABEL], "Class 7b");
        let tells_id = |value: &String| value.contains(id.as_str());
        assert!(!environment.values().any(tells_id), "the id opens the link");
    }

    #[test]
    fn container_gets_sound_and_input_method() {
        for (audio_on, ime_on, audio, ime) in [(true, false, "1", "0"), (false, true, "0", "1")] {
            let mut session = session(&cast(1), 1);
            session.options.audio_on = audio_on;
            session.options.ime_on = ime_on;
            let environment = assigned_environment(&session);
            assert_eq!(environment["KASM_AUDIO_DEFAULT_ON"], audio);
            assert_eq!(environment["KASM_IME_MODE_DEFAULT_ON"], ime);
        }
    }
}
