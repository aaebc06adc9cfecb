//! Owns what the tests of RFB share: rules, the beginning of a stream, and messages.

use super::{Dialect, Passed, Rules, Stream, Unreadable};

pub(super) const ALL: Rules = Rules {
    input: true,
    clipboard: true,
    size: None,
    measured: false,
    printing: true,
    downloads: true,
};
pub(super) const NO_CLIPBOARD: Rules = Rules {
    clipboard: false,
    ..ALL
};
pub(super) const WATCH: Rules = Rules {
    input: false,
    ..ALL
};
pub(super) const HELLO: &[u8] = b"RFB 003.008\n\x01\x00";
pub(super) const SHARED_HELLO: &[u8] = b"RFB 003.008\n\x01\x01";

pub(super) fn encoding_list(list: &[i32]) -> Vec<u8> {
    let count = u16::try_from(list.len()).expect("few").to_be_bytes();
    [
        &[2, 0],
        count.as_slice(),
        &list
            .iter()
            .flat_map(|one| one.to_be_bytes())
            .collect::<Vec<_>>(),
    ]
    .concat()
}

pub(super) fn cut_text(length: i32, text: &[u8]) -> Vec<u8> {
    [&[6, 0, 0, 0], length.to_be_bytes().as_slice(), text].concat()
}

/// What goes on to the app of these messages after the greeting, and whether it counts as a
/// touch.
pub(super) fn after_hello(
    dialect: Dialect,
    rules: Rules,
    said: &[u8],
) -> Result<(Vec<u8>, bool), Unreadable> {
    // Whole, and byte by byte: where the pieces are cut makes no difference.
    let mut whole = Stream::new(dialect);
    assert_eq!(
        whole.push(HELLO, rules).expect("a greeting").bytes,
        SHARED_HELLO
    );
    let passed = whole.push(said, rules);
    let mut bytewise = Stream::new(dialect);
    let mut pieces = Passed::default();
    for byte in HELLO.iter().chain(said) {
        match bytewise.push(&[*byte], rules) {
            Ok(piece) => {
                pieces.bytes.extend(piece.bytes);
                pieces.touched |= piece.touched;
            }
            Err(error) => {
                assert_eq!(passed, Err(error), "{said:?}");
                return Err(error);
            }
        }
    }
    let passed = passed?;
    assert_eq!(
        [SHARED_HELLO, &passed.bytes].concat(),
        pieces.bytes,
        "{said:?}"
    );
    assert_eq!(passed.touched, pieces.touched);
    Ok((passed.bytes, passed.touched))
}

pub(super) fn hex(text: &str) -> Vec<u8> {
    data_encoding::HEXLOWER
        .decode(text.as_bytes())
        .expect("hex")
}
