//! Owns how the user of a command in a session is written (seed: exec config), so that no spelling
//! of it is root: the form, the gate and the container engine's adapter read it here. Must not know
//! which users a machine has.

/// A user or a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Id {
    /// By number, which is not 0.
    Number(u32),
    /// By name, which is not `root`. Only the container can say which number it has: who looks it
    /// up must refuse 0.
    Name(String),
}

/// Who runs a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecUser {
    /// The user.
    pub user: Id,
    /// The group; `None`: the user's own, or the one of the same number.
    pub group: Option<Id>,
}

impl ExecUser {
    /// Reads `USER` or `USER:GROUP`; `None` for everything that may be root, or be taken for root
    /// by a program that reads numbers differently.
    pub fn parse(text: &str) -> Option<Self> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        Some(Self {
            user: id(user)?,
            group: match group {
                Some(group) => Some(id(group)?),
                None => None,
            },
        })
    }
}

fn id(text: &str) -> Option<Id> {
    let mut letters = text.bytes();
    let first = letters.next()?;
    if first.is_ascii_digit() {
        let is_plain = first != b'0' && letters.all(|letter| letter.is_ascii_digit());
        // No larger number: the last ones mean -1 and others to some programs.
        let id = text.parse().ok().filter(|id| *id <= 3_999_999_999);
        return id.filter(|_| is_plain).map(Id::Number);
    }
    let may_begin = first.is_ascii_alphabetic() || first == b'_';
    let is_name = may_begin && letters.all(|l| l.is_ascii_alphanumeric() || b"_.-".contains(&l));
    (is_name && text != "root").then(|| Id::Name(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_root_is_refused() {
        for text in [
            "",
            "0",
            "00",
            "000",
            "0:0",
            "0:1000",
            "1000:0",
            "01",
            "01000",
            "+0",
            "-0",
            "+1000",
            "-1",
            "0x0",
            "0b0",
            "0o0",
            "root",
            "root:root",
            "root:1000",
            "1000:root",
            " root",
            "root ",
            "root\n",
            "\troot",
            " 0",
            "0 ",
            "1000 ",
            "1000:",
            ":1000",
            ":",
            "1000:1000:0",
            "4294967295",
            "4294967296",
            "8589934592",
            "18446744073709551616",
            "1e3",
            "1_000",
            "1000\0",
            "٠",
            "０",
            "ｒｏｏｔ",
            "-u",
            "a b",
            "a/b",
            "a,b",
            "{0}",
            "$USER",
        ] {
            assert_eq!(ExecUser::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn users_are_parsed_by_name_or_id() {
        let name = |name: &str| Id::Name(name.to_owned());
        for (text, user, group) in [
            ("1000", Id::Number(1000), None),
            ("1", Id::Number(1), None),
            ("3999999999", Id::Number(3_999_999_999), None),
            ("1000:1000", Id::Number(1000), Some(Id::Number(1000))),
            ("kasm-user", name("kasm-user"), None),
            ("www-data:users", name("www-data"), Some(name("users"))),
            ("_apt", name("_apt"), None),
            ("r", name("r"), None),
            ("ro", name("ro"), None),
            ("roo", name("roo"), None),
            ("roots", name("roots"), None),
            ("rob", name("rob"), None),
            ("Root", name("Root"), None),
            ("user.name", name("user.name"), None),
        ] {
            assert_eq!(
                ExecUser::parse(text),
                Some(ExecUser { user, group }),
                "{text}"
            );
        }
    }
}
