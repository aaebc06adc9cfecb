//! Owns the formats of texts: patterns, which are checked on input and stand in the API's document
//! as they are, and formats of URLs, which the `url` crate checks. Must not know which field has
//! which format.
//!
//! Patterns use the part of the syntax that ECMA-262, Python and Rust read alike.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex_lite::Regex;
use serde_json::{Value, json};

use crate::geo::Country;
use crate::url_rules;

/// What [`str::trim`] takes away, as part of a class.
const SPACES: &str = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000";
/// What [`char::is_control`] says yes to, as part of a class.
const CONTROLS: &str = r"\x00-\x1f\x7f-\x9f";
/// The same without tabs and line breaks.
const CONTROLS_IN_LINES: &str = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f";

const OCTET: &str = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
fn ipv4() -> String {
    format!(r"{OCTET}(?:\.{OCTET}){{3}}")
}

fn ipv6() -> String {
    let h = "[0-9A-Fa-f]{1,4}";
    let mut forms = vec![
        format!("(?:{h}:){{7}}{h}"),
        format!("(?:{h}:){{1,7}}:"),
        format!(":(?::{h}){{1,7}}"),
        "::".to_owned(),
    ];
    forms.extend((1..=6).map(|tail| format!("(?:{h}:){{1,{}}}(?::{h}){{{tail}}}", 7 - tail)));
    forms.push(format!("::(?:[Ff]{{4}}:)?{}", ipv4()));
    format!("(?:{})", forms.join("|"))
}

/// The codes of all countries, by their first letter.
fn countries() -> String {
    let mut by_first = BTreeMap::<&str, String>::new();
    for code in Country::codes() {
        let (first, second) = code.split_at(1);
        by_first.entry(first).or_default().push_str(second);
    }
    let of_letter = |(first, seconds): (&str, String)| format!("{first}[{seconds}]");
    let letters: Vec<String> = by_first.into_iter().map(of_letter).collect();
    letters.join("|")
}

/// The rule for a text.
#[derive(Debug)]
enum Rule {
    /// It matches this pattern as a whole.
    Pattern { text: String, regex: Option<Regex> },
    /// A format of JSON Schema. The parser of the value checks it: a pattern would be a second
    /// parser.
    Format(&'static str),
}

/// A format of texts.
#[derive(Debug)]
pub struct TextFormat {
    rule: Rule,
    but: Option<&'static str>,
    most: Option<usize>,
    otherwise: &'static str,
    example: &'static str,
}

impl TextFormat {
    /// Texts that match this expression as a whole; `otherwise` is the error for all others.
    pub fn new(pattern: &str, example: &'static str, otherwise: &'static str) -> Self {
        let text = format!("^{pattern}$");
        let regex = Regex::new(&text).ok();
        Self {
            rule: Rule::Pattern { text, regex },
            but: None,
            most: None,
            otherwise,
            example,
        }
    }

    /// Texts of this format, which the parser of the value checks. Their length is limited as for
    /// URLs.
    fn format(format: &'static str, example: &'static str) -> Self {
        Self {
            rule: Rule::Format(format),
            but: None,
            most: Some(url_rules::MAX_URL_BYTES),
            otherwise: "is too long.",
            example,
        }
    }

    /// The same, with spaces around it.
    fn spaced(pattern: &str, example: &'static str, otherwise: &'static str) -> Self {
        Self::new(
            &format!("[{SPACES}]*{pattern}[{SPACES}]*"),
            example,
            otherwise,
        )
    }

    /// The same, but not this one text.
    #[must_use]
    pub fn but(self, text: &'static str) -> Self {
        Self {
            but: Some(text),
            ..self
        }
    }

    /// The same, but not longer than this.
    #[must_use]
    pub fn at_most(self, characters: usize) -> Self {
        Self {
            most: Some(characters),
            ..self
        }
    }

