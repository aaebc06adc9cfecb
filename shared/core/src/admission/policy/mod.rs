//! Owns the decision whether a visitor gets a session: one pure function over facts, and the order
//! of its rules. Must not read, write or know the time.
//!
//! To add a rule: a file beside this one with `check` and a table of named cases, its name in
//! [`RuleId`] and its place in `evaluate`, its setting in `cast`, its field in `cast_form`, and an
//! end-to-end test.

pub mod access_tiers;
pub mod addresses;
pub mod attempts;
pub mod budget;
pub mod captcha;
pub mod consent;
pub mod enabled;
pub mod hook;
pub mod image;
pub mod invitation;
pub mod ip_window;
pub mod kasm_url;
pub mod live_limits;
pub mod login;
pub mod maintenance;
pub mod network;
pub mod open_hours;
pub mod referrer;
pub mod resume;
pub mod total;
pub mod trace;
pub mod turn;
pub mod valid_until;

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::access_tier::{self, DecidingTier, Shown};
use crate::admission_hook::HookFact;
use crate::cast::{AnonymousResume, Cast, IpLimit};
use crate::denial::{Denial, DenialCode};
use crate::deployment::DeploymentSettings;
use crate::geo::AddressOrigin;
use crate::image::Image;
use crate::invitation::Invitation;
use crate::network::{Network, NetworkName};
use crate::permission::Grant;
use crate::quota::{Quota, QuotaKind};
use crate::rate_window::RateWindow;
use crate::session::Session;
use crate::terms::GivenTerms;
use crate::time::Timestamp;
use crate::user::User;

pub use captcha::{ProofFact, Requirement};
pub use invitation::Brought;
pub use kasm_url::Chosen;
pub use resume::{NotApplied, Resumption};
pub use trace::{Step, trace};
pub use turn::QueueView;

/// All that the decision depends on.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The cast under the key, if there is one.
    pub cast: Option<&'a Cast>,
    /// The image it runs, if there is one.
    pub image: Option<&'a Image>,
    /// The network that would be used, if it is a named one and there is one of this name (see
    /// [`wanted_network`]).
    pub network: Option<&'a Network>,
    /// The settings of the whole deployment.
    pub deployment: &'a DeploymentSettings,
    /// The permissions of this visitor, from groups and cast.
    pub grant: &'a Grant,
    /// Where the visitor comes from.
    pub address: IpAddr,
    /// What is known of that address, as far as the link asks for it.
    pub origin: AddressOrigin,
    /// Whether the group that the visitor's access tier names is gone.
    pub is_tier_group_gone: bool,
    /// The host that the visitor came from.
    pub referrer: Option<&'a str>,
    /// The visitor, if logged in.
    pub user: Option<&'a User>,
    /// The visitor's own live session of this cast, if there is one.
    pub own_session: Option<&'a Session>,
    /// The parameters of the link.
    pub parameters: &'a LinkParameters,
    /// The invitation that the visitor brings.
    pub invitation: Brought<'a>,
    /// Whether the visitor agreed to the parameters; `None` before they were asked.
    pub consent: Option<bool>,
    /// How long this address must wait before it tries again, in seconds.
    pub wait: Option<u64>,
    /// The state of the visitor's CAPTCHA solution.
    pub proof: ProofFact,
    /// What the link's admission hook has said of the visitor.
    pub hook: &'a HookFact,
    /// The link's waiting queue, if it has one and it was read.
    pub queue: Option<QueueView<'a>>,
    /// The counts that were found full a moment ago.
    pub full: &'a BTreeSet<QuotaKind>,
    /// The visitor's rate window as last read; `None` before that, and then the reservation finds
    /// out.
    pub window: Option<&'a RateWindow>,
    /// The time of the decision.
    pub now: Timestamp,
}

impl<'a> Facts<'a> {
    /// Whether a session of this user would be resumed, if there is one.
    fn may_resume(&self) -> bool {
        self.user.is_some() && self.cast.is_some_and(|cast| cast.settings.allow_resume)
    }

    /// What the visitor has shown.
    fn shown(&self, cast: &Cast) -> Shown<'a> {
        let (settings, invited) = (&cast.settings, self.invitation.found.is_some());
        access_tiers::shown(settings, self.user, invited, self.origin, self.proof)
    }

    /// What a CAPTCHA's solution is to the visitor.
    fn captcha_requirement(&self, cast: &Cast) -> Requirement {
        let can_pass = self.deployment.captcha.can_pass();
        captcha::requirement(&cast.settings, &self.shown(cast), can_pass)
    }

    /// The session that is resumed.
    fn resumable(&self) -> Option<&'a Session> {
        let by_browser = self.user.is_none()
            && self
                .cast
                .is_some_and(|cast| cast.settings.anonymous_resume != AnonymousResume::Off);
        self.own_session.filter(|_| self.may_resume() || by_browser)
    }
}

