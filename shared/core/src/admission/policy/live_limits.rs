//! Owns the rules that only so many sessions may live at once: of one user (Kasm:
//! max_kasms_per_user), of one link, and of the whole deployment, and that only so many anonymous
//! users come in an hour. The counts are kept by the reservation; these rules say which count, and
//! what it means when one is full.

use std::collections::BTreeSet;

use crate::cast::Cast;
use crate::denial::{Denial, DenialCode};
use crate::deployment::DeploymentSettings;
use crate::ids::UserId;
use crate::image::Image;
use crate::invitation::Invitation;
use crate::permission::Grant;
use crate::persistent_profile;
use crate::policy::budget;
use crate::quota::{Held, Quota, QuotaKind};
use crate::session::{Owner, Session};
use crate::time::Timestamp;
use crate::user::User;

/// The counts that a claim takes one of.
pub fn quotas(
    cast: &Cast,
    image: Option<&Image>,
    user: Option<&User>,
    invitation: Option<&Invitation>,
    grant: &Grant,
    deployment: &DeploymentSettings,
    now: Timestamp,
) -> Vec<Quota> {
    // Always counted, because which limit a user has depends on the link and on the groups.
    let of_user = |user: &UserId| Quota {
        most: grant.sessions_per_user.map(u64::from),
        ..Quota::unlimited(QuotaKind::User, user.as_str())
    };
    let minted = || {
        deployment
            .anonymous_users_per_hour
            .map(|most| Quota::of_hour(now, most))
    };
    let profile = image.and_then(|image| persistent_profile::carried(cast, image, user));
    [
        invitation.map(Invitation::quota),
        // Two sessions with one profile would each save what the other has not.
        profile.map(|profile| Quota::new(QuotaKind::Profile, profile.id.as_str(), 1)),
        user.map_or_else(minted, |user| Some(of_user(&user.id))),
        of_cast(cast),
        of_deployment(deployment),
    ]
    .into_iter()
    .flatten()
    .chain(
        image
            .into_iter()
            .flat_map(|image| budget::quotas(image, grant, cast, deployment, now)),
    )
    .collect()
}

/// The count of the live sessions of a link; `None` while nothing limits it.
pub fn of_cast(cast: &Cast) -> Option<Quota> {
    let settings = &cast.settings;
    settings.max_live_sessions.map(|most| {
        Quota::new(QuotaKind::Cast, cast.id.as_str(), most).counted_since(settings.counted_since)
    })
}

/// The count of the live sessions of the deployment; `None` while nothing limits it.
pub fn of_deployment(deployment: &DeploymentSettings) -> Option<Quota> {
    deployment.max_sessions.map(|most| {
        Quota::new(QuotaKind::Deployment, "all", most).counted_since(deployment.counted_since)
    })
}

/// The counts that a live session must hold and does not: it was claimed before the limit was set,
/// or before all sessions of users were counted. `cast` is its link, where that is in question.
pub fn missing(
    session: &Session,
    cast: Option<&Cast>,
    deployment: &DeploymentSettings,
) -> Vec<Held> {
    if !session.is_live() || session.is_unassigned() {
        return Vec::new();
    }
    let user = match &session.owner {
        Owner::User { id, .. } => Some(Quota::unlimited(QuotaKind::User, id.as_str())),
        Owner::Anonymous { .. } | Owner::Anonymised | Owner::Unassigned => None,
    };
    [
        user,
        cast.filter(|cast| cast.id == session.cast_id)
            .and_then(of_cast),
        of_deployment(deployment),
    ]
    .into_iter()
    .flatten()
    .map(|quota| quota.held())
    .filter(|held| !session.charge.held.contains(held))
    .collect()
}

