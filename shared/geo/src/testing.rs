//! Owns a writer of small databases in MaxMind's format (version 2, IPv6, records of 32 bits), for
//! tests: none is shipped.

use std::net::IpAddr;

/// What begins the description of a database.
const MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";
/// The zeros between tree and records.
const GAP: usize = 16;

/// A block of addresses, and what is said of it.
#[derive(Clone, Debug)]
pub struct Block {
    bits: u128,
    length: u32,
    record: Item,
}

impl Block {
    /// A block such as `192.0.2.0/24`, of which nothing is said yet.
    ///
    /// # Panics
    /// When it is none: a test has written it.
    #[must_use]
    #[expect(clippy::expect_used, reason = "only tests write databases")]
    pub fn new(block: &str) -> Self {
        let (address, length) = block.split_once('/').expect("a block");
        let length: u32 = length.parse().expect("a length");
        let (bits, length) = match address.parse().expect("an address") {
            IpAddr::V4(address) => (u128::from(u32::from(address)), length + 96),
            IpAddr::V6(address) => (u128::from(address), length),
        };
        Self {
            bits,
            length,
            record: Item::Map(Vec::new()),
        }
    }

    fn with(mut self, name: &str, item: Item) -> Self {
        if let Item::Map(fields) = &mut self.record {
            fields.push((name.to_owned(), item));
        }
        self
    }

    /// It is in this country.
    #[must_use]
    pub fn country(self, code: &str) -> Self {
        let code = Item::Text(code.to_owned());
        self.with("country", Item::Map(vec![("iso_code".to_owned(), code)]))
    }

    /// It belongs to this autonomous system.
    #[must_use]
    pub fn asn(self, number: u32) -> Self {
        self.with("autonomous_system_number", Item::U32(number))
    }

    /// The same in one flat record, as IPinfo writes it.
    #[must_use]
    pub fn flat(self, country: &str, asn: &str) -> Self {
        self.with("country", Item::Text("A country".to_owned()))
            .with("country_code", Item::Text(country.to_owned()))
            .with("asn", Item::Text(asn.to_owned()))
    }
}

/// A value.
#[derive(Clone, Debug)]
enum Item {
    Text(String),
    U16(u16),
    U32(u32),
    U64(u64),
    List(Vec<Item>),
    Map(Vec<(String, Item)>),
}

impl Item {
    fn write(&self, to: &mut Vec<u8>) {
        match self {
            Self::Text(text) => {
                head(2, text.len(), to);
                to.extend_from_slice(text.as_bytes());
            }
            Self::U16(number) => {
                head(5, 2, to);
                to.extend_from_slice(&number.to_be_bytes());
            }
            Self::U32(number) => {
                head(6, 4, to);
                to.extend_from_slice(&number.to_be_bytes());
            }
            Self::U64(number) => {
                head(9, 8, to);
                to.extend_from_slice(&number.to_be_bytes());
            }
            Self::List(items) => {
                head(11, items.len(), to);
                items.iter().for_each(|item| item.write(to));
            }
            Self::Map(fields) => {
                head(7, fields.len(), to);
                for (name, item) in fields {
                    Self::Text(name.clone()).write(to);
                    item.write(to);
                }
            }
        }
    }
}

/// Type and size of a value. Sizes from 29 have a byte of their own; none here needs more.
fn head(kind: u8, size: usize, to: &mut Vec<u8>) {
    let (kind, extension) = if kind > 7 {
        (0, Some(kind - 7))
    } else {
        (kind, None)
    };
    let small = u8::try_from(size).unwrap_or(u8::MAX);
    to.push(kind << 5 | small.min(29));
    to.extend(extension);
    if small >= 29 {
        to.push(small - 29);
    }
}

/// Where a branch of the tree leads.
#[derive(Clone, Copy)]
enum Branch {
    Nowhere,
    Node(usize),
    Record(usize),
}

/// A database with these blocks; a block within another one comes after it.
pub fn database(blocks: &[Block]) -> Vec<u8> {
    let mut nodes = vec![[Branch::Nowhere; 2]];
    let mut records = Vec::new();
    for block in blocks {
        let at = records.len();
        block.record.write(&mut records);
        insert(&mut nodes, block, at);
    }
    let count = nodes.len();
    let pointer = |branch: Branch| {
        let target = match branch {
            Branch::Nowhere => count,
            Branch::Node(node) => node,
            Branch::Record(offset) => count + GAP + offset,
        };
        u32::try_from(target).unwrap_or(u32::MAX).to_be_bytes()
    };
    let mut bytes: Vec<u8> = nodes
        .iter()
        .flatten()
        .flat_map(|branch| pointer(*branch))
        .collect();
    bytes.extend_from_slice(&[0; GAP]);
    bytes.extend_from_slice(&records);
    bytes.extend_from_slice(MARKER);
    let text = |text: &str| Item::Text(text.to_owned());
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let described = [
        ("node_count", Item::U32(count)),
        ("record_size", Item::U16(32)),
        ("ip_version", Item::U16(6)),
        ("database_type", text("Test")),
        ("languages", Item::List(vec![text("en")])),
        ("binary_format_major_version", Item::U16(2)),
        ("binary_format_minor_version", Item::U16(0)),
        ("build_epoch", Item::U64(1_790_000_000)),
        (
            "description",
            Item::Map(vec![("en".to_owned(), text("For tests"))]),
        ),
    ];
    let fields = described.map(|(name, item)| (name.to_owned(), item));
    Item::Map(fields.into()).write(&mut bytes);
    bytes
}

fn insert(nodes: &mut Vec<[Branch; 2]>, block: &Block, record: usize) {
    let mut node = 0;
    for depth in 0..block.length {
        let side = usize::from(block.bits >> (127 - depth) & 1 == 1);
        if depth + 1 == block.length {
            nodes[node][side] = Branch::Record(record);
            return;
        }
        node = match nodes[node][side] {
            Branch::Node(next) => next,
            above => {
                nodes.push([above; 2]);
                let next = nodes.len() - 1;
                nodes[node][side] = Branch::Node(next);
                next
            }
        };
    }
}