/// The parameters of a link, as they came.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LinkParameters {
    /// seed: the `kasm_url` parameter.
    pub kasm_url: Option<String>,
    /// seed: the `docker_network` parameter.
    pub docker_network: Option<String>,
    /// The `invitation` parameter.
    pub invitation: Option<String>,
}

impl LinkParameters {
    /// The invitation that is named, if one is: the parameter may be empty.
    pub fn invitation(&self) -> Option<&str> {
        let named = self.invitation.as_deref().map(str::trim);
        named.filter(|named| !named.is_empty())
    }

    /// The names and values, as they stand in an address.
    pub fn pairs(&self) -> [(&'static str, Option<&str>); 3] {
        [
            ("kasm_url", self.kasm_url.as_deref()),
            ("docker_network", self.docker_network.as_deref()),
            (crate::invitation::PARAMETER, self.invitation()),
        ]
    }
}

/// The result of the policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No.
    Deny(Denial),
    /// The visitor has a session of this cast already and gets that one.
    Resume(Resumption),
    /// Yes, if this can be taken.
    Admit(Admission),
}

/// Everything that an admitted claim takes, all or nothing, and what its session gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// One place of Sessions Remaining, in this counter epoch.
    pub count: Option<u64>,
    /// A slot in the visitor's IP window.
    pub window: Option<IpLimit>,
    /// One of each of these counts.
    pub quotas: Vec<Quota>,
    /// The address that the session opens.
    pub kasm_url: Chosen,
    /// Where the session runs; `None` is the deployment's own network.
    pub network: Option<Network>,
    /// The access tier that admits the visitor; `None` where the link has none.
    pub tier: Option<DecidingTier>,
}

/// The rules, in the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleId {
    /// The link exists and is enabled, or the visitor has a session of it.
    Enabled,
    /// The link has not expired.
    ValidUntil,
    /// The link is open at this hour.
    OpenHours,
    /// The address may come.
    Addresses,
    /// The visitor comes from a listed site.
    Referrer,
    /// The visitor has logged in, or need not.
    Login,
    /// The address has not tried too often.
    Attempts,
    /// The visitor has a session already.
    Resume,
    /// The deployment is not in maintenance.
    Maintenance,
    /// The visitor is invited, or need not be.
    Invitation,
    /// The image can be started.
    Image,
    /// The Kasm URL can be opened.
    KasmUrl,
    /// The network can be used.
    Network,
    /// The visitor agrees to what the link asks for.
    Consent,
    /// A CAPTCHA is solved.
    Captcha,
    /// An access tier admits the visitor.
    AccessTiers,
    /// No other visitor is ahead in the queue.
    Turn,
    /// There are not too many sessions already.
    LiveLimits,
    /// The session can be paid for.
    Budget,
    /// The address has not had too many sessions lately.
    IpWindow,
    /// Sessions remain.
    Total,
    /// The server of the link's admission hook lets the visitor in.
    Hook,
}

/// Evaluates the policies for a visitor. The first refusal is the answer.
pub fn admit(facts: &Facts<'_>) -> Verdict {
    match evaluate(facts, &mut |_, verdict| verdict) {
        Ok(verdict) => verdict,
        Err(denial) => Verdict::Deny(denial),
    }
}

/// The name of the network that would be used, so that it can be looked up before the decision.
pub fn wanted_network(
    cast: &Cast,
    image: &Image,
    invitation: Option<&Invitation>,
    parameters: &LinkParameters,
    given: GivenTerms<'_>,
) -> Option<NetworkName> {
    let (settings, image) = (&cast.settings, &image.settings);
    invitation::runs_in(settings, image, invitation, parameters, given).ok()?
}

