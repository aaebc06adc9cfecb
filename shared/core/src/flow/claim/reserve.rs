//! Owns how a claim is evaluated and reserved. One transaction takes everything, including a
//! session that was started in advance.

use std::sync::Arc;

use super::ClaimAttempt;
use crate::METRICS;
use crate::address;
use crate::captcha::{CaptchaCheck, CaptchaVerdict, Proof};
use crate::cast::Cast;
use crate::denial::DenialCode;
use crate::flow::cache::Generation;
use crate::flow::open::captcha_bond;
use crate::flow::{FlowError, TRIES};
use crate::ids::UserId;
use crate::image::Image;
use crate::invitation::Invitation;
use crate::persistent_profile;
use crate::policy::{self, Admission, ProofFact, Requirement, Resumption, Verdict};
use crate::ports::{Fault, FaultKind, Reservation, Reserved};
use crate::quota::{Quota, QuotaKind};
use crate::rate_window::RateWindow;
use crate::session::{Charge, LaunchSpec, Origin, Owner, PoolMembership, Session, State};
use crate::session_events::Subscriptions;
use crate::sharing::Sharing;
use crate::time::Timestamp;

/// The verdict of the policies on a claim that is not refused.
enum Evaluated {
    /// It may take what its admission says.
    Admitted(Box<Admission>, Arc<Image>),
    /// It has its session already.
    Has(Box<Session>),
}