    /// Checks a text.
    ///
    /// # Errors
    /// One sentence, if the text has another format.
    pub fn check(&self, text: &str) -> Result<(), String> {
        let fits = match &self.rule {
            Rule::Pattern { regex, .. } => regex.as_ref().is_some_and(|regex| regex.is_match(text)),
            Rule::Format(_) => true,
        };
        let fits = fits
            && self.but != Some(text)
            && self.most.is_none_or(|most| text.chars().count() <= most);
        if fits {
            Ok(())
        } else {
            Err(self.otherwise.to_owned())
        }
    }

    /// Its JSON Schema.
    pub fn schema(&self) -> Value {
        let mut schema = json!({ "type": "string", "examples": [self.example] });
        match &self.rule {
            Rule::Pattern { text, .. } => schema["pattern"] = json!(text),
            Rule::Format(format) => schema["format"] = json!(format),
        }
        if let Some(but) = self.but {
            schema["not"] = json!({ "const": but });
        }
        if let Some(most) = self.most {
            schema["maxLength"] = json!(most);
        }
        schema
    }
}

/// The expression for a text that has so many characters once the spaces around it are gone; `line`
/// says that it stands on one line.
pub(crate) fn trimmed(least: usize, most: usize, line: bool) -> String {
    let barred = if line { CONTROLS } else { CONTROLS_IN_LINES };
    let core = format!(
        "[^{barred}]{{0,{}}}[^{barred}{SPACES}]",
        most.saturating_sub(1)
    );
    let core = if least == 0 {
        format!("(?:{core})?")
    } else {
        core
    };
    format!("^[{SPACES}]*{core}[{SPACES}]*$")
}

macro_rules! formats {
    ($($(#[$doc:meta])* $name:ident = $format:expr;)*) => {
        $($(#[$doc])* pub static $name: LazyLock<TextFormat> = LazyLock::new(|| $format);)*

        /// Every format that is named here.
        #[cfg(test)]
        fn all() -> Vec<(&'static str, &'static TextFormat)> {
            vec![$((stringify!($name), &*$name),)*]
        }
    };
}

/// What is said of a text that is no time.
pub(super) const TIME_SENTENCE: &str = "must be a time before the year 3000, such as 2026-12-31T18:00:00Z or 2026-12-31 18:00:00 (UTC).";

formats! {
    /// A URL that a session opens; `https://` may be left out.
    SESSION_URL = TextFormat::format("uri-reference", "https://example.com/page");
    /// A URL that visitors or we ourselves are sent to.
    SECURE_URL = TextFormat::format("uri", "https://example.com/page");
    /// A URL that stands in a header and in a style sheet.
    PICTURE_URL = TextFormat::format("uri", "https://example.com/picture.jpg");
    /// A web address, or a host.
    WEB_ADDRESS = TextFormat::format("uri-reference", "https://acme.com/page");
    /// A line of a list of sites: a host, maybe with `=` or `*.` before it.
    REFERRER = TextFormat::format("host-rule", "acme.com");
    /// A line of a list of addresses.
    ADDRESS_RULE = TextFormat::spaced(
        &format!(
            "(?:{}(?:/(?:3[0-2]|[12]?[0-9]))?|{}(?:/(?:12[0-8]|1[01][0-9]|[1-9]?[0-9]))?)(?:[{SPACES}]+[^{CONTROLS}]{{0,59}}[^{CONTROLS}{SPACES}])?",
            ipv4(),
            ipv6(),
        ),
        "192.0.2.0/24 Example University",
        "must begin with an address or a block such as 192.0.2.0/24, and may have a label of 60 \
         characters.",
    );
    /// An address.
    ADDRESS = TextFormat::new(&format!("(?:{}|{})", ipv4(), ipv6()), "192.0.2.1", "must be an IP address.");
    /// A point in time.
    TIME = TextFormat::new(
        concat!(
            "(?:[12][0-9]{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))",
            "|(?:[12][0-9](?:0[48]|[2468][048]|[13579][26])|(?:1[26]|2[048])00)-02-29)",
            r"[T ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?",
        ),
        "2026-12-31T18:00:00Z",
        TIME_SENTENCE,
    );
    /// A span of a weekly plan.
    SPAN = TextFormat::spaced(
        &{
            let day = "(?:[Mm][Oo][Nn]|[Tt][Uu][Ee]|[Ww][Ee][Dd]|[Tt][Hh][Uu]|[Ff][Rr][Ii]|[Ss][Aa][Tt]|[Ss][Uu][Nn])";
            let days = format!("{day}(?:-{day})?(?:,{day}(?:-{day})?)*");
            format!("{days} \
                     (?:[01][0-9]|2[0-3]):[0-5][0-9]-(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)")
        },
        "mon-fri 09:00-17:00",
        "must be days and hours such as mon-fri 09:00-17:00 or sat,sun 10:00-24:00.",
    );
    /// What a visitor quotes.
    REFERENCE = TextFormat::new(
        "[a-z2-7]{4}-[a-z2-7]{4}(?:-[a-z2-7]{4}-[a-z2-7]{4})?",
        "k3f7-2mqa-x5cd-7b2e",
        "must be a reference such as k3f7-2mqa or k3f7-2mqa-x5cd-7b2e."
    );
    /// The id of an entry about a change.
    AUDIT_ID = TextFormat::new("[0-9]{14}-[0-9a-f]{16}", "01795435200000-0123456789abcdef", "must be the id of an entry.");
    /// The id of a delivery to a hook.
    DELIVERY_ID = TextFormat::new(r"(?:deployment|c[a-z2-7]{26})\.[A-Za-z0-9_-]{1,100}", "deployment.saaaaaaaaaaaaaaaaaaaaaaaaaa-claimed", "must be the id of a delivery.");
    /// The id of whatever may be changed.
    TARGET = TextFormat::new("[!-~]{1,100}", "lab", "must be an id.");
    /// A colour.
    COLOR = TextFormat::new("#[0-9A-Fa-f]{6}", "#0d6b63", "must be a colour such as #0d6b63.");
    /// A label and a URL.
    FOOTER_LINK = TextFormat::new(
        &format!("[^{CONTROLS}{SPACES}][^{CONTROLS}]{{0,39}} https://[!-~]{{1,490}}"),
        "Imprint https://example.com/imprint",
        "must be a label, a space and an https URL, such as \u{201c}Imprint https://example.com/imprint\u{201d}.",
    );
    /// A key of a link.
    CAST_KEY = TextFormat::new("[A-Za-z0-9_-]{6,64}", "workshop-2026",
        "must be 6 to 64 letters, digits, hyphens and underscores.");
    /// The name of a network.
    NETWORK_NAME = TextFormat::new(
        "[a-z0-9][a-z0-9_-]{0,62}",
        "lab",
        "must be 1 to 63 lower-case letters, digits, hyphens and underscores, and not default.",
    )
    .but("default");
    /// The code of a country, or the word for those that are not known.
    COUNTRY = TextFormat::new(
        &format!("(?:{}|unknown)", countries()),
        "DE",
        "must be the code of a country in two capital letters, such as DE, or unknown.",
    );
    /// The number of an autonomous system, or the word for those that are not known.
    ASN = TextFormat::new(
        "(?:AS(?:[1-9][0-9]{0,8}|[1-3][0-9]{9})|unknown)",
        "AS64496",
        "must be the number of an autonomous system such as AS64496, or unknown.",
    );
    /// The id of a subnet.
    SUBNET = TextFormat::new("subnet-[A-Za-z0-9]{1,32}", "subnet-0123456789abcdef0",
        "must be an id such as subnet-0123456789abcdef0.");
    /// The id of a security group.
    SECURITY_GROUP = TextFormat::new("sg-[A-Za-z0-9]{1,32}", "sg-0123456789abcdef0",
        "must be an id such as sg-0123456789abcdef0.");
    /// A task definition.
    TASK_DEFINITION = TextFormat::new("[A-Za-z0-9_:/-]{1,255}", "desktop:7",
        "must be a family, family:revision or ARN of a task definition.");
    /// A container image.
    CONTAINER_IMAGE = TextFormat::new(
        "[A-Za-z0-9][A-Za-z0-9_.:/@-]{0,254}",
        "registry.example/app:1.2",
        "must be the name of a container image such as registry.example/app:1.2.",
    );
    /// A secret in Secrets Manager.
    SECRET_ARN = TextFormat::new(
        "arn:aws[a-z-]{0,20}:secretsmanager:[a-z0-9-]{1,30}:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]{1,200}",
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:registry-AbCdEf",
        "must be the ARN of a secret in Secrets Manager.",
    );
    /// A container in a task.
    CONTAINER = TextFormat::new(
        "[A-Za-z0-9_-]{1,255}",
        "session",
        "must be the name of a container: letters, digits, hyphens and underscores.",
    );
    /// A folder in a container, by its whole path; none that leads around.
    PROFILE_PATH = TextFormat::new(
        r"(?:/\.?[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*){1,16}",
        "/home/kasm-user",
        "must be the whole path of a folder, such as /home/kasm-user.",
    ).at_most(255);
    /// What files are called, with * for what may be anything.
    PATTERN = TextFormat::new(r"[A-Za-z0-9 ._@+*?/-]{1,128}", "**/*.tmp", "must be a pattern such as **/*.tmp: letters, digits, spaces and . _ @ + - / * ?");
    /// The user that the gate is to an app.
    APP_USER = TextFormat::new("[!-9;-~]{1,64}", "kasm_user",
        "must be 1 to 64 letters without spaces and colons.");
    /// A text that a program can be given.
    WORD = TextFormat::new(r"[^\x00]*", "--start-maximized", "must not contain NUL.");
    /// The program of a command.
    PROGRAM = TextFormat::new(r"[^\x00]+", "/usr/bin/app", "must be the name of a program.");
    /// A command line.
    COMMAND_LINE = TextFormat::new(
        &format!(r"[^\x00]*[^\x00{SPACES}][^\x00]*"),
        "xdg-open \"$KASM_URL\"",
        "must be a command for sh.",
    );
    /// The name of a variable.
    VARIABLE = TextFormat::new("[A-Z_][A-Z0-9_]*", "MOOD",
        "must be named with capital letters, digits and underscores, not beginning with a digit.");
    /// The name of a variable that is not ours: ours begin with `CAST_`.
    OWN_VARIABLE = TextFormat::new(
        concat!(
            "(?:[ABD-Z_][A-Z0-9_]*|C(?:[B-Z0-9_][A-Z0-9_]*|A(?:[A-RT-Z0-9_][A-Z0-9_]*",
            "|S(?:[A-SU-Z0-9_][A-Z0-9_]*|T(?:[A-Z0-9][A-Z0-9_]*)?)?)?)?)",
        ),
        "MOOD",
        "must be named with capital letters, digits and underscores, not beginning with a digit or \
         with CAST_.",
    );
    /// The same, for a variable that contains a password.
    PASSWORD_VARIABLE = TextFormat::new(
        concat!(
            "(?:[ABD-Z_][A-Z0-9_]*|C(?:[B-Z0-9_][A-Z0-9_]*|A(?:[A-RT-Z0-9_][A-Z0-9_]*",
            "|S(?:[A-SU-Z0-9_][A-Z0-9_]*|T(?:[A-Z0-9][A-Z0-9_]*)?)?)?)?)",
        ),
        "VNC_PW",
        "must be the name of a variable such as VNC_PW.",
    )
    .at_most(64);
    /// A user inside a container, and a group after a colon, neither of them root: a name, or a
    /// number without signs, spaces and leading zeros.
    USER = TextFormat::new(
        concat!(
            "(?:[1-9][0-9]{0,8}|[1-3][0-9]{9}|[A-Za-qs-z_][A-Za-z0-9_.-]*|r(?:[A-Za-np-z0-9_.-][A-Za-z0-9_.-]*)?",
            "|ro(?:[A-Za-np-z0-9_.-][A-Za-z0-9_.-]*)?|roo(?:[A-Za-su-z0-9_.-][A-Za-z0-9_.-]*)?|root[A-Za-z0-9_.-]+)",
            "(?::(?:[1-9][0-9]{0,8}|[1-3][0-9]{9}|[A-Za-qs-z_][A-Za-z0-9_.-]*|r(?:[A-Za-np-z0-9_.-][A-Za-z0-9_.-]*)?",
            "|ro(?:[A-Za-np-z0-9_.-][A-Za-z0-9_.-]*)?|roo(?:[A-Za-su-z0-9_.-][A-Za-z0-9_.-]*)?|root[A-Za-z0-9_.-]+))?",
        ),
        "1000",
        "must be a user who is not root, such as 1000, 1000:1000 or app: a name or a number of 1 \
         to 64 characters.",
    )
    .at_most(64);
    /// A folder inside a container.
    FOLDER = TextFormat::new("/[^\\x00]*", "/home/app",
        "must be an absolute path of 1 to 255 characters.").at_most(255);
    /// The name of the built-in group, which no other group may have.
    ALL_USERS = TextFormat::spaced("All Users", "All Users", "is the name of the built-in group.");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address_rules::AddressRule;
    use crate::open_hours::Span;
    use crate::time::Timestamp;

    #[test]
    fn patterns_parse_and_match_their_examples() {
        for (name, format) in all() {
            if let Rule::Pattern { text, regex } = &format.rule {
                assert!(regex.is_some(), "{name}: {text}");
            }
            assert_eq!(format.check(format.example), Ok(()), "{name}");
        }
    }

    #[test]
    fn address_time_and_span_patterns_are_exact() {
        for (name, format, good, texts) in [
            (
                "addresses",
                &ADDRESS_RULE,
                (|text| AddressRule::parse(text).is_ok()) as fn(&str) -> bool,
                &[
                    "192.0.2.0/24 Example  University",
                    "192.0.2.1",
                    "::/0",
                    "2001:db8::/32",
                    "::ffff:192.0.2.1",
                    " 10.0.0.1\tHome ",
                    "1:2:3:4:5:6:7::",
                    "192.0.2.0/33",
                    "192.0.2",
                    "192.0.2.01",
                    "::/129",
                    "example.com",
                    "",
                    "192.0.2.1 a\u{7}b",
                    "1::2::3",
                    "192.0.2.0/024",
                    "192.0.2.0/",
                ][..],
            ),
            (
                "times",
                &TIME,
                |text| Timestamp::parse(text).is_some(),
                &[
                    "2026-12-31T18:00:00Z",
                    "2026-12-31 18:00:00",
                    "2026-12-31T18:00:00.5+01:00",
                    "2024-02-29T00:00:00Z",
                    "2000-02-29 00:00:00",
                    "2900-02-28T00:00:00Z",
                    "2999-12-31T23:59:59-23:59",
                    "2026-02-29T00:00:00Z",
                    "2100-02-29T00:00:00Z",
                    "2026-04-31T00:00:00Z",
                    "2026-13-01T00:00:00Z",
                    "2026-12-31",
                    "2026-12-31T24:00:00Z",
                    "soon",
                ],
            ),
            (
                "spans",
                &SPAN,
                |text| Span::parse(text).is_ok(),
                &[
                    "mon-fri 09:00-17:00",
                    "Sat,Sun 10:00-24:00",
                    "fri-mon 22:00-02:00",
                    " mon 00:00-00:01 ",
                    "mon,mon,tue-wed 23:59-24:00",
                    "mon 9-17",
                    "mon",
                    "foo 09:00-17:00",
                    "mon 24:00-25:00",
                    "mon 09:60-10:00",
                    "mon 24:00-09:00",
                    "mon 09:00-24:01",
                    "mon  09:00-10:00 x",
                ],
            ),
        ] {
            for text in texts {
                assert_eq!(format.check(text).is_ok(), good(text), "{name}: {text:?}");
            }
        }
    }
}