/// Evaluates every policy in order. `observer` sees each result and decides whether a denial ends
/// the evaluation: it returns or drops it.
fn evaluate(
    facts: &Facts<'_>,
    observer: &mut dyn FnMut(RuleId, Result<(), Denial>) -> Result<(), Denial>,
) -> Result<Verdict, Denial> {
    let own = facts.resumable();
    let found = enabled::check(facts.cast, own.is_some());
    observer(RuleId::Enabled, found.clone().map(drop))?;
    // Without a link no other policy can be evaluated.
    let cast = found?;
    let settings = &cast.settings;
    // Expiry and hours bound new sessions only. While the attempt limiter holds the visitor back,
    // their sessions have not been looked up: then the limiter answers, not these two.
    let excused = own.is_some() || facts.may_resume() && facts.wait.is_some();
    let begins = |verdict: Result<(), Denial>| if excused { Ok(()) } else { verdict };
    observer(
        RuleId::ValidUntil,
        begins(valid_until::check(settings.valid_until, facts.now)),
    )?;
    observer(
        RuleId::OpenHours,
        begins(open_hours::check(settings.open_hours.as_ref(), facts.now)),
    )?;
    let banned = &facts.deployment.banned_addresses;
    observer(
        RuleId::Addresses,
        addresses::check(
            banned,
            &settings.banned_addresses,
            &settings.allowed_addresses,
            facts.address,
        ),
    )?;
    observer(
        RuleId::Referrer,
        referrer::check(&settings.referrers, facts.referrer),
    )?;
    observer(
        RuleId::Login,
        login::check(settings.allow_anonymous, facts.user),
    )?;
    observer(RuleId::Attempts, attempts::check(facts.wait))?;
    observer(RuleId::Resume, Ok(()))?;
    if let Some(own) = own {
        return Ok(Verdict::Resume(resume::plan(
            settings,
            own,
            facts.parameters,
            facts.consent,
        )));
    }
    observer(
        RuleId::Maintenance,
        maintenance::check(&facts.deployment.maintenance, facts.now),
    )?;
    observer(
        RuleId::Invitation,
        invitation::check(cast, facts.invitation, facts.full, facts.now),
    )?;
    let invited = facts.invitation.found;
    let chosen = kasm_url::check(settings, facts.parameters.kasm_url.as_deref())
        .map(|chosen| invitation::opens(chosen, invited));
    observer(RuleId::Image, image::check(facts.image))?;
    observer(RuleId::KasmUrl, chosen.clone().map(drop))?;
    let shown = facts.shown(cast);
    let tiers = &settings.access_tiers;
    let given = GivenTerms {
        tier: access_tiers::terms(tiers, &shown),
        hook: facts.hook.terms(),
    };
    observer(RuleId::Network, judge_network(facts, cast, given))?;
    let chosen = chosen.unwrap_or_default();
    observer(
        RuleId::Consent,
        consent::check(chosen.by_visitor, facts.consent),
    )?;
    observer(
        RuleId::Captcha,
        captcha::check(facts.captcha_requirement(cast), facts.proof),
    )?;
    observer(
        RuleId::AccessTiers,
        access_tiers::check(tiers, &shown, facts.is_tier_group_gone),
    )?;
    observer(RuleId::Turn, turn::check(settings, facts.queue, facts.now))?;
    observer(
        RuleId::LiveLimits,
        live_limits::check(cast, facts.deployment, facts.full, facts.now),
    )?;
    observer(
        RuleId::Budget,
        budget::check(
            facts.image,
            facts.grant,
            cast,
            facts.deployment,
            facts.full,
            facts.now,
        ),
    )?;
    let limit = ip_window::applies(settings.ip_limit.as_ref(), facts.address);
    observer(
        RuleId::IpWindow,
        ip_window::check(limit, facts.window, facts.now),
    )?;
    observer(RuleId::Total, total::check(cast))?;
    observer(
        RuleId::Hook,
        hook::check(&settings.admission_hook, facts.hook),
    )?;
    Ok(Verdict::Admit(Admission {
        count: settings.limit_total_sessions.then_some(cast.counter.epoch),
        window: limit.cloned(),
        quotas: live_limits::quotas(
            cast,
            facts.image,
            facts.user,
            invited,
            facts.grant,
            facts.deployment,
            facts.now,
        ),
        kasm_url: chosen,
        network: facts.network.cloned(),
        tier: access_tier::choose(tiers, &shown).map(|(at, tier)| DecidingTier::of(at, tier)),
    }))
}

