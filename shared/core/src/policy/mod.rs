//! Owns the decision whether a visitor gets a session: one pure function over facts, and the order of its rules. Must not read, write or know the time.
//!
//! To add a rule: a file beside this one with `check` and a table of named cases, its place in [`admit`], its setting in `cast`, its field in
//! `cast_form`, and an end-to-end test. The places that no rule has taken yet are named where they will stand.

pub mod enabled;
pub mod image;
pub mod ip_window;
pub mod referrer;
pub mod total;
pub mod valid_until;

use crate::cast::Cast;
use crate::denial::{Denial, DenialCode};
use crate::image::Image;
use crate::time::Timestamp;
use crate::window::Window;

/// All that the decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The cast under the key, if there is one.
    pub cast: Option<&'a Cast>,
    /// The image it runs, if there is one.
    pub image: Option<&'a Image>,
    /// The host that the visitor came from.
    pub referrer: Option<&'a str>,
    /// The visitor's IP window as last read; `None` while nobody has looked, which lets the reservation find out.
    pub window: Option<&'a Window>,
    /// The time of the decision.
    pub now: Timestamp,
}

/// What the rules say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No.
    Deny(Denial),
    /// Yes, if this can be taken.
    Admit(Admission),
}

/// What an admitted claim must take, all or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// One place of Sessions Remaining, in this counter epoch.
    pub count: Option<u64>,
    /// A slot in the visitor's IP window.
    pub window: bool,
}

/// Judges a visitor. The first rule that says no is the answer.
pub fn admit(facts: &Facts<'_>) -> Verdict {
    match judge(facts) {
        Ok(admission) => Verdict::Admit(admission),
        Err(denial) => Verdict::Deny(denial),
    }
}

fn judge(facts: &Facts<'_>) -> Result<Admission, Denial> {
    let cast = enabled::check(facts.cast)?;
    let settings = &cast.settings;
    valid_until::check(settings.valid_until, facts.now)?;
    // Place of the ban list.
    referrer::check(&settings.referrers, facts.referrer)?;
    // Places of login and resume.
    image::check(facts.image)?;
    // Places of the parameters, the attempt limiter, the captcha, user and group limits, and concurrency.
    ip_window::check(settings.ip_limit, facts.window, facts.now)?;
    total::check(cast)?;
    Ok(Admission { count: settings.limit_total_sessions.then_some(cast.counter.epoch), window: settings.ip_limit.is_some() })
}

/// A shorthand for the rules.
const fn refuse<T>(code: DenialCode) -> Result<T, Denial> {
    Err(Denial::new(code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cast::IpLimit;
    use crate::referrer::ReferrerRule;
    use crate::testing::{NOON, cast, image};

    /// A cast on which every rule has something to say no to.
    fn hopeless() -> (Cast, Image) {
        let (mut cast, mut image) = (cast(1), image(1));
        cast.settings.enabled = false;
        cast.settings.valid_until = Some(NOON);
        cast.settings.referrers = vec![ReferrerRule::parse("acme.com").expect("a host")];
        image.settings.enabled = false;
        cast.settings.ip_limit = Some(IpLimit { sessions: 1, within_seconds: 60 });
        cast.settings.limit_total_sessions = true;
        (cast, image)
    }

    #[test]
    fn rules_speak_in_the_order_of_the_design() {
        let full = Window { key: String::new(), stamp: "1".into(), slots: [(crate::testing::session(&cast(1), 1).id, NOON)].into() };
        let (mut cast, mut image) = hopeless();
        let mut referrer = None;
        let mut window = Some(&full);
        let mut heard = Vec::new();
        // Each refusal's cause is mended in turn, so that the next rule is heard.
        for _ in 0..9 {
            match admit(&Facts { cast: Some(&cast), image: Some(&image), referrer, window, now: NOON }) {
                Verdict::Admit(admission) => {
                    assert_eq!(admission, Admission { count: Some(0), window: true });
                    break;
                }
                Verdict::Deny(denial) => {
                    heard.push(denial.code.as_str());
                    match denial.code {
                        DenialCode::UnknownCast => cast.settings.enabled = true,
                        DenialCode::CastExpired => cast.settings.valid_until = None,
                        DenialCode::ReferrerDenied => referrer = Some("acme.com"),
                        DenialCode::ImageUnavailable => image.settings.enabled = true,
                        DenialCode::IpLimit => window = None,
                        DenialCode::NoSessionsLeft => cast.counter.remaining = 1,
                        other => panic!("{other} has no place here"),
                    }
                }
            }
        }
        assert_eq!(heard, ["unknown-cast", "cast-expired", "referrer-denied", "image-unavailable", "ip-limit", "no-sessions-left"]);
    }

    #[test]
    fn a_cast_without_limits_takes_nothing() {
        let facts = Facts { cast: Some(&cast(1)), image: Some(&image(1)), referrer: None, window: None, now: NOON };
        assert_eq!(admit(&facts), Verdict::Admit(Admission { count: None, window: false }));
    }
}
