//! Owns how a claim asks the admission hook of its link, once all rules admit the visitor: a server of
//! the operator's, which has the last word.

use super::ClaimAttempt;
use crate::METRICS;
use crate::address;
use crate::admission_hook::{self, ANSWER_BYTES, Applicant, HookFact};
use crate::flow::FlowError;
use crate::hook::HookId;
use crate::image::Image;
use crate::invitation::Invitation;
use crate::policy::Admission;
use crate::ports::Fault;
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
        let answer = match self.call_server(admission, image, now).await {
            Ok(answer) => self.take_up(answer, now).await?,
            Err(why) => Err(why),
        };
        if let Err(why) = answer {
            tracing::info!(target: METRICS, admission_unanswered = 1_u64);
            tracing::error!(cast.id = %self.cast.id, why,
                "The admission hook of a link gives no answer");
            self.take_up(HookFact::Unanswered, now).await?.ok();
        }
        Ok(None)
    }

    /// Notes the answer, and loads the network and the group that it names. One that names what is not
    /// there is no answer: the visitor would get something else than was meant.
    async fn take_up(
        &mut self,
        answer: HookFact,
        now: Timestamp,
    ) -> Result<Result<(), String>, Fault> {
        let (plane, cast) = (self.plane, self.cast.clone());
        let earlier = std::mem::replace(&mut self.context.hook, answer);
        let names = |fact: &HookFact| fact.network().is_some() || fact.group_id().is_some();
        if names(&earlier) || names(&self.context.hook) {
            plane.gather_for(&cast, &mut self.context, now).await?;
        }
        let context = &self.context;
        if let Some(named) = context.hook.network()
            && context.network.as_deref().map(|network| &network.id) != Some(named)
        {
            return Ok(Err(format!(
                "it names the network {named}, which is not there"
            )));
        }
        if let Some(named) = context.hook.group_id() {
            let groups = plane.cache.groups(&*plane.store, now).await?;
            if groups.iter().all(|group| group.id != *named) {
                return Ok(Err(format!(
                    "it names the group {named}, which is not there"
                )));
            }
        }
        Ok(Ok(()))
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
