//! Where addresses are, by databases in MaxMind's format that the operator supplies; none comes with
//! the project. Owns reading them. Must not know what follows from what they say.
//!
//! A file says for blocks of addresses in which country they are, to which autonomous system they
//! belong, or both. Understood are the records of MaxMind (GeoLite2 and GeoIP2: Country, City, ASN,
//! ISP, Enterprise), which DB-IP writes too, and the flat ones of IPinfo.

#[cfg(any(test, feature = "testing"))]
pub mod testing;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use casting_core::geo::{AddressOrigin, Asn, Country};
use casting_core::ports::GeoDatabase;
use maxminddb::{LookupResult, PathElement, Reader, WithinOptions};

/// The ending of the files that are read of a folder.
const ENDING: &str = "mmdb";
/// In how many records it is looked for what a file knows.
const LOOKED_AT: usize = 10_000;

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GeoError {
    /// The file, or the folder, cannot be read.
    #[error("The database {} cannot be read: {why}.", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
    /// It is no such database, or a damaged one.
    #[error("{} is no database in MaxMind's format, or is damaged: {why}.", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// The reader's words.
        why: String,
    },
    /// It says neither countries nor autonomous systems.
    #[error("{} says neither the countries nor the autonomous systems of addresses.", .0.display())]
    Useless(PathBuf),
    /// The folder has no such file.
    #[error("{} has no file that ends with .mmdb.", .0.display())]
    Empty(PathBuf),
}

/// One file, in memory.
struct File {
    reader: Reader<Vec<u8>>,
    has_countries: bool,
    has_asns: bool,
}

/// Databases that were read.
pub struct GeoFiles {
    files: Vec<File>,
}

impl GeoFiles {
    /// Reads these files, and of folders all files that end with `.mmdb`.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub fn open(paths: &[PathBuf]) -> Result<Self, GeoError> {
        let mut files = Vec::new();
        for path in paths {
            for path in files_at(path)? {
                files.push(File::open(&path)?);
            }
        }
        Ok(Self { files })
    }
}

/// The file itself, or the databases in a folder, by name.
fn files_at(path: &Path) -> Result<Vec<PathBuf>, GeoError> {
    let unreadable = |error: std::io::Error| GeoError::Unreadable {
        path: path.to_owned(),
        why: error.to_string(),
    };
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in path.read_dir().map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?.path();
        if entry.extension().is_some_and(|ending| ending == ENDING) {
            found.push(entry);
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(GeoError::Empty(path.to_owned()));
    }
    Ok(found)
}

impl File {
    fn open(path: &Path) -> Result<Self, GeoError> {
        let bytes = std::fs::read(path).map_err(|error| GeoError::Unreadable {
            path: path.to_owned(),
            why: error.to_string(),
        })?;
        let damaged = |error: maxminddb::MaxMindDbError| GeoError::Damaged {
            path: path.to_owned(),
            why: error.to_string().trim_end_matches('.').to_owned(),
        };
        let reader = Reader::from_source(bytes).map_err(damaged)?;
        let (mut has_countries, mut has_asns) = (false, false);
        let records = reader.networks(WithinOptions::default()).map_err(damaged)?;
        for record in records.take(LOOKED_AT) {
            let origin = origin(&record.map_err(damaged)?);
            has_countries |= origin.country.is_some();
            has_asns |= origin.asn.is_some();
            if has_countries && has_asns {
                break;
            }
        }
        if !has_countries && !has_asns {
            return Err(GeoError::Useless(path.to_owned()));
        }
        Ok(Self {
            reader,
            has_countries,
            has_asns,
        })
    }
}

