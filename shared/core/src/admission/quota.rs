//! Owns quotas: counts of things that there may only be so many of, of which a claim takes some and
//! gives them back. Must not know how they are stored, or which limits there are (see
//! `policy::live_limits`).

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// What is counted, in the order of the policies: the first full quota is the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuotaKind {
    /// Live sessions with one persistent profile.
    Profile,
    /// Live sessions of one user.
    User,
    /// Anonymous users made in one clock hour.
    Minted,
    /// Live sessions of one link.
    Cast,
    /// Live sessions of the deployment.
    #[serde(rename = "system")]
    Deployment,
    /// Millionths of a dollar that the sessions claimed in one clock hour may cost.
    BudgetHour,
    /// The same of one day (UTC).
    BudgetDay,
    /// Sessions that wait in one pool for their visitors.
    Pool,
    /// Uses of one invitation.
    Invitation,
    /// Millionths of a dollar that the sessions of one link may cost that are claimed in one clock
    /// hour.
    LinkBudgetHour,
    /// The same of one day (UTC).
    LinkBudgetDay,
    /// The same of one month (UTC).
    LinkBudgetMonth,
    /// The same of all sessions of the link.
    LinkBudgetTotal,
}

impl QuotaKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::User => "user",
            Self::Minted => "minted",
            Self::Cast => "cast",
            Self::Deployment => "system",
            Self::BudgetHour => "budget-hour",
            Self::BudgetDay => "budget-day",
            Self::Pool => "pool",
            Self::Invitation => "invitation",
            Self::LinkBudgetHour => "link-budget-hour",
            Self::LinkBudgetDay => "link-budget-day",
            Self::LinkBudgetMonth => "link-budget-month",
            Self::LinkBudgetTotal => "link-budget-total",
        }
    }

    /// Whether a session that was served gives its one back when it ends. (One that was refunded
    /// gives everything back.)
    pub const fn is_live(self) -> bool {
        !self.is_money() && !matches!(self, Self::Minted | Self::Invitation)
    }

    /// Whether it counts money: of that, a session gives back what it has not cost.
    pub const fn is_money(self) -> bool {
        matches!(self, Self::BudgetHour | Self::BudgetDay) || self.is_of_link()
    }

    /// Whether it counts the money of one link.
    pub const fn is_of_link(self) -> bool {
        matches!(
            self,
            Self::LinkBudgetHour
                | Self::LinkBudgetDay
                | Self::LinkBudgetMonth
                | Self::LinkBudgetTotal
        )
    }
}

/// One count, and how far it may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// What is counted.
    pub kind: QuotaKind,
    /// Whose count it is: `{kind}/{of what}`.
    pub key: String,
    /// How many of it a claim takes: one, or millionths of a dollar.
    pub amount: u64,
    /// Full at this; `None` is counted without a limit.
    pub most: Option<u64>,
    /// Where counting began only when a limit was set: the version of the settings that set it.
    /// The count takes claims once it is complete, which [`crate::ports::Store::complete_quota`]
    /// says. `None`: counted from the first session on.
    pub counted_since: Option<u64>,
    /// When the count may be forgotten; `None` is never.
    pub forgotten_at: Option<Timestamp>,
}

/// What the row of a count says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many are taken.
    pub taken: u64,
    /// When what is counted was opened first, if that was noted.
    pub opened_at: Option<Timestamp>,
}

/// A session's place in a quota.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// What is counted.
    pub kind: QuotaKind,
    /// The count's key.
    pub key: String,
    /// How many of it.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub amount: u64,
}

const fn one() -> u64 {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands it over like this"
)]
const fn is_one(amount: &u64) -> bool {
    *amount == one()
}

impl Quota {
    /// A count that lives as long as what it counts, with a limit.
    pub fn new(kind: QuotaKind, of: &str, most: u32) -> Self {
        Self {
            most: Some(most.into()),
            ..Self::unlimited(kind, of)
        }
    }

    /// A count that is kept although nothing limits it now.
    pub fn unlimited(kind: QuotaKind, of: &str) -> Self {
        Self {
            kind,
            key: format!("{}/{of}", kind.as_str()),
            amount: one(),
            most: None,
            counted_since: None,
            forgotten_at: None,
        }
    }

    /// The same, counted since the settings had this version.
    #[must_use]
    pub fn counted_since(self, version: u64) -> Self {
        Self {
            counted_since: Some(version),
            ..self
        }
    }

    /// Whether there is no room when `taken` are taken.
    pub fn is_full(&self, taken: u64) -> bool {
        self.most
            .is_some_and(|most| taken.saturating_add(self.amount) > most)
    }

    /// The money that the sessions claimed in one window may cost, of which a claim takes `amount`;
    /// the window ends at `ends`. All in millionths of a dollar.
    pub fn money(kind: QuotaKind, ends: Timestamp, amount: u64, most: u64) -> Self {
        Self::money_of(kind, &[], Some(ends), amount, most)
    }

    /// The same of something that has money of its own, by its name; a count without an end is
    /// never forgotten.
    pub fn money_of(
        kind: QuotaKind,
        of: &[&str],
        ends: Option<Timestamp>,
        amount: u64,
        most: u64,
    ) -> Self {
        let end = ends.map(|ends| ends.seconds().to_string());
        let parts: Vec<&str> = of.iter().copied().chain(end.as_deref()).collect();
        Self {
            amount,
            most: Some(most),
            forgotten_at: ends.map(forgotten_at),
            ..Self::unlimited(kind, &parts.join("/"))
        }
    }

    /// The count of anonymous users in the clock hour of `now`.
    pub fn of_hour(now: Timestamp, most: u32) -> Self {
        let hour = now.seconds().div_euclid(3600);
        let forgotten_at = Some(Timestamp::from_millis((hour + 2) * 3_600_000));
        Self {
            forgotten_at,
            ..Self::new(QuotaKind::Minted, &hour.to_string(), most)
        }
    }

    /// A session's record of its place, to give it back.
    pub fn held(&self) -> Held {
        Held {
            kind: self.kind,
            key: self.key.clone(),
            amount: self.amount,
        }
    }
}

/// When the count of a window of money may be forgotten.
const fn forgotten_at(ends: Timestamp) -> Timestamp {
    ends.plus_seconds(3600)
}

impl Held {
    /// When its count may be forgotten; `None` is never.
    pub fn forgotten_at(&self) -> Option<Timestamp> {
        self.window_ends().map(forgotten_at)
    }

    /// When the window ends of which it is money; `None` when it is none, or has no end.
    pub fn window_ends(&self) -> Option<Timestamp> {
        let ends = self.key.rsplit('/').next()?.parse::<i64>().ok()?;
        self.kind
            .is_money()
            .then(|| Timestamp::from_millis(ends.saturating_mul(1000)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quota_kinds_are_stored_under_the_names_of_their_counts() {
        for kind in [
            QuotaKind::Profile,
            QuotaKind::User,
            QuotaKind::Minted,
            QuotaKind::Cast,
            QuotaKind::Deployment,
            QuotaKind::BudgetHour,
            QuotaKind::BudgetDay,
            QuotaKind::Pool,
            QuotaKind::Invitation,
            QuotaKind::LinkBudgetHour,
            QuotaKind::LinkBudgetDay,
            QuotaKind::LinkBudgetMonth,
            QuotaKind::LinkBudgetTotal,
        ] {
            assert_eq!(json!(kind), kind.as_str());
        }
    }
}
