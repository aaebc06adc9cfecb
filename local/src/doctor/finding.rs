//! Owns the findings of `casting doctor` and how they are printed: a sentence, and how to fix it.
//! Must not know how anything is found.

use std::fmt;

/// How much something matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Ok,
    /// A possible problem; it may be intended.
    Warning,
    /// It does not work, or is not safe.
    Error,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// What was found.
    pub what: String,
    /// What to do about it; empty when there is nothing to do.
    pub todo: String,
}

/// As it should be.
pub fn ok(what: impl Into<String>) -> Finding {
    Finding {
        severity: Severity::Ok,
        what: what.into(),
        todo: String::new(),
    }
}

/// A possible problem.
pub fn warning(what: impl Into<String>, todo: impl Into<String>) -> Finding {
    Finding {
        severity: Severity::Warning,
        what: what.into(),
        todo: todo.into(),
    }
}

/// A problem.
pub fn error(what: impl Into<String>, todo: impl Into<String>) -> Finding {
    Finding {
        severity: Severity::Error,
        what: what.into(),
        todo: todo.into(),
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Ok => "ok     ",
            Severity::Warning => "warning",
            Severity::Error => "ERROR  ",
        };
        write!(f, "  {severity}  {}", self.what)?;
        if self.todo.is_empty() {
            Ok(())
        } else {
            write!(f, "\n           {}", self.todo)
        }
    }
}

/// The last line: how many errors and warnings there are.
pub fn summary(findings: &[Finding]) -> String {
    let count = |severity, one: &str| {
        let count = findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count();
        match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            count => Some(format!("{count} {one}s")),
        }
    };
    let counts = [
        count(Severity::Error, "error"),
        count(Severity::Warning, "warning"),
    ];
    let counts: Vec<String> = counts.into_iter().flatten().collect();
    if counts.is_empty() {
        "No problems found.".to_owned()
    } else {
        format!("{}.", counts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_printed_and_counted() {
        assert_eq!(
            error("It is down.", "Start it.").to_string(),
            "  ERROR    It is down.\n           Start it."
        );
        assert_eq!(ok("It answers.").to_string(), "  ok       It answers.");
        for (findings, line) in [
            (vec![ok("a")], "No problems found."),
            (vec![warning("a", "b")], "1 warning."),
            (vec![error("a", "b"), error("a", "b")], "2 errors."),
            (
                vec![error("a", "b"), warning("a", "b"), warning("a", "b")],
                "1 error, 2 warnings.",
            ),
        ] {
            assert_eq!(summary(&findings), line);
        }
    }
}
