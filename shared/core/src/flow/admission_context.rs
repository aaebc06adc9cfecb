//! Owns what is gathered before a visitor is judged: the link and all that belongs to it. Reads, and changes nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{ControlPlane, Visitor};
use crate::address;
use crate::cast::{Cast, CountBy};
use crate::group;
use crate::ids::{CastId, CastKey, SessionId};
use crate::image::Image;
use crate::network::Network;
use crate::permission::{Grant, Permission};
use crate::policy::{self, Facts, LinkParameters, NotApplied, ProofFact, QueueView};
use crate::ports::Fault;
use crate::quota::QuotaKind;
use crate::rate_limit::RateLimit;
use crate::rate_window::RateWindow;
use crate::session::Session;
use crate::session_options::SessionOptions;
use crate::system::System;
use crate::time::Timestamp;
use crate::waiting_queue::{QueuePosition, WaitingQueue};

/// A visit as the rules see it.
#[derive(Clone, Copy)]
pub(super) struct VisitDetails<'a> {
    /// Who comes.
    pub(super) visitor: &'a Visitor,
    /// The page they come from.
    pub(super) referrer: Option<&'a str>,
    /// What the link's parameters ask for.
    pub(super) wishes: &'a LinkParameters,
}

/// All that facts are made of, as it was read.
pub(super) struct AdmissionContext<'a> {
    /// The key that the visitor came with; `None`: the one that the cast has.
    pub(super) key: Option<CastKey>,
    pub(super) cast: Option<Arc<Cast>>,
    pub(super) image: Option<Arc<Image>>,
    pub(super) network: Option<Arc<Network>>,
    pub(super) system: Arc<System>,
    pub(super) grant: Grant,
    pub(super) own_session: Option<Session>,
    /// What a resumed session did not take over of the link's parameters; `None` until one is.
    pub(super) not_applied: Option<Vec<NotApplied>>,
    pub(super) full: BTreeSet<QuotaKind>,
    /// The link's waiting room, where it has one and somebody has looked.
    pub(super) queue: Option<WaitingQueue>,
    /// The place that is the visitor's, or would be, and whether the visitor's ticket says that it is.
    pub(super) entry: Option<(SessionId, bool)>,
    pub(super) visitor: &'a Visitor,
    pub(super) referrer: Option<&'a str>,
    pub(super) wishes: &'a LinkParameters,
    pub(super) consent: Option<bool>,
    pub(super) wait: Option<u64>,
    pub(super) proof: ProofFact,
    /// What is left of the link's limit after a slot of it was taken.
    pub(super) left: Option<RateLimit>,
}