/// Passes unless one of the counts was found full a moment ago, or the limit of the deployment
/// or of the link admits no session at all.
///
/// # Errors
/// `ProfileBusy`, `UserLimit`, `AnonymousLimit`, `CastBusy`, `SystemBusy`, or `Maintenance` when
/// the limit of the deployment or of the link is 0.
pub fn check(
    cast: &Cast,
    deployment: &DeploymentSettings,
    full: &BTreeSet<QuotaKind>,
    now: Timestamp,
) -> Result<(), Denial> {
    if deployment.max_sessions == Some(0) || cast.settings.max_live_sessions == Some(0) {
        return super::refuse(DenialCode::Maintenance);
    }
    match full.first() {
        // No claim is refused because of a pool; money and invitations have rules of their own.
        None
        | Some(
            QuotaKind::Pool
            | QuotaKind::BudgetHour
            | QuotaKind::BudgetDay
            | QuotaKind::Invitation
            | QuotaKind::LinkBudgetHour
            | QuotaKind::LinkBudgetDay
            | QuotaKind::LinkBudgetMonth
            | QuotaKind::LinkBudgetTotal,
        ) => Ok(()),
        Some(QuotaKind::Profile) => super::refuse(DenialCode::ProfileBusy),
        Some(QuotaKind::User) => super::refuse(DenialCode::UserLimit),
        Some(QuotaKind::Minted) => Err(Denial::retry(
            DenialCode::AnonymousLimit,
            3600 - now.seconds().rem_euclid(3600).unsigned_abs(),
        )),
        Some(QuotaKind::Cast) => Err(Denial::retry(DenialCode::CastBusy, 60)),
        Some(QuotaKind::Deployment) => Err(Denial::retry(DenialCode::SystemBusy, 60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::EndReason;
    use crate::testing::{NOON, cast, image, session, user};

    #[test]
    fn only_active_limits_and_users_are_counted() {
        let grant = |most| Grant {
            sessions_per_user: most,
            ..Grant::default()
        };
        let image = image(1);
        for (name, logged_in, per_user, per_cast, deployment, per_hour, expected) in [
            ("nothing is limited", false, None, None, None, None, &[][..]),
            (
                "nothing is limited, logged in",
                true,
                None,
                None,
                None,
                None,
                &[QuotaKind::User],
            ),
            (
                "everything, anonymous",
                false,
                Some(1),
                Some(2),
                Some(3),
                Some(4),
                &[QuotaKind::Minted, QuotaKind::Cast, QuotaKind::Deployment],
            ),
            (
                "everything, logged in",
                true,
                Some(1),
                Some(2),
                Some(3),
                Some(4),
                &[QuotaKind::User, QuotaKind::Cast, QuotaKind::Deployment],
            ),
        ] {
            let mut cast = cast(1);
            cast.settings.max_live_sessions = per_cast;
            let deployment = DeploymentSettings {
                max_sessions: deployment,
                anonymous_users_per_hour: per_hour,
                ..DeploymentSettings::default()
            };
            let user = logged_in.then(|| user(1));
            let kinds: Vec<_> = quotas(
                &cast,
                Some(&image),
                user.as_ref(),
                None,
                &grant(per_user),
                &deployment,
                NOON,
            )
            .into_iter()
            .map(|quota| quota.kind)
            .collect();
            assert_eq!(kinds, expected, "{name}");
        }
    }

    #[test]
    fn session_lacks_counts_of_limits_set_after_its_claim() {
        let (mut capped, other) = (cast(1), cast(2));
        capped.settings.max_live_sessions = Some(3);
        let all = DeploymentSettings {
            max_sessions: Some(0),
            ..DeploymentSettings::default()
        };
        let none = DeploymentSettings::default();
        let anonymous = session(&capped, 1);
        let mut known = anonymous.clone();
        known.owner = Owner::User {
            id: user(1).id,
            name: "Ann".into(),
        };
        let kept = |session: &Session, cast, deployment| {
            let missing = missing(session, cast, deployment);
            missing.iter().map(|held| held.kind).collect::<Vec<_>>()
        };
        let counted = anonymous
            .holding(missing(&anonymous, Some(&capped), &all))
            .expect("lives");
        assert_eq!(counted.takes(&anonymous), counted.charge.held);
        assert_eq!(counted.rev, anonymous.rev + 1);
        let ended = anonymous.ended(EndReason::TaskLost, NOON).expect("ends");
        for (name, session, cast, deployment, expected) in [
            ("nothing is limited", &anonymous, &other, &none, &[][..]),
            ("the link", &anonymous, &capped, &none, &[QuotaKind::Cast]),
            ("another link", &anonymous, &other, &none, &[]),
            (
                "the deployment",
                &anonymous,
                &other,
                &all,
                &[QuotaKind::Deployment],
            ),
            ("a user always", &known, &other, &none, &[QuotaKind::User]),
            ("all that it holds", &counted, &capped, &all, &[]),
            ("ended", &ended, &capped, &all, &[]),
        ] {
            assert_eq!(kept(session, Some(cast), deployment), expected, "{name}");
        }
        assert_eq!(ended.holding(vec![]), None);
        assert_eq!(ended.holding(counted.charge.held), None, "it has ended");
    }

    #[test]
    fn profile_is_counted_if_the_session_has_one() {
        let (mut cast, mut image, user) = (cast(1), image(1), user(1));
        cast.settings.allow_anonymous = false;
        image.settings.profile.path = Some("/home/app".into());
        let counted = |user| {
            quotas(
                &cast,
                Some(&image),
                user,
                None,
                &Grant::default(),
                &DeploymentSettings::default(),
                NOON,
            )
        };
        let of_user = counted(Some(&user));
        assert_eq!(
            of_user
                .iter()
                .map(|quota| (quota.kind, quota.most))
                .collect::<Vec<_>>(),
            [(QuotaKind::Profile, Some(1)), (QuotaKind::User, None)]
        );
        assert!(
            of_user[0].kind.is_live(),
            "given back when the session ends"
        );
        assert!(counted(None).is_empty());
    }

    #[test]
    fn each_reached_limit_has_its_own_code() {
        let limited = |max_sessions| DeploymentSettings {
            max_sessions,
            ..DeploymentSettings::default()
        };
        for (name, of_cast, max_sessions, full, code, retry_after) in [
            ("nothing is full", None, Some(5), vec![], None, None),
            (
                "the profile, before all others",
                None,
                Some(5),
                vec![QuotaKind::User, QuotaKind::Profile],
                Some(DenialCode::ProfileBusy),
                None,
            ),
            (
                "the user's",
                None,
                Some(5),
                vec![QuotaKind::User, QuotaKind::Deployment],
                Some(DenialCode::UserLimit),
                None,
            ),
            (
                "the hour's",
                None,
                None,
                vec![QuotaKind::Minted],
                Some(DenialCode::AnonymousLimit),
                Some(3600),
            ),
            (
                "the link's",
                Some(5),
                Some(5),
                vec![QuotaKind::Cast],
                Some(DenialCode::CastBusy),
                Some(60),
            ),
            (
                "the deployment's",
                None,
                Some(5),
                vec![QuotaKind::Deployment],
                Some(DenialCode::SystemBusy),
                Some(60),
            ),
            (
                "no sessions of the deployment",
                None,
                Some(0),
                vec![],
                Some(DenialCode::Maintenance),
                None,
            ),
            (
                "no sessions of the link",
                Some(0),
                None,
                vec![],
                Some(DenialCode::Maintenance),
                None,
            ),
        ] {
            let mut cast = cast(1);
            cast.settings.max_live_sessions = of_cast;
            let verdict = check(
                &cast,
                &limited(max_sessions),
                &full.into_iter().collect(),
                NOON,
            )
            .err();
            assert_eq!(verdict.as_ref().map(|denial| denial.code), code, "{name}");
            assert_eq!(
                verdict.and_then(|denial| denial.retry_after),
                retry_after,
                "{name}"
            );
        }
    }
}
