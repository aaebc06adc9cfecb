//! Owns lists of addresses: single ones and blocks, each with a label that says whose they are. Must not know what a list is for.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The longest label, in characters.
pub const MAX_LABEL: usize = 60;

/// One line of a list: `192.0.2.0/24 Example University`. The label may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AddressRule {
    block: IpNet,
    label: String,
}

impl AddressRule {
    /// Reads a line as an administrator writes it: an address or a block, then maybe a label.
    ///
    /// # Errors
    /// One plain sentence.
    pub fn parse(line: &str) -> Result<Self, String> {
        let line = line.trim();
        let (block, label) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let label = label.trim();
        if label.chars().count() > MAX_LABEL || label.chars().any(char::is_control) {
            return Err(format!(
                "has a label that is longer than {MAX_LABEL} characters or not a single line."
            ));
        }
        let block = block
            .parse()
            .or_else(|_| block.parse::<IpAddr>().map(IpNet::from));
        let block = block.map_err(|_| format!("\u{201c}{line}\u{201d} does not begin with an address or a block such as 192.0.2.0/24."))?;
        Ok(Self {
            block: block.trunc(),
            label: label.to_owned(),
        })
    }

    /// Whether the address is in the block. An IPv4 address in IPv6 clothes is the IPv4 address.
    pub fn covers(&self, address: IpAddr) -> bool {
        self.block.contains(&address.to_canonical())
    }

    /// Whose addresses these are; the block itself when nobody has said.
    pub fn label(&self) -> String {
        if self.label.is_empty() {
            self.block.to_string()
        } else {
            self.label.clone()
        }
    }
}

/// The first line that covers the address.
pub fn find(rules: &[AddressRule], address: IpAddr) -> Option<&AddressRule> {
    rules.iter().find(|rule| rule.covers(address))
}

impl fmt::Display for AddressRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.block)?;
        if self.label.is_empty() {
            Ok(())
        } else {
            write!(f, " {}", self.label)
        }
    }
}

impl TryFrom<String> for AddressRule {
    type Error = String;
    fn try_from(line: String) -> Result<Self, String> {
        Self::parse(&line)
    }
}

impl From<AddressRule> for String {
    fn from(rule: AddressRule) -> Self {
        rule.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_covers_its_block_and_nothing_else() {
        for (name, line, address, covered) in [
            ("a block", "192.0.2.0/24", "192.0.2.200", true),
            ("its neighbour", "192.0.2.0/24", "192.0.3.1", false),
            ("one address", "192.0.2.1", "192.0.2.1", true),
            ("another address", "192.0.2.1", "192.0.2.2", false),
            (
                "host bits do not matter",
                "192.0.2.77/24",
                "192.0.2.1",
                true,
            ),
            ("IPv6", "2001:db8::/32", "2001:db8:1::1", true),
            ("IPv4 is not IPv6", "::/0", "192.0.2.1", false),
            (
                "IPv4 in IPv6 clothes",
                "192.0.2.0/24",
                "::ffff:192.0.2.1",
                true,
            ),
            ("everybody", "0.0.0.0/0", "203.0.113.9", true),
        ] {
            let rule = AddressRule::parse(line).expect(name);
            assert_eq!(rule.covers(address.parse().expect(name)), covered, "{name}");
        }
    }

    #[test]
    fn a_line_reads_back_with_its_label() {
        for (line, label) in [
            ("192.0.2.0/24 Example  University", "Example  University"),
            ("2001:db8::/32", "2001:db8::/32"),
        ] {
            let rule = AddressRule::parse(line).expect(line);
            assert_eq!(
                (rule.to_string().as_str(), rule.label().as_str()),
                (line, label)
            );
        }
    }

    #[test]
    fn a_line_that_names_no_block_is_refused() {
        for line in [
            "",
            "example.com",
            "192.0.2.0/33",
            "192.0.2",
            "192.0.2.1-9",
            &format!("192.0.2.1 {}", "x".repeat(MAX_LABEL + 1)),
        ] {
            assert!(AddressRule::parse(line).is_err(), "{line}");
        }
    }
}