impl AdmissionContext<'_> {
    /// The facts at `now`, with the window as it was last seen.
    pub(super) fn facts<'a>(&'a self, window: Option<&'a RateWindow>, now: Timestamp) -> Facts<'a> {
        Facts {
            cast: self.cast.as_deref(),
            image: self.image.as_deref(),
            network: self.network.as_deref(),
            system: &self.system.settings,
            grant: &self.grant,
            address: self.visitor.address,
            referrer: self.referrer,
            user: self.visitor.user.as_ref(),
            own_session: self.own_session.as_ref(),
            wishes: self.wishes,
            consent: self.consent,
            wait: self.wait,
            proof: self.proof,
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
    /// Leaves out that there are as many sessions as there may be, which is no reason to turn away whoever can wait.
    pub(super) fn forget_crowd(&mut self) {
        self.full
            .retain(|kind| !matches!(kind, QuotaKind::Cast | QuotaKind::System));
    }

    /// Whether whoever finds no session can wait for one.
    pub(super) fn has_waiting_room(&self) -> bool {
        self.cast
            .as_ref()
            .is_some_and(|cast| cast.settings.waiting_room)
    }

    /// Whether the visitor waits in the room.
    pub(super) fn waits(&self, now: Timestamp) -> bool {
        let position = self
            .queue
            .as_ref()
            .zip(self.entry.as_ref())
            .map(|(queue, (entry, _))| queue.position(entry, now));
        matches!(position, Some(QueuePosition::Waiting(_)))
    }

    /// What the visitors of a session of this cast and this image see around its app.
    pub(super) fn session_options(&self, cast: &Cast, image: &Image) -> SessionOptions {
        let (cast, image) = (&cast.settings, &image.settings);
        let allowed = cast.enable_sharing || self.grant.permissions.contains(&Permission::Sharing);
        SessionOptions {
            control_panel: !cast.disable_control_panel,
            tips: !cast.disable_tips,
            fixed_resolution: !cast.disable_fixed_resolution,
            anonymous_viewers: cast.allow_anonymous_viewers,
            view_only: image.view_only,
            may_share: allowed && image.view_only.is_some(),
            open_hosts: (cast.dynamic_kasm_url && image.exec.go.is_some())
                .then(|| cast.dynamic_kasm_url_hosts.clone()),
            audio_on: cast.audio_default_on,
            ime_on: cast.ime_mode_default_on,
            exec: image.exec.clone(),
        }
    }
}

impl ControlPlane {
    /// Gathers what the rules need to judge this visitor of this cast, of which they have the session
    /// `own_session`. A disabled cast is none to everybody else.
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
            wishes,
        } = details;
        let system = self.cache.system(&*self.store, now).await?;
        let mut context = AdmissionContext {
            key: None,
            cast: cast.filter(|cast| cast.settings.enabled || own_session.is_some()),
            image: None,
            network: None,
            system,
            grant: Grant::default(),
            own_session,
            not_applied: None,
            full: BTreeSet::new(),
            queue: None,
            entry: None,
            visitor,
            referrer,
            wishes,
            consent: None,
            wait: None,
            proof: ProofFact::NotAsked,
            left: None,
        };
        if let Some(cast) = context.cast.clone() {
            self.gather_for(&cast, &mut context, now).await?;
        }
        Ok(context)
    }

    /// What hangs on the cast; to be gathered again when the cast is read again.
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
        let wanted = context
            .image
            .as_deref()
            .and_then(|image| policy::wanted_network(cast, image, context.wishes));
        context.network = match wanted {
            Some(name) => self.cache.network(&*self.store, &name, now).await?,
            None => None,
        };
        let user = context.visitor.user.as_ref();
        context.grant = group::grant(cast, user, &self.cache.groups(&*self.store, now).await?);
        let quotas = policy::live_limits::quotas(
            cast,
            context.image.as_deref(),
            user,
            &context.grant,
            &context.system.settings,
            now,
        );
        context.full = quotas
            .iter()
            .filter(|quota| self.cache.is_full(&quota.key, now))
            .map(|quota| quota.kind)
            .collect();
        context.cast = Some(cast.clone());
        Ok(())
    }

    /// Looks at the link's waiting room, where it has one.
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

    /// The visitor's own live session of this cast, where the link lets it be resumed. An enabled link
    /// that does not, and an anonymous visitor, cost no read. For a user, an unknown link costs the
    /// same read as a disabled one, so that the time taken does not tell them apart. `wait` is the
    /// attempt limiter's: whoever has tried too often is not looked up.
    pub(super) async fn find_own(
        &self,
        cast: Option<&Cast>,
        visitor: &Visitor,
        wait: Option<u64>,
    ) -> Result<Option<Session>, Fault> {
        let Some(user) = visitor.user.as_ref().filter(|_| wait.is_none()) else {
            return Ok(None);
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
        // The listing may be a moment old; the row is not.
        Ok(self
            .store
            .session(&found.id)
            .await?
            .filter(Session::can_be_entered))
    }

    /// The cast with this key. Whoever has tried too often is not worth a read: then only what is remembered counts.
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

    /// The visitor as the IP window counts them: see [`CountBy`].
    pub(super) fn window_key(&self, cast: &Cast, by: CountBy, visitor: &Visitor) -> String {
        let who = match (by, &visitor.browser) {
            (CountBy::Browser, Some(browser)) => self.keys.hash_browser(browser),
            _ => address::hash(visitor.address, &self.keys),
        };
        RateWindow::key(&cast.id, &who)
    }
}