impl ClaimAttempt<'_> {
    /// Evaluates the policies at `now`.
    pub(super) fn verdict(&self, now: Timestamp) -> Verdict {
        policy::admit(&self.context.facts(self.window.as_ref(), now))
    }

    /// Checks the CAPTCHA where one is required. Returns the session of an earlier claim with the
    /// same ticket, if there is one.
    pub(super) async fn prove(&mut self, now: Timestamp) -> Result<Option<Session>, FlowError> {
        let requirement = self.context.captcha_requirement(&self.cast);
        // Visitors in the queue have passed it before.
        if requirement == Requirement::No || self.context.waits(now) {
            return Ok(None);
        }
        // A claim that is refused anyway, or was accepted before, is not worth a check.
        if let Verdict::Deny(denial) = self.verdict(now) {
            return self.find_earlier(denial.into()).await.map(Some);
        }
        if let Some(session) = self.plane.store.session(&self.id).await? {
            return self.same_request(session).map(Some);
        }
        self.check_proof(now).await?;
        Ok(None)
    }

    /// Verifies the solution of the CAPTCHA, and loads what it gives.
    pub(super) async fn check_proof(&mut self, now: Timestamp) -> Result<(), Fault> {
        let token = self.request.captcha.as_deref();
        (self.context.proof, self.proof) = match token.filter(|token| !token.is_empty()) {
            Some(token) => self.ask_verifier(token, now).await,
            None => (ProofFact::Missing, None),
        };
        if !self.cast.settings.access_tiers.is_empty() {
            let cast = self.cast.clone();
            self.plane
                .apply_terms(&cast, &mut self.context, now)
                .await?;
        }
        Ok(())
    }

    async fn ask_verifier(&self, token: &str, now: Timestamp) -> (ProofFact, Option<Proof>) {
        // Challenges of the previous version were bound to addresses; its pages stay open for a few
        // minutes.
        let [ticket, address] = [self.ticket.nonce.as_str(), self.ticket.address.as_str()]
            .map(|holder| captcha_bond(&self.cast, holder));
        let check = CaptchaCheck {
            settings: &self.context.deployment.settings.captcha,
            token,
            bound_to: &[&ticket, &address],
            address: self.context.visitor.address,
            hostname: self.plane.urls.host(),
            now,
        };
        match self.plane.captcha.verify(check).await {
            CaptchaVerdict::Passed(proof) => (ProofFact::Passed, Some(proof)),
            CaptchaVerdict::Failed(why) => {
                tracing::info!(cast.id = %self.cast.id, why, "A CAPTCHA was not solved");
                (ProofFact::Failed, None)
            }
            CaptchaVerdict::Unavailable(why) => {
                tracing::error!(cast.id = %self.cast.id, why,
                    "CAPTCHAs cannot be verified: visitors of this link are refused");
                (ProofFact::Unchecked, None)
            }
        }
    }

    /// Evaluates and reserves, and repeats both when what was read turns out to be out of date.
    /// Returns the session, and whether this very call has reserved it.
    pub(super) async fn reserve(&mut self) -> Result<(Session, bool), FlowError> {
        self.refresh_system().await?;
        for _ in 0..TRIES {
            // Each attempt has its own time: a rate window that others have moved on must not be
            // evaluated at an earlier time.
            let now = self.plane.clock.now();
            let (admission, image) = match self.evaluate(now).await? {
                Evaluated::Admitted(admission, image) => (*admission, image),
                Evaluated::Has(session) => return Ok((*session, false)),
            };
            if self.is_to_be_asked() {
                if let Some(earlier) = Box::pin(self.ask_hook(&admission, &image, now)).await? {
                    return Ok((earlier, false));
                }
                continue;
            }
            let limit = admission.window.clone();
            let mut reservation = self.build_reservation(admission, &image, now);
            (reservation.session, reservation.staged) = self
                .plane
                .pick_staged(reservation.session, &self.lost)
                .await?;
            if reservation.staged.is_none() {
                let plane = self.plane;
                reservation.session.usual_start =
                    plane.cache.usual_start(&*plane.store, &image.id, now).await;
            }
            let generation = self.plane.cache.generation();
            match self.plane.store.reserve(&reservation).await? {
                Reserved::Placed => {
                    self.context.left = reservation
                        .window
                        .as_ref()
                        .zip(limit)
                        .map(|(window, limit)| policy::ip_window::left(&limit, &window.after, now));
                    note_reserved(&reservation.session, &self.cast);
                    return Ok((reservation.session, true));
                }
                Reserved::StagedGone => {
                    self.lost.extend(reservation.staged.map(|staged| staged.id));
                }
                refused => {
                    let staged = reservation.staged.as_deref();
                    self.plane.cache.return_staged(staged);
                    if let Reserved::Already(session) = refused {
                        return Ok((self.same_request(*session)?, false));
                    }
                    self.learn(refused, &reservation, now, generation).await?;
                }
            }
        }
        Err(Fault {
            kind: FaultKind::Contention,
            what: "reserve a session",
            detail: format!("{TRIES} tries on {}", self.id),
        }
        .into())
    }

    /// Evaluates the policies, and finds an earlier session.
    async fn evaluate(&mut self, now: Timestamp) -> Result<Evaluated, FlowError> {
        let error = match (self.verdict(now), self.context.image.clone()) {
            (Verdict::Admit(admission), Some(image)) => {
                return Ok(Evaluated::Admitted(Box::new(admission), image));
            }
            (Verdict::Resume(how), _) => {
                return self
                    .resume(how, now)
                    .await
                    .map(Box::new)
                    .map(Evaluated::Has);
            }
            (Verdict::Deny(denial), _) => denial.into(),
            // The image policy comes before any admission.
            (Verdict::Admit(_), None) => DenialCode::ImageUnavailable.into(),
        };
        let earlier = self.find_earlier(error).await?;
        Ok(Evaluated::Has(Box::new(earlier)))
    }

    /// Updates the attempt by the reason why the reservation failed.
    async fn learn(
        &mut self,
        refused: Reserved,
        reservation: &Reservation,
        now: Timestamp,
        generation: Generation,
    ) -> Result<(), FlowError> {
        match refused {
            Reserved::ConfigChanged => {
                self.read_again().await?;
            }
            Reserved::SoldOut => {
                let mut emptied = Cast::clone(&self.cast);
                emptied.counter.remaining = 0;
                self.cast = Arc::new(emptied);
                self.context.cast = Some(self.cast.clone());
                let key = self.context.key.as_ref().unwrap_or(&self.cast.settings.key);
                let cast = Some(self.cast.clone());
                self.plane.cache.learn(key, cast, now, generation);
            }
            Reserved::QueueMoved(seen) => self.context.queue = Some(seen),
            Reserved::WindowMoved(seen) => self.window = Some(seen),
            Reserved::Full(kind) => {
                if kind == QuotaKind::Invitation {
                    // It may have been revoked meanwhile.
                    self.context.invitation =
                        (self.plane.find_invitation(&self.cast, &self.context)).await?;
                }
                self.context.full.insert(kind);
                if let Some(quota) = reservation.quotas.iter().find(|quota| quota.kind == kind) {
                    self.plane.cache.learn_full(&quota.key, now, generation);
                }
            }
            Reserved::Uncounted(kind) => {
                let deployment = &self.context.deployment;
                self.plane.count_again(kind, &self.cast, deployment).await?;
                let changed = match kind {
                    QuotaKind::Deployment => deployment.updated_at,
                    _ => self.cast.updated_at,
                };
                if !self.plane.is_everywhere(changed) {
                    self.counted.insert(kind);
                }
            }
            Reserved::ProofUsed => self.context.proof = ProofFact::Failed,
            // These end the claim, or lead it to another staged session.
            Reserved::Placed | Reserved::Already(_) | Reserved::StagedGone => {}
        }
        Ok(())
    }

    /// No condition of a reservation guards the deployment's settings, so they may be no older than
    /// a change takes to apply everywhere.
    async fn refresh_system(&mut self) -> Result<(), Fault> {
        let plane = self.plane;
        let now = plane.clock.now();
        let read = plane.cache.deployment(&*plane.store, now).await?;
        if read.version != self.context.deployment.version {
            self.context.deployment = read;
            plane.gather_for(&self.cast, &mut self.context, now).await?;
        }
        Ok(())
    }

    /// The visitor's own session, with the address that is to be opened in it.
    async fn resume(&mut self, how: Resumption, now: Timestamp) -> Result<Session, FlowError> {
        let own = self
            .context
            .own_session
            .clone()
            .ok_or(DenialCode::UnknownSession)?;
        tracing::info!(session.id = %own.id, "Session {} is resumed", own.id);
        self.context.not_applied = Some(how.not_applied);
        let Some(url) = how.opens else { return Ok(own) };
        let (id, known) = (own.id.clone(), own.clone());
        let row = self
            .plane
            .move_session(&id, Some(own), |row| row.sent_to(url.clone(), now).ok())
            .await?;
        Ok(row.unwrap_or(known))
    }

    /// A claim that was accepted before is never refused later: its ticket finds its session.
    async fn find_earlier(&self, error: FlowError) -> Result<Session, FlowError> {
        match self.plane.store.session(&self.id).await? {
            Some(session) => self.same_request(session),
            None => Err(error),
        }
    }

    /// Reads the current cast. It is unknown when it was deleted, or when the key in the request is
    /// no longer valid.
    pub(super) async fn read_again(&mut self) -> Result<(), FlowError> {
        let plane = self.plane;
        let (now, generation) = (plane.clock.now(), plane.cache.generation());
        let key = self.context.key.as_ref().unwrap_or(&self.cast.settings.key);
        let read = plane
            .store
            .cast_in_force(&self.cast.id)
            .await?
            .filter(|read| read.settings.answers_to(key, now))
            .map(Arc::new);
        plane.cache.learn(key, read.clone(), now, generation);
        self.cast = read.ok_or(DenialCode::UnknownCast)?;
        plane.gather_for(&self.cast, &mut self.context, now).await?;
        plane.load_queue(&self.cast, &mut self.context).await?;
        Ok(())
    }

    /// Everything that the claim takes if it is admitted.
    fn build_reservation(
        &self,
        admission: Admission,
        image: &Image,
        now: Timestamp,
    ) -> Reservation {
        let (cast, context, plane) = (&self.cast, &self.context, self.plane);
        let (settings, id) = (&image.settings, &self.id);
        let key = admission
            .window
            .as_ref()
            .map(|limit| plane.window_key(cast, limit.by, context.visitor));
        let bucket = admission
            .window
            .as_ref()
            .and_then(|limit| RateWindow::bucket(limit, now));
        let held = admission.quotas.iter().map(Quota::held).collect();
        let shares = cast.settings.enable_sharing && settings.view_only.is_some();
        let session = Session {
            id: id.clone(),
            rev: 1,
            claim: None,
            cast_id: cast.id.clone(),
            cast_key: cast.settings.key.clone(),
            cast_name: cast.settings.name.clone(),
            error_url: cast.settings.error_url.clone(),
            owner: self.make_owner(now),
            charge: Charge {
                count: admission.count,
                window: key.clone(),
                bucket,
                held,
            },
            launch: LaunchSpec {
                cpu: (context.grant.unattended_cpu_minutes).and_then(|_| settings.cpu()),
                ..LaunchSpec::of(image, admission.network, admission.kasm_url.url)
            },
            origin: Origin {
                address: address::hash(context.visitor.address, &plane.keys),
                referrer: self.ticket.referrer.clone(),
                language: context.visitor.language.with(cast.settings.language.0),
            },
            invitation: context.invitation.as_ref().map(Invitation::invited),
            access_tier: admission.tier,
            created_at: now,
            ready_by: now.plus_seconds(u64::from(settings.start_timeout_seconds)),
            ready_at: None,
            left_address: None,
            usual_start: None,
            entered_at: None,
            time_limit_seconds: (context.grant)
                .time_limit_seconds(settings.session_time_limit_seconds)
                .min(context.hook.time_limit_seconds().unwrap_or(u32::MAX)),
            extensions: 0,
            added_seconds: 0,
            extension_requests: Vec::new(),
            message: None,
            grant: context.grant.clone(),
            notes: if admission.kasm_url.ignored {
                vec!["kasm-url-ignored".to_owned()]
            } else {
                Vec::new()
            },
            said: Vec::new(),
            request: (self.content.as_ref()).map(|content| plane.keys.fingerprint(content)),
            secret_key: plane.keys.sessions().name().to_owned(),
            bootstrapped: None,
            subscriptions: Subscriptions::of(cast, &context.deployment.settings, image),
            go: None,
            profile: persistent_profile::carried(cast, image, context.visitor.user.as_ref()),
            options: context.session_options(cast, image),
            sharing: if shares {
                Sharing::default().begun(&*plane.entropy)
            } else {
                Sharing::default()
            },
            pooled: None,
            state: State::Reserved,
            task: None,
            retry: None,
            queued: None,
            // ECS's first event writes it into the schedule; until then the sweep finds it by its time.
            due_at: None,
        };
        let window = admission.window.zip(key).map(|(limit, key)| {
            policy::ip_window::take(&limit, key, self.window.as_ref(), id, now)
        });
        let as_counted = |quota: Quota| Quota {
            counted_since: quota
                .counted_since
                .filter(|_| !self.counted.contains(&quota.kind)),
            ..quota
        };
        Reservation {
            session,
            cast_version: cast.version,
            window,
            quotas: admission.quotas.into_iter().map(as_counted).collect(),
            proof: self.proof.clone(),
            staged: None,
            queue: self.queue_claim(now),
        }
    }

    /// The logged-in user, or a new anonymous one.
    fn make_owner(&self, now: Timestamp) -> Owner {
        let context = &self.context;
        if let Some(user) = &context.visitor.user {
            return Owner::User {
                id: user.id.clone(),
                name: user.name.clone(),
            };
        }
        let hours = context.deployment.settings.anonymous_user_hours;
        Owner::Anonymous {
            id: UserId::of_session(&self.id),
            group: (context.given(&self.cast).groups().next().cloned())
                .or_else(|| context.invitation.as_ref()?.settings.group_id.clone())
                .or_else(|| self.cast.settings.anonymous_group_id.clone()),
            expires_at: hours.map(|hours| now.plus_seconds(u64::from(hours) * 3600)),
        }
    }

    /// A repeated idempotency key must come with the same request.
    pub(super) fn same_request(&self, session: Session) -> Result<Session, FlowError> {
        let same = match (&session.request, &self.content) {
            (None, None) => true,
            (Some(print), Some(content)) => self.plane.keys.is_fingerprint(content, print),
            _ => false,
        };
        if same {
            Ok(session)
        } else {
            Err(DenialCode::RequestDiffers.into())
        }
    }
}

fn note_reserved(session: &Session, cast: &Cast) {
    let (id, key) = (&session.id, &cast.settings.key);
    tracing::info!(cast.key = %key, session.id = %id, "Reserved session {id} for cast {key}");
    tracing::info!(target: METRICS, claims = 1_u64, outcome = "accepted");
    if let Some(PoolMembership { role, .. }) = &session.pooled {
        tracing::info!(target: METRICS, staged = 1_u64, entry = role.as_str());
    }
}
