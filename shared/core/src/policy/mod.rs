//! Owns the decision whether a visitor gets a session: one pure function over facts, and the order of its rules. Must not read, write or know the time.
//!
//! To add a rule: a file beside this one with `check` and a table of named cases, its name in [`Rule`] and its place in `judge`, its setting in
//! `cast`, its field in `cast_form`, and an end-to-end test.

pub mod addresses;
pub mod attempts;
pub mod captcha;
pub mod consent;
pub mod enabled;
pub mod image;
pub mod ip_window;
pub mod kasm_url;
pub mod live_limits;
pub mod login;
pub mod network;
pub mod open_hours;
pub mod referrer;
pub mod total;
pub mod trace;
pub mod turn;
pub mod valid_until;

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::cast::{Cast, IpLimit};
use crate::denial::{Denial, DenialCode};
use crate::image::Image;
use crate::network::{Network, NetworkName};
use crate::permission::Grant;
use crate::session::Session;
use crate::system::SystemSettings;
use crate::tally::{Tally, TallyKind};
use crate::time::Timestamp;
use crate::user::User;
use crate::window::Window;

pub use captcha::ProofFact;
pub use kasm_url::Chosen;
pub use trace::{Step, trace};
pub use turn::Line;

/// All that the decision depends on.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The cast under the key, if there is one.
    pub cast: Option<&'a Cast>,
    /// The image it runs, if there is one.
    pub image: Option<&'a Image>,
    /// The network that would be used, if it is a named one and there is one of this name (see [`wanted_network`]).
    pub network: Option<&'a Network>,
    /// The settings of the whole deployment.
    pub system: &'a SystemSettings,
    /// What groups and cast allow this visitor.
    pub grant: &'a Grant,
    /// Where the visitor comes from.
    pub address: IpAddr,
    /// The host that the visitor came from.
    pub referrer: Option<&'a str>,
    /// The visitor, if logged in.
    pub user: Option<&'a User>,
    /// The visitor's own live session of this cast, if there is one.
    pub own_session: Option<&'a Session>,
    /// What the link's parameters ask for.
    pub wishes: &'a Wishes,
    /// Whether the visitor agreed to what the parameters ask for; `None` while nobody has asked.
    pub consent: Option<bool>,
    /// How long this address must wait before it tries again, in seconds.
    pub wait: Option<u64>,
    /// What is known of the visitor's proof of being there.
    pub proof: ProofFact,
    /// The link's waiting room, where it has one and somebody has looked.
    pub line: Option<Line<'a>>,
    /// The counts that were found full a moment ago.
    pub full: &'a BTreeSet<TallyKind>,
    /// The visitor's IP window as last read; `None` while nobody has looked, which lets the reservation find out.
    pub window: Option<&'a Window>,
    /// The time of the decision.
    pub now: Timestamp,
}

/// What a link's parameters ask for, as they came.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Wishes {
    /// seed: the `kasm_url` parameter.
    pub kasm_url: Option<String>,
    /// seed: the `docker_network` parameter.
    pub docker_network: Option<String>,
}

/// What the rules say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No.
    Deny(Denial),
    /// The visitor has a session of this cast already and gets that one; if a URL is named, it is opened there.
    Resume(Option<String>),
    /// Yes, if this can be taken.
    Admit(Admission),
}

/// What an admitted claim must take, all or nothing, and what its session gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// One place of Sessions Remaining, in this counter epoch.
    pub count: Option<u64>,
    /// A slot in the visitor's IP window.
    pub window: Option<IpLimit>,
    /// One of each of these counts.
    pub tallies: Vec<Tally>,
    /// What the session opens.
    pub kasm_url: Chosen,
    /// Where the session runs; `None` is the deployment's own network.
    pub network: Option<Network>,
}

/// The rules, in the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The link exists and is enabled.
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
    /// The visitor has a session already.
    Resume,
    /// The image can be started.
    Image,
    /// The Kasm URL can be opened.
    KasmUrl,
    /// The network can be used.
    Network,
    /// The visitor agrees to what the link asks for.
    Consent,
    /// The address has not tried too often.
    Attempts,
    /// Somebody is there.
    Captcha,
    /// Nobody is before the visitor in the waiting room.
    Turn,
    /// There are not too many sessions already.
    LiveLimits,
    /// The address has not had too many sessions lately.
    IpWindow,
    /// Sessions remain.
    Total,
}