fn judge_network(facts: &Facts<'_>, cast: &Cast, given: GivenTerms<'_>) -> Result<(), Denial> {
    let Some(image) = facts.image else {
        return Ok(());
    };
    let invited = facts.invitation.found;
    let chosen = invitation::runs_in(
        &cast.settings,
        &image.settings,
        invited,
        facts.parameters,
        given,
    )?;
    let exists = facts
        .network
        .is_some_and(|network| Some(&network.id) == chosen.as_ref());
    let own = invited.and_then(|invited| invited.settings.network.as_ref());
    let set = [image.settings.network.as_ref(), own, given.network()];
    let by_visitor = !set.contains(&chosen.as_ref());
    network::found(chosen.as_ref(), exists, by_visitor)
}

/// A shorthand for the rules.
const fn refuse<T>(code: DenialCode) -> Result<T, Denial> {
    Err(Denial::new(code))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::access_tier::{AccessTier, Proof};
    use crate::address_rules::AddressRule;
    use crate::open_hours::{OpenHours, Span};
    use crate::referrer::ReferrerRule;
    use crate::testing::{NOON, cast, image, session, user};
    use crate::waiting_queue::WaitingQueue;

    /// Everything that facts borrow from.
    pub(crate) struct Fixture {
        pub(crate) cast: Cast,
        pub(crate) image: Image,
        pub(crate) deployment: DeploymentSettings,
        pub(crate) grant: Grant,
        pub(crate) parameters: LinkParameters,
        pub(crate) full: BTreeSet<QuotaKind>,
    }

    impl Fixture {
        pub(crate) fn plain() -> Self {
            let (cast, image) = (cast(1), image(1));
            Self {
                cast,
                image,
                deployment: DeploymentSettings::default(),
                grant: Grant::default(),
                parameters: LinkParameters::default(),
                full: BTreeSet::new(),
            }
        }

        pub(crate) fn facts(&self) -> Facts<'_> {
            Facts {
                cast: Some(&self.cast),
                image: Some(&self.image),
                network: None,
                deployment: &self.deployment,
                grant: &self.grant,
                address: [192, 0, 2, 1].into(),
                origin: AddressOrigin::default(),
                is_tier_group_gone: false,
                referrer: None,
                user: None,
                own_session: None,
                parameters: &self.parameters,
                invitation: Brought {
                    is_named: self.parameters.invitation().is_some(),
                    ..Brought::default()
                },
                consent: None,
                wait: None,
                proof: ProofFact::NotAsked,
                hook: &HookFact::NotAsked,
                queue: None,
                full: &self.full,
                window: None,
                now: NOON,
            }
        }
    }

    /// A cast on which every rule has something to say no to.
    fn hopeless() -> Fixture {
        let mut fixture = Fixture::plain();
        let settings = &mut fixture.cast.settings;
        settings.enabled = false;
        settings.valid_until = Some(NOON);
        settings.open_hours = Some(OpenHours {
            time_zone: "UTC".into(),
            spans: vec![Span::parse("sun 09:00-10:00").expect("a span")],
        });
        settings.banned_addresses = vec![AddressRule::parse("192.0.2.1").expect("an address")];
        settings.referrers = vec![ReferrerRule::parse("acme.com").expect("a host")];
        settings.allow_anonymous = false;
        settings.require_captcha = true;
        settings.access_tiers = vec![AccessTier {
            proof: Proof::Login,
            ..AccessTier::default()
        }];
        settings.waiting_room = true;
        settings.dynamic_kasm_url = true;
        fixture.image.settings.enabled = false;
        settings.ip_limit = Some(IpLimit {
            sessions: 1,
            within_seconds: 60,
            by: Default::default(),
            exempt: Vec::new(),
        });
        settings.limit_total_sessions = true;
        fixture.parameters = LinkParameters {
            kasm_url: Some("http://localhost/".into()),
            docker_network: Some("lab".into()),
            invitation: Some("nobody's".into()),
        };
        fixture.full = [QuotaKind::Deployment].into();
        fixture.deployment.maintenance.is_on = true;
        fixture
    }

    #[test]
    fn policies_are_evaluated_in_design_order() {
        let window = RateWindow {
            slots: [(session(&cast(1), 1).id, NOON)].into(),
            ..RateWindow::empty(String::new(), "1".into())
        };
        let mut fixture = hopeless();
        let entry = session(&cast(1), 1).id;
        let queue = WaitingQueue::empty(cast(1).id)
            .joined(&session(&cast(1), 2).id, "1".into(), NOON)
            .expect("there is room");
        let mut view = Some(QueueView {
            queue: &queue,
            entry: &entry,
            held: false,
        });
        let (mut referrer, mut consent, mut wait, mut proof, mut seen) = (
            None,
            Some(false),
            Some(5),
            ProofFact::Missing,
            Some(&window),
        );
        let mut heard = Vec::new();
        // The cause of each refusal is fixed in turn, so that the next policy decides.
        for _ in 0..21 {
            let verdict = admit(&Facts {
                referrer,
                consent,
                wait,
                proof,
                queue: view,
                window: seen,
                ..fixture.facts()
            });
            let Verdict::Deny(denial) = verdict else {
                assert!(
                    matches!(
                        verdict,
                        Verdict::Admit(Admission {
                            count: Some(0),
                            window: Some(_),
                            ..
                        })
                    ),
                    "{verdict:?}"
                );
                break;
            };
            heard.push(denial.code.as_str());
            let settings = &mut fixture.cast.settings;
            match denial.code {
                DenialCode::UnknownCast => settings.enabled = true,
                DenialCode::CastExpired => settings.valid_until = None,
                DenialCode::CastClosed => settings.open_hours = None,
                DenialCode::AddressDenied => settings.banned_addresses.clear(),
                DenialCode::ReferrerDenied => referrer = Some("acme.com"),
                DenialCode::LoginRequired => settings.allow_anonymous = true,
                DenialCode::InvitationUnknown => {
                    fixture.parameters.invitation = None;
                    settings.invitation_required = true;
                }
                DenialCode::InvitationRequired => settings.invitation_required = false,
                DenialCode::ImageUnavailable => fixture.image.settings.enabled = true,
                DenialCode::ParameterInvalid => {
                    fixture.parameters.kasm_url = Some("https://example.com/".into());
                }
                DenialCode::NetworkDenied => fixture.parameters.docker_network = None,
                DenialCode::ConsentRequired => consent = Some(true),
                DenialCode::TooManyAttempts => wait = None,
                DenialCode::Maintenance => fixture.deployment.maintenance.is_on = false,
                DenialCode::CaptchaRequired => proof = ProofFact::Passed,
                DenialCode::AccessDenied => settings.access_tiers.clear(),
                DenialCode::Waiting => view = None,
                DenialCode::SystemBusy => fixture.full.clear(),
                DenialCode::IpLimit => seen = None,
                DenialCode::NoSessionsLeft => fixture.cast.counter.remaining = 1,
                other => panic!("{other} has no place here"),
            }
        }
        let order = [
            "unknown-cast",
            "cast-expired",
            "cast-closed",
            "address-denied",
            "referrer-denied",
            "login-required",
            "too-many-attempts",
            "maintenance",
            "invitation-unknown",
            "invitation-required",
            "image-unavailable",
            "parameter-invalid",
            "network-denied",
            "consent-required",
            "captcha-required",
            "access-denied",
            "waiting",
            "system-busy",
            "ip-limit",
            "no-sessions-left",
        ];
        assert_eq!(heard, order);
    }

    #[test]
    fn cast_without_limits_consumes_nothing() {
        let fixture = Fixture::plain();
        let Verdict::Admit(admission) = admit(&fixture.facts()) else {
            panic!("is admitted")
        };
        assert_eq!(
            (admission.count, admission.window, admission.quotas.len()),
            (None, None, 0)
        );
    }

    /// A state of a link, and how it comes into it.
    type State = (&'static str, fn(&mut Fixture));

    /// The refusals of a new session, one state of a link after another.
    fn states() -> Vec<State> {
        vec![
            ("open", |_| {}),
            ("sold out", |fixture| {
                fixture.cast.settings.limit_total_sessions = true;
                fixture.cast.counter.remaining = 0;
            }),
            ("the link's cap is reached", |fixture| {
                fixture.full = [QuotaKind::Cast].into();
            }),
            ("the deployment's cap is reached", |fixture| {
                fixture.full = [QuotaKind::Deployment].into();
            }),
            ("the user's cap is reached", |fixture| {
                fixture.full = [QuotaKind::User].into();
            }),
            ("the profile is in use", |fixture| {
                fixture.full = [QuotaKind::Profile].into();
            }),
            ("maintenance", |fixture| {
                fixture.deployment.maintenance.is_on = true;
            }),
            ("no sessions of the deployment at all", |fixture| {
                fixture.deployment.max_sessions = Some(0);
            }),
            ("no sessions of the link at all", |fixture| {
                fixture.cast.settings.max_live_sessions = Some(0);
            }),
            ("expired", |fixture| {
                fixture.cast.settings.valid_until = Some(NOON);
            }),
            ("out of hours", |fixture| {
                fixture.cast.settings.open_hours = Some(OpenHours {
                    time_zone: "UTC".into(),
                    spans: vec![Span::parse("sun 09:00-10:00").expect("a span")],
                });
            }),
            ("disabled", |fixture| fixture.cast.settings.enabled = false),
            ("image disabled", |fixture| {
                fixture.image.settings.enabled = false;
            }),
            ("all of it", |fixture| {
                let parameters = std::mem::take(&mut fixture.parameters);
                *fixture = hopeless();
                fixture.cast.settings.banned_addresses.clear();
                fixture.cast.settings.referrers.clear();
                fixture.parameters = parameters;
            }),
        ]
    }

    #[test]
    fn resume_decision_table() {
        let (own, ann) = (session(&cast(1), 1), user(1));
        let with = |url: Option<&str>, network: Option<&str>| LinkParameters {
            kasm_url: url.map(str::to_owned),
            docker_network: network.map(str::to_owned),
            ..LinkParameters::default()
        };
        for (state, set) in states() {
            for (case, parameters, not_applied) in [
                ("none", LinkParameters::default(), &[][..]),
                (
                    "a good address that this app cannot open",
                    with(Some("example.com"), None),
                    &[NotApplied::UrlUnsupported],
                ),
                (
                    "a bad address",
                    with(Some("http://localhost/"), None),
                    &[NotApplied::UrlInvalid],
                ),
                (
                    "a bad network",
                    with(None, Some("../lab")),
                    &[NotApplied::NetworkUnchanged],
                ),
            ] {
                let mut fixture = Fixture::plain();
                fixture.parameters = parameters;
                set(&mut fixture);
                fixture.cast.settings.allow_resume = true;
                fixture.cast.settings.dynamic_kasm_url = true;
                for (logged_in, theirs, allowed, resumed) in [
                    (true, true, true, true),
                    (true, false, true, false),
                    (false, true, true, false),
                    (false, false, true, false),
                    (true, true, false, false),
                ] {
                    fixture.cast.settings.allow_resume = allowed;
                    let verdict = admit(&Facts {
                        user: logged_in.then_some(&ann),
                        own_session: theirs.then_some(&own),
                        ..fixture.facts()
                    });
                    let name = format!(
                        "{state}, parameters: {case}, logged in: {logged_in}, \
                         own session: {theirs}, resume allowed: {allowed}"
                    );
                    let expected = Verdict::Resume(Resumption {
                        opens: None,
                        not_applied: not_applied.to_vec(),
                    });
                    assert_eq!(verdict == expected, resumed, "{name}: {verdict:?}");
                    assert_eq!(
                        matches!(verdict, Verdict::Resume(_)),
                        resumed,
                        "{name}: {verdict:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn checks_before_a_resume() {
        let (own, ann) = (session(&cast(1), 1), user(1));
        let code = |fixture: &Fixture, user: Option<&User>, wait: Option<u64>| {
            let own_session = wait.is_none().then_some(&own);
            match admit(&Facts {
                user,
                own_session,
                wait,
                ..fixture.facts()
            }) {
                Verdict::Deny(denial) => Some(denial.code),
                _ => None,
            }
        };
        let resumable = || {
            let mut fixture = Fixture::plain();
            fixture.cast.settings.allow_resume = true;
            fixture.cast.settings.allow_anonymous = false;
            fixture.cast.settings.valid_until = Some(NOON);
            fixture
        };
        assert_eq!(code(&resumable(), Some(&ann), None), None, "nothing");
        let mut banned = resumable();
        banned.cast.settings.banned_addresses =
            vec![AddressRule::parse("192.0.2.1").expect("an address")];
        assert_eq!(
            code(&banned, Some(&ann), None),
            Some(DenialCode::AddressDenied)
        );
        let mut elsewhere = resumable();
        elsewhere.cast.settings.referrers = vec![ReferrerRule::parse("acme.com").expect("a host")];
        assert_eq!(
            code(&elsewhere, Some(&ann), None),
            Some(DenialCode::ReferrerDenied)
        );
        let mut open = resumable();
        open.cast.settings.valid_until = None;
        assert_eq!(code(&open, None, None), Some(DenialCode::LoginRequired));
        assert_eq!(
            code(&resumable(), Some(&ann), Some(9)),
            Some(DenialCode::TooManyAttempts),
            "and not that the link has expired, which is nothing to the owner of a session"
        );
    }
}
