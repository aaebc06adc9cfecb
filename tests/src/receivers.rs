//! Owns the receiver of webhooks of the fault suite's world: it takes every event that reaches it, and
//! remembers which.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use casting_core::ports::Webhooks;
use casting_core::webhook::{WebhookAnswer, WebhookRequest};

use crate::faults::{CallFault, fault_of_next_call, signal_crash};

/// Where the events of a world go.
#[derive(Default)]
pub struct TestReceiver(Mutex<BTreeMap<String, u32>>);

impl TestReceiver {
    /// The ids of the events that it was sent, and how often.
    pub fn taken(&self) -> BTreeMap<String, u32> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.clone()
    }

    fn take(&self, request: &WebhookRequest) -> WebhookAnswer {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *taken.entry(request.id.clone()).or_default() += 1;
        WebhookAnswer::Answered {
            status: 204,
            body: Vec::new(),
            is_whole: true,
        }
    }
}

#[async_trait]
impl Webhooks for TestReceiver {
    async fn post(&self, request: &WebhookRequest, _millis: u64, _most: usize) -> WebhookAnswer {
        let lost = |words: &str| WebhookAnswer::Failed(words.to_owned());
        match fault_of_next_call("Webhook").await {
            CallFault::Pass => self.take(request),
            CallFault::Refused(_) | CallFault::LostBefore => lost("it was lost"),
            CallFault::LostAfter => {
                self.take(request);
                lost("the answer was lost")
            }
            CallFault::CrashBefore => {
                signal_crash();
                std::future::pending().await
            }
            CallFault::CrashAfter => {
                self.take(request);
                signal_crash();
                std::future::pending().await
            }
        }
    }
}
