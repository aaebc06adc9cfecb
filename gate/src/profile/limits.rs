//! Owns how large and how complicated a profile may be, packed and unpacked. Both directions keep
//! the same limits, so what was packed can be unpacked; an archive from another program is held to
//! them before anything of it is written.

use std::path::Path;

use casting_protocol::report::NotSaved;

/// The most entries: files, folders, links, and what is left out when unpacking.
pub const MAX_ENTRIES: u64 = 250_000;
/// How deep folders may lie in each other.
pub const MAX_DEPTH: usize = 100;
/// The longest path below the profile's folder, in bytes.
pub const MAX_PATH_BYTES: usize = 2048;
/// How often the unpacked profile may be as large as its archive is allowed to be.
const EXPANSION: u64 = 10;
/// How often the unpacked profile may be as large as its archive is.
const RATIO: u64 = 100;
/// So much may be unpacked whatever the ratio is, in bytes: small profiles with an empty database.
const RATIO_FROM_BYTES: u64 = 256 << 20;

/// The limits of one profile.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest archive, in bytes.
    pub archive_bytes: u64,
}

/// Which limit a profile is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// The archive is too large.
    #[error("the profile is larger than its image allows: over {0} bytes packed")]
    Packed(u64),
    /// Its content is too large.
    #[error("the profile is larger than its image allows: over {0} bytes unpacked")]
    Unpacked(u64),
    /// Its content is out of all proportion to the archive.
    #[error("the profile is over {RATIO} times as large unpacked as packed")]
    Ratio,
    /// Too many entries.
    #[error("the profile has over {MAX_ENTRIES} files and folders")]
    Entries,
    /// Folders too deep in each other.
    #[error("the profile has folders over {MAX_DEPTH} deep in each other")]
    Depth,
    /// A path that is too long.
    #[error("the profile has a path of over {MAX_PATH_BYTES} bytes")]
    PathBytes,
}

impl Excess {
    /// The same as it is reported to the control plane.
    pub const fn why(self) -> NotSaved {
        match self {
            Self::Packed(_) | Self::Unpacked(_) => NotSaved::TooLarge,
            Self::Ratio => NotSaved::TooCompressible,
            Self::Entries => NotSaved::TooManyFiles,
            Self::Depth | Self::PathBytes => NotSaved::TooDeep,
        }
    }
}

impl Limits {
    /// The most bytes that may come out of any archive, headers included.
    const fn unpacked_bytes(self) -> u64 {
        self.archive_bytes.saturating_mul(EXPANSION)
    }

    /// Whether so much may come out of an archive of `packed` bytes.
    ///
    /// # Errors
    /// The limit that it is over.
    pub fn check_bytes(self, packed: u64, unpacked: u64) -> Result<(), Excess> {
        if packed > self.archive_bytes {
            Err(Excess::Packed(self.archive_bytes))
        } else if unpacked > self.unpacked_bytes() {
            Err(Excess::Unpacked(self.unpacked_bytes()))
        } else if unpacked > RATIO_FROM_BYTES && unpacked > packed.saturating_mul(RATIO) {
            Err(Excess::Ratio)
        } else {
            Ok(())
        }
    }
}

/// Whether so many entries are allowed.
///
/// # Errors
/// `Entries`.
pub const fn check_entries(entries: u64) -> Result<(), Excess> {
    if entries > MAX_ENTRIES {
        Err(Excess::Entries)
    } else {
        Ok(())
    }
}

/// Whether this path below the profile's folder is allowed.
///
/// # Errors
/// `PathBytes` or `Depth`.
pub fn check_path(place: &Path) -> Result<(), Excess> {
    if place.as_os_str().len() > MAX_PATH_BYTES {
        Err(Excess::PathBytes)
    } else if place.components().count() > MAX_DEPTH {
        Err(Excess::Depth)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_profile_limit_is_exact() {
        const MIB: u64 = 1 << 20;
        let limits = Limits {
            archive_bytes: 100 * MIB,
        };
        for (name, packed, unpacked, excess) in [
            ("nothing", 0, 0, None),
            ("all that is allowed", 100 * MIB, 1000 * MIB, None),
            ("packed", 100 * MIB + 1, 0, Some(Excess::Packed(100 * MIB))),
            (
                "unpacked",
                100 * MIB,
                1000 * MIB + 1,
                Some(Excess::Unpacked(1000 * MIB)),
            ),
            ("small and empty", 1000, 256 * MIB, None),
            ("large and empty", 1000, 256 * MIB + 1, Some(Excess::Ratio)),
            ("just in proportion", 3 * MIB, 300 * MIB, None),
            ("out of it", 3 * MIB, 300 * MIB + 1, Some(Excess::Ratio)),
            (
                "beyond counting",
                1,
                u64::MAX,
                Some(Excess::Unpacked(1000 * MIB)),
            ),
        ] {
            assert_eq!(limits.check_bytes(packed, unpacked).err(), excess, "{name}");
        }
        assert_eq!(check_entries(MAX_ENTRIES), Ok(()));
        assert_eq!(check_entries(MAX_ENTRIES + 1), Err(Excess::Entries));
        for (name, place, excess) in [
            ("deep", "a/".repeat(MAX_DEPTH), None),
            ("too deep", "a/".repeat(MAX_DEPTH + 1), Some(Excess::Depth)),
            ("long", "a".repeat(MAX_PATH_BYTES), None),
            (
                "too long",
                "a".repeat(MAX_PATH_BYTES + 1),
                Some(Excess::PathBytes),
            ),
        ] {
            assert_eq!(check_path(Path::new(&place)).err(), excess, "{name}");
        }
    }
}
