//! Owns loading everything that the policies need about a visit: the link, its image, groups,
//! network and waiting room. Reads, and changes nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{ControlPlane, Visitor};
use crate::access_tier::{AccessTier, Shown};
use crate::address;
use crate::admission_hook::HookFact;
use crate::cast::{AnonymousResume, Cast, CountBy};
use crate::deployment::Deployment;
use crate::geo::AddressOrigin;
use crate::group::{self, Group};
use crate::ids::{CastId, CastKey, GroupId, InvitationId, SessionId};
use crate::image::Image;
use crate::invitation::Invitation;
use crate::network::Network;
use crate::permission::{Grant, Permission};
use crate::policy::{
    self, Brought, Facts, LinkParameters, NotApplied, ProofFact, QueueView, Requirement,
};
use crate::ports::Fault;
use crate::quota::QuotaKind;
use crate::rate_limit::RateLimit;
use crate::rate_window::RateWindow;
use crate::session::{Owner, Session};
use crate::session_options::SessionOptions;
use crate::terms::GivenTerms;
use crate::time::Timestamp;
use crate::waiting_queue::{QueuePosition, WaitingQueue};

/// A visit, as the policies see it.
#[derive(Clone, Copy)]
pub(super) struct VisitDetails<'a> {
    /// The visitor.
    pub(super) visitor: &'a Visitor,
    /// The referrer.
    pub(super) referrer: Option<&'a str>,
    /// The parameters of the link.
    pub(super) parameters: &'a LinkParameters,
    /// How long the attempt limiter holds the visitor back, in seconds; then less is read.
    pub(super) wait: Option<u64>,
}

/// Everything that was loaded for the policies.
pub(super) struct AdmissionContext<'a> {
    /// The key in the request; `None`: the current key of the cast.
    pub(super) key: Option<CastKey>,
    pub(super) cast: Option<Arc<Cast>>,
    pub(super) image: Option<Arc<Image>>,
    pub(super) network: Option<Arc<Network>>,
    /// What is known of the visitor's address, as far as the link's access tiers ask for it.
    pub(super) origin: AddressOrigin,
    /// Whether the group that the visitor's access tier names is gone.
    pub(super) is_tier_group_gone: bool,
    pub(super) deployment: Arc<Deployment>,
    pub(super) grant: Grant,
    /// The invitation to the link that the visitor brings, if there is one of this id.
    pub(super) invitation: Option<Invitation>,
    /// When it was opened first, if that matters and was noted.
    pub(super) opened_at: Option<Timestamp>,
    pub(super) own_session: Option<Session>,
    /// The link's parameters that a resumed session did not apply; `None` until one is resumed.
    pub(super) not_applied: Option<Vec<NotApplied>>,
    pub(super) full: BTreeSet<QuotaKind>,
    /// The link's waiting queue, if it has one and it was read.
    pub(super) queue: Option<WaitingQueue>,
    /// The visitor's queue entry, or the one they would get, and whether their ticket is for it.
    pub(super) entry: Option<(SessionId, bool)>,
    pub(super) visitor: &'a Visitor,
    pub(super) referrer: Option<&'a str>,
    pub(super) parameters: &'a LinkParameters,
    pub(super) consent: Option<bool>,
    pub(super) wait: Option<u64>,
    pub(super) proof: ProofFact,
    /// What the link's admission hook has said of the visitor.
    pub(super) hook: HookFact,
    /// How much of the link's rate limit is left after this claim.
    pub(super) left: Option<RateLimit>,
}

impl AdmissionContext<'_> {
    /// The input of the policies at `now`, with the rate window as it was last read.
    pub(super) fn facts<'a>(&'a self, window: Option<&'a RateWindow>, now: Timestamp) -> Facts<'a> {
        Facts {
            cast: self.cast.as_deref(),
            image: self.image.as_deref(),
            network: self.network.as_deref(),
            deployment: &self.deployment.settings,
            grant: &self.grant,
            address: self.visitor.address,
            origin: self.origin,
            is_tier_group_gone: self.is_tier_group_gone,
            referrer: self.referrer,
            user: self.visitor.user.as_ref(),
            own_session: self.own_session.as_ref(),
            parameters: self.parameters,
            invitation: Brought {
                is_named: self.parameters.invitation().is_some(),
                found: self.invitation.as_ref(),
                opened_at: self.opened_at,
            },
            consent: self.consent,
            wait: self.wait,
            proof: self.proof,
            hook: &self.hook,
            queue: self
                .queue
                .as_ref()
                .zip(self.entry.as_ref())
                .map(|(queue, (entry, held))| QueueView {
                    queue,
                    entry,
                    held: *held,
                }),
            full: &self.full,
            window,
            now,
        }
    }
}

