//! Owns how a claim asks the admission hook of its link, once all rules admit the visitor: a server of
//! the operator's, which has the last word.

use super::ClaimAttempt;
use crate::address;
use crate::admission_hook::{self, ANSWER_BYTES, Applicant, HookFact};
use crate::flow::FlowError;
use crate::hook::HookId;
use crate::image::Image;
use crate::invitation::Invitation;
use crate::policy::Admission;
use crate::session::Session;
use crate::time::Timestamp;
use crate::webhook::WebhookRequest;

impl ClaimAttempt<'_> {
    /// Whether the server is yet to be asked about this claim.
    pub(super) fn is_to_be_asked(&self) -> bool {
        let has_server = self.cast.settings.admission_hook.server().is_some();
        has_server && self.context.hook == HookFact::NotAsked
    }

    /// Asks the server, and notes its answer for the rules. Returns the session of an earlier claim
    /// with the same ticket, about which it was asked before.
    pub(super) async fn ask_hook(
        &mut self,
        admission: &Admission,
        image: &Image,
        now: Timestamp,
    ) -> Result<Option<Session>, FlowError> {
        if let Some(earlier) = self.plane.store.session(&self.id).await? {
            return self.same_request(earlier).map(Some);
        }
        self.context.hook = match self.call_server(admission, image, now).await {
            Ok(answer) => answer,
            Err(why) => {
                tracing::error!(cast.id = %self.cast.id, why,
                    "The admission hook of a link gives no answer");
                HookFact::Unanswered
            }
        };
        Ok(None)
    }

    async fn call_server(
        &self,
        admission: &Admission,
        image: &Image,
        now: Timestamp,
    ) -> Result<HookFact, String> {
        let (cast, context, plane) = (&self.cast, &self.context, self.plane);
        let hook = &cast.settings.admission_hook;
        let (Some(url), Some(sender)) = (hook.server(), &plane.webhooks) else {
            return Err("nothing is asked from here".to_owned());
        };
        let limit = image.settings.session_time_limit_seconds;
        let network = admission.network.as_ref();
        let applicant = Applicant {
            claim: &self.id,
            address: address::hash(context.visitor.address, &plane.keys),
            referrer: self.ticket.referrer.as_deref(),
            user: context.visitor.user.as_ref(),
            invitation: context.invitation.as_ref().map(Invitation::invited),
            kasm_url: admission.kasm_url.url.as_deref(),
            network: network.map(|network| network.id.as_str()),
            time_limit_seconds: context.grant.time_limit_seconds(limit),
        };
        let state = plane.hook_state(&HookId::Cast(cast.id.clone())).await;
        let state = state.map_err(|fault| fault.to_string())?;
        let request = WebhookRequest::signed(
            url,
            &admission_hook::question_id(&self.id),
            now,
            &state.secrets(now),
            admission_hook::question(cast, &applicant, now),
        );
        let answer = sender.post(&request, hook.millis.into(), ANSWER_BYTES);
        admission_hook::read_answer(answer.await)
    }
}
