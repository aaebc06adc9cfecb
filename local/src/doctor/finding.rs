//! Owns what a look from outside finds, and how it is told: plain sentences, and what to do. Must not know how anything is found.

use std::fmt;

/// How much something matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// As it should be.
    Fine,
    /// Worth a look; it may be meant.
    Look,
    /// It keeps visitors or administrators from what they come for, or is not safe.
    Wrong,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub grade: Grade,
    /// What is so.
    pub what: String,
    /// What to do about it; empty when there is nothing to do.
    pub todo: String,
}

/// As it should be.
pub fn fine(what: impl Into<String>) -> Finding {
    Finding {
        grade: Grade::Fine,
        what: what.into(),
        todo: String::new(),
    }
}

/// Worth a look.
pub fn look(what: impl Into<String>, todo: impl Into<String>) -> Finding {
    Finding {
        grade: Grade::Look,
        what: what.into(),
        todo: todo.into(),
    }
}

/// Not as it must be.
pub fn wrong(what: impl Into<String>, todo: impl Into<String>) -> Finding {
    Finding {
        grade: Grade::Wrong,
        what: what.into(),
        todo: todo.into(),
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grade = match self.grade {
            Grade::Fine => "ok   ",
            Grade::Look => "look ",
            Grade::Wrong => "WRONG",
        };
        write!(f, "  {grade}  {}", self.what)?;
        if self.todo.is_empty() {
            Ok(())
        } else {
            write!(f, "\n         {}", self.todo)
        }
    }
}

/// The last line: how much of it matters.
pub fn summary(findings: &[Finding]) -> String {
    let count = |grade| {
        findings
            .iter()
            .filter(|finding| finding.grade == grade)
            .count()
    };
    let (wrong, look) = (count(Grade::Wrong), count(Grade::Look));
    let things = |n: usize, one: &str, many: &str| {
        if n == 1 {
            format!("1 thing {one}")
        } else {
            format!("{n} things {many}")
        }
    };
    match (wrong, look) {
        (0, 0) => "Everything that can be seen from here is as it should be.".to_owned(),
        (0, look) => format!(
            "Nothing is wrong; {}.",
            things(look, "is worth a look", "are worth a look")
        ),
        (wrong, 0) => format!("{}.", things(wrong, "is wrong", "are wrong")),
        (wrong, look) => {
            format!(
                "{}, and {}.",
                things(wrong, "is wrong", "are wrong"),
                things(look, "is worth a look", "are worth a look")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_printed_and_counted() {
        assert_eq!(
            wrong("It is down.", "Start it.").to_string(),
            "  WRONG  It is down.\n         Start it."
        );
        assert_eq!(fine("It answers.").to_string(), "  ok     It answers.");
        for (findings, line) in [
            (
                vec![fine("a")],
                "Everything that can be seen from here is as it should be.",
            ),
            (
                vec![look("a", "b")],
                "Nothing is wrong; 1 thing is worth a look.",
            ),
            (
                vec![wrong("a", "b"), wrong("a", "b")],
                "2 things are wrong.",
            ),
            (
                vec![wrong("a", "b"), look("a", "b"), look("a", "b")],
                "1 thing is wrong, and 2 things are worth a look.",
            ),
        ] {
            assert_eq!(summary(&findings), line);
        }
    }
}