/// Judges a visitor. The first rule that says no is the answer.
pub fn admit(facts: &Facts<'_>) -> Verdict {
    match judge(facts, &mut |_, verdict| verdict) {
        Ok(verdict) => verdict,
        Err(denial) => Verdict::Deny(denial),
    }
}

/// The name of the network that would be used, so that it can be looked up before the decision.
pub fn wanted_network(cast: &Cast, image: &Image, wishes: &Wishes) -> Option<NetworkName> {
    network::check(
        &cast.settings,
        &image.settings,
        wishes.docker_network.as_deref(),
    )
    .ok()?
}

/// Asks every rule in order. `hear` learns what each says and decides whether that ends the matter: it gives the denial back, or swallows it.
fn judge(
    facts: &Facts<'_>,
    hear: &mut dyn FnMut(Rule, Result<(), Denial>) -> Result<(), Denial>,
) -> Result<Verdict, Denial> {
    let found = enabled::check(facts.cast);
    hear(Rule::Enabled, found.clone().map(drop))?;
    // Without a link no other rule has anything to judge.
    let cast = found?;
    let settings = &cast.settings;
    // A session that is there outlives the link's own end; what it may not outlive is that the link was taken away from this visitor.
    let own = facts
        .own_session
        .filter(|_| settings.allow_resume && facts.user.is_some());
    let begins = |verdict: Result<(), Denial>| if own.is_some() { Ok(()) } else { verdict };
    hear(
        Rule::ValidUntil,
        begins(valid_until::check(settings.valid_until, facts.now)),
    )?;
    hear(
        Rule::OpenHours,
        begins(open_hours::check(settings.open_hours.as_ref(), facts.now)),
    )?;
    let banned = &facts.system.banned_addresses;
    hear(
        Rule::Addresses,
        addresses::check(
            banned,
            &settings.banned_addresses,
            &settings.allowed_addresses,
            facts.address,
        ),
    )?;
    hear(
        Rule::Referrer,
        referrer::check(&settings.referrers, facts.referrer),
    )?;
    hear(
        Rule::Login,
        login::check(settings.allow_anonymous, facts.user),
    )?;
    hear(Rule::Resume, Ok(()))?;
    let chosen = kasm_url::check(settings, facts.wishes.kasm_url.as_deref());
    if own.is_some() {
        // Whatever is wrong with a wish never keeps anybody from a session that is theirs; and nobody's link opens anything in it unseen.
        let agreed = chosen
            .ok()
            .filter(|chosen| chosen.by_visitor && facts.consent == Some(true));
        return Ok(Verdict::Resume(agreed.and_then(|chosen| chosen.url)));
    }
    hear(Rule::Image, image::check(facts.image))?;
    hear(Rule::KasmUrl, chosen.clone().map(drop))?;
    hear(Rule::Network, judge_network(facts, cast))?;
    let chosen = chosen.unwrap_or_default();
    hear(
        Rule::Consent,
        consent::check(chosen.by_visitor, facts.consent),
    )?;
    hear(Rule::Attempts, attempts::check(facts.wait))?;
    hear(
        Rule::Captcha,
        captcha::check(settings, facts.user, facts.proof),
    )?;
    hear(Rule::Turn, turn::check(settings, facts.line, facts.now))?;
    hear(
        Rule::LiveLimits,
        live_limits::check(cast, facts.system, facts.full, facts.now),
    )?;
    let limit = ip_window::applies(settings.ip_limit.as_ref(), facts.address);
    hear(
        Rule::IpWindow,
        ip_window::check(limit, facts.window, facts.now),
    )?;
    hear(Rule::Total, total::check(cast))?;
    Ok(Verdict::Admit(Admission {
        count: settings.limit_total_sessions.then_some(cast.counter.epoch),
        window: limit.cloned(),
        tallies: live_limits::tallies(
            cast,
            facts.image,
            facts.user,
            facts.grant,
            facts.system,
            facts.now,
        ),
        kasm_url: chosen,
        network: facts.network.cloned(),
    }))
}