impl AdmissionContext<'_> {
    /// What the visitor has shown.
    pub(super) fn shown(&self, cast: &Cast) -> Shown<'_> {
        let user = self.visitor.user.as_ref();
        let (settings, invited) = (&cast.settings, self.invitation.is_some());
        policy::access_tiers::shown(settings, user, invited, self.origin, self.proof)
    }

    /// What a CAPTCHA's solution is to the visitor.
    pub(super) fn captcha_requirement(&self, cast: &Cast) -> Requirement {
        let can_pass = self.deployment.settings.captcha.can_pass();
        policy::captcha::requirement(&cast.settings, &self.shown(cast), can_pass)
    }

    /// What the visitor is given beyond the link.
    pub(super) fn given<'a>(&'a self, cast: &'a Cast) -> GivenTerms<'a> {
        let tiers = &cast.settings.access_tiers;
        GivenTerms {
            tier: policy::access_tiers::terms(tiers, &self.shown(cast)),
            hook: self.hook.terms(),
        }
    }

    /// Ignores the limit of live sessions, which does not refuse visitors who can wait.
    pub(super) fn forget_crowd(&mut self) {
        self.full
            .retain(|kind| !matches!(kind, QuotaKind::Cast | QuotaKind::Deployment));
    }

    /// Whether visitors can wait for a session of this link.
    pub(super) fn has_waiting_room(&self) -> bool {
        self.cast
            .as_ref()
            .is_some_and(|cast| cast.settings.waiting_room)
    }

    /// Whether the visitor is in the queue.
    pub(super) fn waits(&self, now: Timestamp) -> bool {
        let position = self
            .queue
            .as_ref()
            .zip(self.entry.as_ref())
            .map(|(queue, (entry, _))| queue.position(entry, now));
        matches!(position, Some(QueuePosition::Waiting(_)))
    }

    /// The options of a session of this cast and image.
    pub(super) fn session_options(&self, cast: &Cast, image: &Image) -> SessionOptions {
        let (cast, image) = (&cast.settings, &image.settings);
        let allowed = cast.enable_sharing || self.grant.permissions.contains(&Permission::Sharing);
        SessionOptions {
            control_panel: !cast.disable_control_panel,
            tips: !cast.disable_tips,
            fixed_resolution: !cast.disable_fixed_resolution,
            anonymous_viewers: cast.allow_anonymous_viewers,
            lobby: cast.enable_lobby,
            view_only: image.view_only,
            may_share: allowed && image.view_only.is_some(),
            open_hosts: (cast.dynamic_kasm_url && image.exec.go.is_some())
                .then(|| cast.dynamic_kasm_url_hosts.clone()),
            audio_on: cast.audio_default_on,
            ime_on: cast.ime_mode_default_on,
            extension: cast.allowed_extension(),
            language: cast.language.0,
            watermark: cast.watermark,
            notice: cast.session_notice.clone(),
            brand: cast.brand.or(&self.deployment.settings.brand),
            exec: image.exec.clone(),
        }
    }
}

