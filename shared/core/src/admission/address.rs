//! Owns visitors' addresses: which of them count as one. Must not know headers, and keeps no
//! address in the clear.

use std::net::IpAddr;

use crate::keys::Keyring;

/// The part of an address that one visitor cannot change at will: an IPv4 address, or the /64 of an
/// IPv6 address. An IPv4 address in IPv6 clothes is the IPv4 address.
pub fn prefix(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// The keyed hash of an address's prefix: what is stored and compared.
pub fn hash(address: IpAddr, keys: &Keyring) -> String {
    keys.hash_address(&prefix(address))
}

/// Whether `hashed` is the hash of this address, also from before the keys were changed.
pub fn is_of(hashed: &str, address: IpAddr, keys: &Keyring) -> bool {
    keys.is_address(&prefix(address), hashed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_addresses_of_one_network_count_as_one() {
        for (name, left, right, same) in [
            ("one address", "192.0.2.1", "192.0.2.1", true),
            ("two addresses", "192.0.2.1", "192.0.2.2", false),
            (
                "one /64",
                "2001:db8:1:2::1",
                "2001:db8:1:2:ffff:ffff:ffff:ffff",
                true,
            ),
            ("two /64", "2001:db8:1:2::1", "2001:db8:1:3::1", false),
            (
                "IPv4 in IPv6 clothes",
                "::ffff:192.0.2.1",
                "192.0.2.1",
                true,
            ),
        ] {
            let read = |text: &str| prefix(text.parse().expect(text));
            assert_eq!(read(left) == read(right), same, "{name}");
        }
    }
}