fn judge_network(facts: &Facts<'_>, cast: &Cast) -> Result<(), Denial> {
    let Some(image) = facts.image else {
        return Ok(());
    };
    let chosen = network::check(
        &cast.settings,
        &image.settings,
        facts.wishes.docker_network.as_deref(),
    )?;
    let exists = facts
        .network
        .is_some_and(|network| Some(&network.id) == chosen.as_ref());
    network::found(chosen.as_ref(), exists, chosen != image.settings.network)
}

/// A shorthand for the rules.
const fn refuse<T>(code: DenialCode) -> Result<T, Denial> {
    Err(Denial::new(code))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::address_rules::AddressRule;
    use crate::open_hours::{OpenHours, Span};
    use crate::referrer::ReferrerRule;
    use crate::room::Room;
    use crate::testing::{NOON, cast, image, session, user};

    /// Everything that facts borrow from.
    pub(crate) struct Ground {
        pub(crate) cast: Cast,
        pub(crate) image: Image,
        pub(crate) system: SystemSettings,
        pub(crate) grant: Grant,
        pub(crate) wishes: Wishes,
        pub(crate) full: BTreeSet<TallyKind>,
    }

    impl Ground {
        pub(crate) fn plain() -> Self {
            let (cast, image) = (cast(1), image(1));
            Self {
                cast,
                image,
                system: SystemSettings::default(),
                grant: Grant::default(),
                wishes: Wishes::default(),
                full: BTreeSet::new(),
            }
        }

        pub(crate) fn facts(&self) -> Facts<'_> {
            Facts {
                cast: Some(&self.cast),
                image: Some(&self.image),
                network: None,
                system: &self.system,
                grant: &self.grant,
                address: [192, 0, 2, 1].into(),
                referrer: None,
                user: None,
                own_session: None,
                wishes: &self.wishes,
                consent: None,
                wait: None,
                proof: ProofFact::NotAsked,
                line: None,
                full: &self.full,
                window: None,
                now: NOON,
            }
        }
    }

    /// A cast on which every rule has something to say no to.
    fn hopeless() -> Ground {
        let mut ground = Ground::plain();
        let settings = &mut ground.cast.settings;
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
        settings.waiting_room = true;
        settings.dynamic_kasm_url = true;
        ground.image.settings.enabled = false;
        settings.ip_limit = Some(IpLimit {
            sessions: 1,
            within_seconds: 60,
            by: Default::default(),
            exempt: Vec::new(),
        });
        settings.limit_total_sessions = true;
        ground.wishes = Wishes {
            kasm_url: Some("http://localhost/".into()),
            docker_network: Some("lab".into()),
        };
        ground.full = [TallyKind::System].into();
        ground
    }

    #[test]
    fn rules_speak_in_the_order_of_the_design() {
        let window = Window {
            key: String::new(),
            stamp: "1".into(),
            slots: [(session(&cast(1), 1).id, NOON)].into(),
        };
        let mut ground = hopeless();
        let place = session(&cast(1), 1).id;
        let room = Room::empty(cast(1).id)
            .joined(&session(&cast(1), 2).id, "1".into(), NOON)
            .expect("there is room");
        let mut line = Some(Line {
            room: &room,
            place: &place,
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
        // Each refusal's cause is mended in turn, so that the next rule is heard.
        for _ in 0..20 {
            let verdict = admit(&Facts {
                referrer,
                consent,
                wait,
                proof,
                line,
                window: seen,
                ..ground.facts()
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
            let settings = &mut ground.cast.settings;
            match denial.code {
                DenialCode::UnknownCast => settings.enabled = true,
                DenialCode::CastExpired => settings.valid_until = None,
                DenialCode::CastClosed => settings.open_hours = None,
                DenialCode::AddressDenied => settings.banned_addresses.clear(),
                DenialCode::ReferrerDenied => referrer = Some("acme.com"),
                DenialCode::LoginRequired => settings.allow_anonymous = true,
                DenialCode::ImageUnavailable => ground.image.settings.enabled = true,
                DenialCode::ParameterInvalid => {
                    ground.wishes.kasm_url = Some("https://example.com/".into());
                }
                DenialCode::NetworkDenied => ground.wishes.docker_network = None,
                DenialCode::ConsentRequired => consent = Some(true),
                DenialCode::TooManyAttempts => wait = None,
                DenialCode::CaptchaRequired => proof = ProofFact::Passed,
                DenialCode::Waiting => line = None,
                DenialCode::SystemBusy => ground.full.clear(),
                DenialCode::IpLimit => seen = None,
                DenialCode::NoSessionsLeft => ground.cast.counter.remaining = 1,
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
            "image-unavailable",
            "parameter-invalid",
            "network-denied",
            "consent-required",
            "too-many-attempts",
            "captcha-required",
            "waiting",
            "system-busy",
            "ip-limit",
            "no-sessions-left",
        ];
        assert_eq!(heard, order);
    }

    #[test]
    fn a_cast_without_limits_takes_nothing() {
        let ground = Ground::plain();
        let Verdict::Admit(admission) = admit(&ground.facts()) else {
            panic!("is admitted")
        };
        assert_eq!(
            (admission.count, admission.window, admission.tallies.len()),
            (None, None, 0)
        );
    }

    #[test]
    fn only_a_logged_in_user_of_a_link_that_allows_it_resumes_and_then_nothing_stands_in_the_way() {
        let own = session(&cast(1), 1);
        let ann = user(1);
        let resumes = |ground: &Ground, user: Option<&User>, own: Option<&Session>| {
            matches!(
                admit(&Facts {
                    user,
                    own_session: own,
                    ..ground.facts()
                }),
                Verdict::Resume(_)
            )
        };
        let mut ground = Ground::plain();
        assert!(
            !resumes(&ground, Some(&ann), Some(&own)),
            "the link does not allow it"
        );
        ground.cast.settings.allow_resume = true;
        assert!(resumes(&ground, Some(&ann), Some(&own)));
        assert!(!resumes(&ground, None, Some(&own)), "nobody is logged in");
        assert!(!resumes(&ground, Some(&ann), None), "there is none");
        let settings = &mut ground.cast.settings;
        settings.valid_until = Some(NOON);
        settings.limit_total_sessions = true;
        settings.max_live_sessions = Some(1);
        settings.require_captcha = true;
        ground.image.settings.enabled = false;
        ground.full = [TallyKind::Cast].into();
        assert!(
            resumes(&ground, Some(&ann), Some(&own)),
            "limits and the link's end are for new sessions"
        );
        ground.cast.settings.referrers = vec![ReferrerRule::parse("acme.com").expect("a host")];
        assert!(
            !resumes(&ground, Some(&ann), Some(&own)),
            "the referrer is checked all the same"
        );
    }

    #[test]
    fn a_resume_opens_the_visitors_url_and_a_wrong_one_does_not_stop_it() {
        let own = session(&cast(1), 1);
        let ann = user(1);
        let mut ground = Ground::plain();
        ground.cast.settings.allow_resume = true;
        ground.cast.settings.kasm_url = Some("https://own.example/".into());
        for (name, dynamic, consent, wish, opened) in [
            ("no wish", true, true, None, None),
            (
                "a wish",
                true,
                true,
                Some("example.com"),
                Some("https://example.com/"),
            ),
            (
                "a wish that nobody agreed to",
                true,
                false,
                Some("example.com"),
                None,
            ),
            (
                "a wish that the link does not take",
                false,
                true,
                Some("example.com"),
                None,
            ),
            ("a wrong wish", true, true, Some("http://localhost/"), None),
        ] {
            ground.cast.settings.dynamic_kasm_url = dynamic;
            ground.wishes.kasm_url = wish.map(str::to_owned);
            let consent = Some(consent);
            let verdict = admit(&Facts {
                user: Some(&ann),
                own_session: Some(&own),
                consent,
                ..ground.facts()
            });
            assert_eq!(
                verdict,
                Verdict::Resume(opened.map(str::to_owned)),
                "{name}"
            );
        }
    }
}
