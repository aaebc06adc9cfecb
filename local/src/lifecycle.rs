//! Owns the local EventBridge: hands ECS's events and the schedule to the lifecycle function, and
//! tries again when it fails, as EventBridge does.

use std::sync::Arc;
use std::time::Duration;

use casting_core::ControlPlane;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How often an event that the function failed on is given to it.
const TRIES: u32 = 5;

/// How often events are sent to hooks: a deployment does so when its table's stream reports one.
const SEND_EVERY: Duration = Duration::from_secs(1);

/// The tasks that deliver the events.
pub struct EventPump {
    events: JoinHandle<()>,
    finish: oneshot::Sender<()>,
    schedule: Option<[JoinHandle<()>; 2]>,
}

impl EventPump {
    /// Starts to carry `events`, and fires the schedule every `sweep_every`.
    pub fn start(
        control_plane: Arc<ControlPlane>,
        events: UnboundedReceiver<Value>,
        sweep_every: Option<Duration>,
    ) -> Self {
        let schedule = sweep_every.map(|every| {
            [
                tokio::spawn(run_schedule(control_plane.clone(), every)),
                tokio::spawn(send_events(control_plane.clone())),
            ]
        });
        let (finish, finished) = oneshot::channel();
        Self {
            events: tokio::spawn(forward_events(control_plane, events, finished)),
            finish,
            schedule,
        }
    }

    /// Carries the events that have come so far, then stops.
    pub async fn finish(self) {
        for schedule in self.schedule.into_iter().flatten() {
            schedule.abort();
        }
        let _ = self.finish.send(());
        let _ = self.events.await;
    }
}

async fn forward_events(
    control_plane: Arc<ControlPlane>,
    mut events: UnboundedReceiver<Value>,
    mut finished: oneshot::Receiver<()>,
) {
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => deliver(&control_plane, event).await,
                None => return,
            },
            _ = &mut finished => break,
        }
    }
    while let Ok(event) = events.try_recv() {
        deliver(&control_plane, event).await;
    }
}

async fn run_schedule(control_plane: Arc<ControlPlane>, every: Duration) {
    let mut interval = tokio::time::interval(every);
    loop {
        interval.tick().await;
        deliver(&control_plane, json!({ "version": "0", "source": "aws.events", "detail-type": "Scheduled Event", "detail": {} })).await;
    }
}

/// Sends what waits for its hook.
async fn send_events(control_plane: Arc<ControlPlane>) {
    let mut interval = tokio::time::interval(SEND_EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if let Err(fault) = control_plane.deliver().await {
            tracing::warn!(%fault, "Events could not be sent; the next second tries again");
        }
    }
}

async fn deliver(control_plane: &ControlPlane, event: Value) {
    for attempt in 1..=TRIES {
        match casting_fn_lifecycle::handle(control_plane, event.clone()).await {
            Ok(()) => return,
            Err(error) => {
                tracing::warn!(%error, attempt, "The lifecycle function failed on an event");
                tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
            }
        }
    }
}