impl ControlPlane {
    /// Loads what the policies need for this visit. `own_session` is the visitor's session. To
    /// all other visitors a disabled cast does not exist.
    pub(super) async fn gather<'a>(
        &self,
        cast: Option<Arc<Cast>>,
        own_session: Option<Session>,
        details: VisitDetails<'a>,
        now: Timestamp,
    ) -> Result<AdmissionContext<'a>, Fault> {
        let VisitDetails {
            visitor,
            referrer,
            parameters,
            wait,
        } = details;
        let deployment = self.cache.deployment(&*self.store, now).await?;
        let mut context = AdmissionContext {
            key: None,
            cast: cast.filter(|cast| cast.settings.enabled || own_session.is_some()),
            image: None,
            network: None,
            origin: AddressOrigin::default(),
            is_tier_group_gone: false,
            deployment,
            grant: Grant::default(),
            invitation: None,
            opened_at: None,
            own_session,
            not_applied: None,
            full: BTreeSet::new(),
            queue: None,
            entry: None,
            visitor,
            referrer,
            parameters,
            consent: None,
            wait,
            proof: ProofFact::NotAsked,
            hook: HookFact::NotAsked,
            left: None,
        };
        if let Some(cast) = context.cast.clone() {
            self.gather_for(&cast, &mut context, now).await?;
        }
        Ok(context)
    }

    /// Loads what depends on the cast; called again when the cast is read again.
    pub(super) async fn gather_for(
        &self,
        cast: &Arc<Cast>,
        context: &mut AdmissionContext<'_>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        context.image = self
            .cache
            .image(&*self.store, &cast.settings.image_id, now)
            .await?;
        context.invitation = self.find_invitation(cast, context).await?;
        context.origin = self.origin_of(cast, context.visitor);
        self.apply_terms(cast, context, now).await?;
        context.cast = Some(cast.clone());
        Ok(())
    }

    /// What is known of the visitor's address, if the link's access tiers ask for it.
    pub(super) fn origin_of(&self, cast: &Cast, visitor: &Visitor) -> AddressOrigin {
        let mut tiers = cast.settings.access_tiers.iter();
        let geo = self.geo.as_ref();
        let geo = geo.filter(|_| tiers.any(AccessTier::asks_origin));
        geo.map_or_else(AddressOrigin::default, |geo| geo.look_up(visitor.address))
    }

    /// Loads what depends on the terms that the visitor is given; called again when these change.
    pub(super) async fn apply_terms(
        &self,
        cast: &Arc<Cast>,
        context: &mut AdmissionContext<'_>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let given = context.given(cast);
        let invitation = context.invitation.as_ref();
        let wanted = context.image.as_deref().and_then(|image| {
            policy::wanted_network(cast, image, invitation, context.parameters, given)
        });
        let network = match wanted {
            Some(name) => self.cache.network(&*self.store, &name, now).await?,
            None => None,
        };
        let user = context.visitor.user.as_ref();
        let groups = self.cache.groups(&*self.store, now).await?;
        let (given, invitation) = (context.given(cast), context.invitation.as_ref());
        let named = given.tier.and_then(|terms| terms.group_id.as_ref());
        let is_there = |id: &GroupId| groups.iter().any(|group| group.id == *id);
        let is_gone = named.is_some_and(|id| *id != Group::all_users_id() && !is_there(id));
        let grant = group::grant(cast, user, invitation, given, &groups);
        context.network = network;
        context.is_tier_group_gone = is_gone;
        context.grant = grant;
        let invitation = context.invitation.as_ref();
        let quotas = policy::live_limits::quotas(
            cast,
            context.image.as_deref(),
            user,
            invitation,
            &context.grant,
            &context.deployment.settings,
            now,
        );
        context.full = quotas
            .iter()
            .filter(|quota| self.cache.is_full(&quota.key, now))
            .map(|quota| quota.kind)
            .collect();
        Ok(())
    }

    /// The invitation to this link that the visitor brings. Costs no read where none is named, or
    /// after too many attempts.
    pub(super) async fn find_invitation(
        &self,
        cast: &Cast,
        context: &AdmissionContext<'_>,
    ) -> Result<Option<Invitation>, Fault> {
        let named = context
            .parameters
            .invitation()
            .and_then(InvitationId::parse);
        match named.filter(|_| context.wait.is_none()) {
            Some(id) => self.store.invitation(&cast.id, &id).await,
            None => Ok(None),
        }
    }

    /// Reads how often the invitation was used, and when it was opened first.
    pub(super) async fn look_at_uses(
        &self,
        context: &mut AdmissionContext<'_>,
    ) -> Result<(), Fault> {
        if let Some(quota) = context.invitation.as_ref().map(Invitation::quota) {
            let tally = self.store.tally(&quota.key).await?;
            context.opened_at = tally.opened_at;
            if quota.is_full(tally.taken) {
                context.full.insert(quota.kind);
            }
        }
        Ok(())
    }

    /// Begins the activation time-out of the invitation, if it has one that has not begun. A program
    /// that only looks at the page begins none.
    pub(super) async fn begin_activation(
        &self,
        context: &mut AdmissionContext<'_>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let invitation = context.invitation.as_ref().filter(|invitation| {
            invitation.settings.activation_minutes.is_some()
                && context.opened_at.is_none()
                && !context.visitor.automated
        });
        if let Some(invitation) = invitation {
            let tally = self.store.open_tally(&invitation.quota().key, now).await?;
            context.opened_at = tally.opened_at;
        }
        Ok(())
    }

    /// Reads the link's waiting queue, if it has one.
    pub(super) async fn load_queue(
        &self,
        cast: &Cast,
        context: &mut AdmissionContext<'_>,
    ) -> Result<(), Fault> {
        context.queue = if cast.settings.waiting_room {
            Some(self.store.queue(&cast.id).await?)
        } else {
            None
        };
        Ok(())
    }

    /// The visitor's own live session of this cast, if the link allows resuming. An enabled link
    /// that does not, and an anonymous visitor without a session, cost no read. For a user, an
    /// unknown link costs the same read as a disabled one, so that the response time does not tell
    /// them apart. `wait` is that of the attempt limiter: after too many attempts nothing is read.
    pub(super) async fn find_own(
        &self,
        cast: Option<&Cast>,
        visitor: &Visitor,
        wait: Option<u64>,
    ) -> Result<Option<Session>, Fault> {
        if wait.is_some() {
            return Ok(None);
        }
        let Some(user) = visitor.user.as_ref() else {
            return self.find_own_of_browser(cast, visitor).await;
        };
        let allowed = cast.is_some_and(|cast| cast.settings.allow_resume);
        if !allowed && cast.is_some_and(|cast| cast.settings.enabled) {
            return Ok(None);
        }
        let of_nothing = CastId::from_bytes([0; 16]);
        let cast = cast.map_or(&of_nothing, |cast| &cast.id);
        let found = self.store.live_session_of(&user.id, cast).await?;
        let Some(found) = found.filter(|_| allowed) else {
            return Ok(None);
        };
        // The index may lag behind; the row does not.
        Ok(self
            .store
            .session(&found.id)
            .await?
            .filter(Session::can_be_entered))
    }

    /// The live session of this cast that the browser of an anonymous visitor has shown to be its
    /// own. Costs a read only for a browser that shows one, and nothing where the link is disabled.
    async fn find_own_of_browser(
        &self,
        cast: Option<&Cast>,
        visitor: &Visitor,
    ) -> Result<Option<Session>, Fault> {
        let own = visitor.own.as_ref().filter(|_| !visitor.another);
        let cast = cast.filter(|cast| {
            cast.settings.enabled && cast.settings.anonymous_resume != AnonymousResume::Off
        });
        let Some((cast, own)) = cast.zip(own) else {
            return Ok(None);
        };
        let found = self.store.session(own).await?;
        Ok(found.filter(|session| {
            session.cast_id == cast.id
                && matches!(session.owner, Owner::Anonymous { .. })
                && session.can_be_entered()
        }))
    }

    /// The cast with this key. After too many attempts it is taken from the cache only.
    pub(super) async fn find_cast(
        &self,
        key: &str,
        wait: Option<u64>,
        now: Timestamp,
    ) -> Result<Option<Arc<Cast>>, Fault> {
        match CastKey::parse(key) {
            Some(key) => {
                let found = if wait.is_some() {
                    self.cache.remembered_cast(&key, now)
                } else {
                    self.cache.cast(&*self.store, &key, now).await?
                };
                Ok(found.filter(|cast| cast.settings.answers_to(&key, now)))
            }
            None => Ok(None),
        }
    }

    /// The visitor as the rate window counts them: see [`CountBy`].
    pub(super) fn window_key(&self, cast: &Cast, by: CountBy, visitor: &Visitor) -> String {
        let who = match (by, &visitor.browser) {
            (CountBy::Browser, Some(browser)) => self.keys.hash_browser(browser),
            _ => address::hash(visitor.address, &self.keys),
        };
        RateWindow::key(&cast.id, &who)
    }
}