/// What a record says. What it says in another way than expected counts as not known.
fn origin(record: &LookupResult<'_, Vec<u8>>) -> AddressOrigin {
    use PathElement::Key;
    let text = |path: &[PathElement<'_>]| record.decode_path::<String>(path).ok().flatten();
    let number = |path: &[PathElement<'_>]| record.decode_path::<u32>(path).ok().flatten();
    let code = text(&[Key("country"), Key("iso_code")]).or_else(|| text(&[Key("country_code")]));
    let asn = number(&[Key("autonomous_system_number")]).map(Asn);
    AddressOrigin {
        country: code.and_then(|code| Country::parse(&code)),
        asn: asn
            .filter(|asn| asn.0 > 0)
            .or_else(|| Asn::parse(&text(&[Key("asn")])?)),
    }
}

impl GeoDatabase for GeoFiles {
    fn look_up(&self, address: IpAddr) -> AddressOrigin {
        let address = address.to_canonical();
        let mut known = AddressOrigin::default();
        for file in &self.files {
            // An address of IPv6 in a database of IPv4 is an error, and not known.
            let Ok(found) = file.reader.lookup(address) else {
                continue;
            };
            let found = origin(&found);
            known.country = known.country.or(found.country);
            known.asn = known.asn.or(found.asn);
        }
        known
    }

    fn knows_countries(&self) -> bool {
        self.files.iter().any(|file| file.has_countries)
    }

    fn knows_asns(&self) -> bool {
        self.files.iter().any(|file| file.has_asns)
    }
}

/// Databases that are read when they are asked for the first time. One that cannot be used is logged
/// once, and then nothing is known of any address.
pub struct LazyGeoFiles {
    paths: Vec<PathBuf>,
    files: OnceLock<Option<GeoFiles>>,
}

impl LazyGeoFiles {
    /// Of these files and folders.
    pub const fn new(paths: Vec<PathBuf>) -> Self {
        Self {
            paths,
            files: OnceLock::new(),
        }
    }

    fn files(&self) -> Option<&GeoFiles> {
        let read = || match GeoFiles::open(&self.paths) {
            Ok(files) => Some(files),
            Err(error) => {
                tracing::error!(%error, "No country and no network of a visitor is known");
                None
            }
        };
        self.files.get_or_init(read).as_ref()
    }
}

impl GeoDatabase for LazyGeoFiles {
    fn look_up(&self, address: IpAddr) -> AddressOrigin {
        let files = self.files();
        files.map_or_else(AddressOrigin::default, |files| files.look_up(address))
    }

    fn knows_countries(&self) -> bool {
        self.files().is_some_and(GeoFiles::knows_countries)
    }

    fn knows_asns(&self) -> bool {
        self.files().is_some_and(GeoFiles::knows_asns)
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::testing::{Block, database};

    fn folder() -> TempDir {
        tempfile::tempdir().expect("a folder")
    }

    fn written(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("is written");
        path
    }

    fn countries() -> Vec<u8> {
        database(&[
            Block::new("192.0.2.0/24").country("DE"),
            Block::new("198.51.100.0/25").country("FR"),
            Block::new("2001:db8:1::/48").country("AT"),
            Block::new("203.0.113.0/24"),
        ])
    }

    fn systems() -> Vec<u8> {
        database(&[
            Block::new("192.0.2.0/24").asn(64_496),
            Block::new("2001:db8::/32").asn(64_497),
        ])
    }

    #[test]
    fn address_is_found_by_its_block() {
        let folder = folder();
        let paths = [
            written(&folder, "country.mmdb", &countries()),
            written(&folder, "asn.mmdb", &systems()),
        ];
        let files = GeoFiles::open(&paths).expect("is read");
        assert!(files.knows_countries() && files.knows_asns());
        for (name, address, country, asn) in [
            ("IPv4", "192.0.2.77", Some("DE"), Some(64_496)),
            ("IPv4, without a system", "198.51.100.1", Some("FR"), None),
            ("behind the block", "198.51.100.128", None, None),
            ("a record without a country", "203.0.113.1", None, None),
            ("IPv6", "2001:db8:1::7", Some("AT"), Some(64_497)),
            (
                "IPv6, without a country",
                "2001:db8:2::7",
                None,
                Some(64_497),
            ),
            ("mapped", "::ffff:192.0.2.77", Some("DE"), Some(64_496)),
            ("of nobody", "10.0.0.1", None, None),
            ("of nobody, IPv6", "fd00::1", None, None),
        ] {
            let found = files.look_up(address.parse().expect(name));
            let code = found.country.map(Country::as_str);
            assert_eq!((code, found.asn.map(|asn| asn.0)), (country, asn), "{name}");
        }
    }

    #[test]
    fn file_says_what_it_knows() {
        let folder = folder();
        let flat = database(&[Block::new("192.0.2.0/24").flat("DE", "AS64496")]);
        for (name, bytes, knows_countries, knows_asns) in [
            ("country.mmdb", countries(), true, false),
            ("asn.mmdb", systems(), false, true),
            ("flat.mmdb", flat, true, true),
        ] {
            let files = GeoFiles::open(&[written(&folder, name, &bytes)]).expect("is read");
            let known = (files.knows_countries(), files.knows_asns());
            assert_eq!(known, (knows_countries, knows_asns), "{name}");
        }
        let all = GeoFiles::open(&[folder.path().to_owned()]).expect("the folder");
        assert_eq!(all.files.len(), 3);
        let found = all.look_up("192.0.2.1".parse().expect("an address"));
        assert_eq!(found.asn, Some(Asn(64_496)));
    }

    #[test]
    fn file_that_cannot_be_used_is_named() {
        let (folder, empty) = (folder(), folder());
        let whole = countries();
        let useless = database(&[Block::new("203.0.113.0/24")]);
        for (name, path, expected) in [
            ("missing", folder.path().join("none.mmdb"), "cannot be read"),
            (
                "empty",
                written(&folder, "empty.mmdb", b""),
                "or is damaged",
            ),
            (
                "words",
                written(&folder, "words.mmdb", b"no database"),
                "or is damaged",
            ),
            (
                "cut",
                written(&folder, "cut.mmdb", &whole[whole.len() / 2..]),
                "or is damaged",
            ),
            (
                "of nothing",
                written(&folder, "other.mmdb", &useless),
                "says neither",
            ),
            (
                "a folder without any",
                empty.path().to_owned(),
                "has no file",
            ),
        ] {
            let error = GeoFiles::open(std::slice::from_ref(&path)).err();
            let error = error.map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(expected), "{name}: {error}");
            assert!(
                error.contains(&path.display().to_string()),
                "{name}: {error}"
            );
        }
    }

    #[test]
    fn damaged_record_is_unknown_and_no_panic() {
        let whole = countries();
        for at in 0..whole.len() {
            for bit in [0x01, 0x20, 0x80] {
                let mut damaged = whole.clone();
                damaged[at] ^= bit;
                let Ok(reader) = Reader::from_source(damaged) else {
                    continue;
                };
                let file = File {
                    reader,
                    has_countries: true,
                    has_asns: false,
                };
                let files = GeoFiles { files: vec![file] };
                for address in ["192.0.2.1", "2001:db8:1::1", "10.0.0.1"] {
                    files.look_up(address.parse().expect("an address"));
                }
            }
        }
    }

    #[test]
    fn lazy_files_are_read_once_and_fail_as_unknown() {
        let folder = folder();
        let missing = LazyGeoFiles::new(vec![folder.path().join("later.mmdb")]);
        let address = "192.0.2.1".parse().expect("an address");
        assert_eq!(missing.look_up(address), AddressOrigin::default());
        assert!(!missing.knows_countries() && !missing.knows_asns());
        let path = written(&folder, "country.mmdb", &countries());
        let there = LazyGeoFiles::new(vec![path.clone()]);
        assert!(there.knows_countries());
        std::fs::remove_file(path).expect("is removed");
        let found = there.look_up(address).country.map(Country::as_str);
        assert_eq!(found, Some("DE"));
    }
}
