//! Owns the messages of RFB clients: where each ends, whether it is a person's touch, and whether it
//! changes anything. Must not know streams.
//!
//! | number | KasmVNC's clients 1.2 to 1.5 send | bytes | a watcher's |
//! |---|---|---|---|
//! | 0, 2, 3, 150 | pixel format, encodings, picture wanted, pictures all along | 20, 4 + 4n, 10, 10 | pass |
//! | 4, 255 | key, key with its code | 8, 12 | dropped |
//! | 5 | pointer with buttons in two bytes and the wheel | 11 | dropped |
//! | 6, 180 | clipboard: as RFB has it (nothing reads it), by types | 8 + n, 2 + entries | dropped |
//! | 178, 179 | figures wanted, figures of a frame | 4, 12 | pass |
//! | 181 | offer of pictures by UDP | 3 + n | dropped |
//! | 182, 183 | a service behind (printer, smart card): wanted, data | 2 + n, 6 + n + m | dropped |
//! | 184 | 1.4.1 and 1.4.2: sign of life; 1.5: video codecs | 1; 2 + 4n | dropped |
//! | 185 | 1.5: sign of life | 1 | dropped |
//! | 188 | 1.5: how far the pointer was moved | 10 | dropped |
//! | 248 | fence | 9 + n | pass |
//! | 250 | reboot | 4 | dropped |
//! | 251 | another size, with screens | 8 + 16n | dropped |
//! | 252 | the largest picture while something moves | 5 | dropped |
//!
//! Source: `RFB.messages` in `core/rfb.js` of the public repository kasmtech/noVNC at the commits
//! that the releases 1.2.0 to 1.5.1 of kasmtech/KasmVNC name, and `common/rfb/SMsgReader.cxx`
//! there. 189 to 191 are on its main branch. Because 184 means two things, it never reaches a
//! screen from a client that could gain by it: what one release takes for a list of codecs is input
//! to the other. No release does anything with a sign of life.

use super::{Dialect, Rules};
use crate::picture::is_measured;

/// With this encoding a client has more buttons; a watcher's gets it not.
pub(crate) const EXTENDED_MOUSE: i32 = -316;

/// With this encoding the clipboard is asked for before it is sent, both ways. A client that may
/// not send is not offered it: it is then sent what is copied, without being asked.
pub(crate) const EXTENDED_CLIPBOARD: i32 = 0xc0a1_e5ce_u32 as i32;

/// The encoding by which a client gets sizes, and may request one.
pub(super) const EXTENDED_DESKTOP_SIZE: i32 = -308;

/// The encoding that KasmVNC's clients name since 1.5.
pub(super) const KASM_DIRECT_MOUSE: i32 = -1884;

/// The service behind KasmVNC that takes printed documents out of the session.
const PRINTER: &[u8] = b"printer";

/// Names of services behind KasmVNC are shorter, in bytes; of longer ones it loses count.
const SERVICE_NAME: usize = 64;

/// What is known of the message that begins the held bytes.
pub(super) enum Message {
    /// More bytes are needed.
    Unfinished,
    /// So long, and of this kind.
    Whole(usize, Kind),
    /// So long a head, then so many bytes that are not looked at.
    Long(usize, usize, Kind),
    /// So many entries of KasmVNC's clipboard, after a head of two bytes.
    Clips(u8),
    /// Of a type that is not known.
    Unknown,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Says how to draw, or asks for a picture.
    Drawing,
    Encodings,
    /// A key or a pointer.
    Input,
    /// Changes something without being a touch.
    Change,
    Clipboard,
    Size,
    /// A printed document, or the wish for it.
    Printing,
    /// Which video codecs the client has.
    Codecs,
    /// A heartbeat, which no server behind this gate needs.
    Alive,
}

impl Kind {
    /// Whether it goes on to the app under these rules.
    pub(super) const fn passes(self, rules: Rules) -> bool {
        match self {
            Self::Drawing | Self::Encodings => true,
            Self::Clipboard => rules.input && rules.clipboard,
            Self::Input | Self::Change | Self::Size => rules.input,
            Self::Printing => rules.input && rules.printing,
            Self::Codecs => rules.is_free(),
            Self::Alive => false,
        }
    }
}

impl Message {
    /// What is known of the message at the beginning of `bytes`. `lists_codecs`: 184 is a list of
    /// codecs, and not a heartbeat.
    pub(super) fn measure(bytes: &[u8], dialect: Dialect, lists_codecs: bool) -> Self {
        let Some(&first) = bytes.first() else {
            return Self::Unfinished;
        };
        let u8_at = |at: usize| bytes.get(at).map(|byte| usize::from(*byte));
        let u16_at = |at: usize| Some(u8_at(at)? << 8 | u8_at(at + 1)?);
        let u32_at = |at: usize| Some(u16_at(at)? << 16 | u16_at(at + 2)?);
        let kasm = dialect == Dialect::Kasm;
        // «Not known yet» is `None` all along, and reads as unfinished.
        let message = match first {
            0 => Some(Self::Whole(20, Kind::Drawing)),
            2 => u16_at(2).map(|count| Self::Whole(4 + 4 * count, Kind::Encodings)),
            3 | 150 => Some(Self::Whole(10, Kind::Drawing)),
            // Clients let go of keys by themselves, so only pressing one is a touch.
            4 => u8_at(1).map(|down| Self::Whole(8, key(down))),
            5 if kasm => Some(Self::Whole(11, Kind::Input)),
            // The highest bit marks the longer form, with buttons beyond the seventh.
            5 => u8_at(1)
                .map(|buttons| Self::Whole(if buttons & 0x80 == 0 { 6 } else { 7 }, Kind::Input)),
            6 => u32_at(4).map(|length| {
                Self::Long(
                    8,
                    (length as u32 as i32).unsigned_abs() as usize,
                    Kind::Clipboard,
                )
            }),
            178 if kasm => Some(Self::Whole(4, Kind::Drawing)),
            179 if kasm => Some(Self::Whole(12, Kind::Drawing)),
            180 if kasm => bytes.get(1).copied().map(Self::Clips),
            181 if kasm => u16_at(1).map(|length| Self::Long(3, length, Kind::Change)),
            182 | 183 if kasm && u8_at(1).is_some_and(|name| name >= SERVICE_NAME) => {
                Some(Self::Unknown)
            }
            182 if kasm => {
                u8_at(1).and_then(|name| Some(Self::Whole(2 + name, service(bytes, name)?)))
            }
            183 if kasm => u8_at(1).and_then(|name| {
                let kind = service(bytes, name)?;
                Some(Self::Long(6 + name, u32_at(2 + name)?, kind))
            }),
            184 if kasm && lists_codecs => {
                u8_at(1).map(|codecs| Self::Whole(2 + 4 * codecs, Kind::Codecs))
            }
            184 | 185 if kasm => Some(Self::Whole(1, Kind::Alive)),
            188 if kasm => Some(Self::Whole(10, Kind::Input)),
            189 if kasm => Some(Self::Whole(8, Kind::Drawing)),
            190 | 191 if kasm => Some(Self::Whole(4, Kind::Drawing)),
            248 => u8_at(8).map(|length| Self::Whole(9 + length, Kind::Drawing)),
            250 => Some(Self::Whole(4, Kind::Change)),
            251 => u8_at(6).map(|screens| Self::Whole(8 + 16 * screens, Kind::Size)),
            252 if kasm => Some(Self::Whole(5, Kind::Change)),
            255 => match u8_at(1) {
                Some(0) => u16_at(2).map(|down| Self::Whole(12, key(down))),
                Some(_) => Some(Self::Unknown),
                None => None,
            },
            _ => Some(Self::Unknown),
        };
        match message.unwrap_or(Self::Unfinished) {
            // The head of a message whose rest is not looked at must be there itself.
            Self::Long(head, ..) if bytes.len() < head => Self::Unfinished,
            message => message,
        }
    }
}

const fn key(down: usize) -> Kind {
    if down == 0 { Kind::Change } else { Kind::Input }
}

/// What a message to a service behind KasmVNC is, by the service's name: as C reads it, up to its
/// first zero.
fn service(bytes: &[u8], name: usize) -> Option<Kind> {
    let name = bytes.get(2..2 + name)?.split(|byte| *byte == 0).next()?;
    Some(if name == PRINTER {
        Kind::Printing
    } else {
        Kind::Change
    })
}

/// The encodings in a list of them.
pub(super) fn encodings(message: &[u8]) -> impl Iterator<Item = i32> {
    message[4..]
        .chunks_exact(4)
        .filter_map(|one| Some(i32::from_be_bytes(one.try_into().ok()?)))
}

/// A list of encodings, without those that a client under these rules has no use for.
pub(super) fn offered(message: &[u8], dialect: Dialect, rules: Rules) -> Vec<u8> {
    let fits = |one: &i32| match *one {
        EXTENDED_MOUSE => rules.input,
        EXTENDED_CLIPBOARD => rules.input && rules.clipboard,
        other => !rules.measured || is_measured(dialect, other),
    };
    let kept: Vec<u8> = encodings(message)
        .filter(fits)
        .flat_map(i32::to_be_bytes)
        .collect();
    let count = u16::try_from(kept.len() / 4).unwrap_or(u16::MAX);
    [&message[..2], count.to_be_bytes().as_slice(), &kept].concat()
}

/// One screen of this size.
pub(super) fn set_desktop_size(width: u16, height: u16) -> Vec<u8> {
    let (width, height) = (width.to_be_bytes(), height.to_be_bytes());
    [
        &[251, 0],
        width.as_slice(),
        &height,
        &[1, 0],
        &[0; 8],
        &width,
        &height,
        &[0; 4],
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        ALL, HELLO, NO_CLIPBOARD, WATCH, after_hello, cut_text, encoding_list, hex,
    };
    use super::super::{Passed, Stream};
    use super::*;

    #[test]
    fn watcher_sends_only_display_messages() {
        use Dialect::{Kasm, Plain};
        let clipboard = [&[180, 1, 4][..], b"text", &5_u32.to_be_bytes(), b"hello"].concat();
        let relay = [&[183, 2][..], b"ab", &3_u32.to_be_bytes(), b"xyz"].concat();
        for (name, dialect, said, watched, touches) in [
            ("a pixel format", Plain, vec![0; 20], true, false),
            ("encodings", Plain, encoding_list(&[7, -308]), true, false),
            (
                "a picture, please",
                Plain,
                vec![3, 1, 0, 0, 0, 0, 5, 0, 2, 208],
                true,
                false,
            ),
            (
                "pictures all along",
                Plain,
                vec![150, 1, 0, 0, 0, 0, 5, 0, 2, 208],
                true,
                false,
            ),
            (
                "a fence",
                Plain,
                [&[248, 0, 0, 0, 0, 0, 0, 1, 3][..], b"abc"].concat(),
                true,
                false,
            ),
            ("a key", Plain, vec![4, 1, 0, 0, 0, 0, 0, 97], false, true),
            (
                "a key with its code",
                Plain,
                vec![255, 0, 0, 1, 0, 0, 0, 97, 0, 0, 0, 30],
                false,
                true,
            ),
            ("a pointer", Plain, vec![5, 1, 0, 9, 0, 9], false, true),
            (
                "a pointer with more buttons",
                Plain,
                vec![5, 0x81, 0, 9, 0, 9, 1],
                false,
                true,
            ),
            ("a clipboard", Plain, cut_text(5, b"hello"), false, false),
            (
                "an extended clipboard",
                Plain,
                cut_text(-5, b"hello"),
                false,
                false,
            ),
            (
                "another size",
                Plain,
                set_desktop_size(800, 600),
                false,
                false,
            ),
            ("a reboot", Plain, vec![250, 0, 1, 3], false, false),
            (
                "a pointer of KasmVNC's",
                Kasm,
                vec![5, 0, 1, 0, 9, 0, 9, 0, 0, 0, 1],
                false,
                true,
            ),
            ("a clipboard of KasmVNC's", Kasm, clipboard, false, false),
            ("something for a service behind", Kasm, relay, false, false),
            (
                "a key that is let go",
                Plain,
                vec![4, 0, 0, 0, 0, 0, 0, 97],
                false,
                false,
            ),
            (
                "a key with its code that is let go",
                Kasm,
                vec![255, 0, 0, 0, 0, 0, 0, 97, 0, 0, 0, 30],
                false,
                false,
            ),
            (
                "the largest film",
                Kasm,
                vec![252, 7, 128, 4, 56],
                false,
                false,
            ),
            ("which codecs there are", Kasm, vec![184, 0], false, false),
            (
                "which codecs it has",
                Kasm,
                vec![184, 1, 255, 255, 251, 254],
                false,
                false,
            ),
            (
                "an offer of UDP",
                Kasm,
                [&[181, 0, 2][..], b"{}"].concat(),
                false,
                false,
            ),
            (
                "how the mouse was moved",
                Kasm,
                vec![188, 0, 0, 1, 0, 1, 0, 0, 0, 0],
                false,
                true,
            ),
            (
                "how long it takes",
                Kasm,
                vec![189, 0, 0, 0, 0, 0, 0, 1],
                true,
                false,
            ),
            (
                "the network's figures",
                Kasm,
                vec![190, 0, 0, 0],
                true,
                false,
            ),
            (
                "the machine's figures",
                Kasm,
                vec![191, 0, 0, 0],
                true,
                false,
            ),
            (
                "how fast it draws",
                Kasm,
                vec![179, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1],
                true,
                false,
            ),
        ] {
            // Followed by a request for a picture, so that a wrong length shows.
            let said = [said, vec![3, 0, 0, 0, 0, 0, 0, 1, 0, 1]].concat();
            let (whole, picture) = (said.clone(), said[said.len() - 10..].to_vec());
            assert_eq!(
                after_hello(dialect, ALL, &said),
                Ok((whole.clone(), touches)),
                "{name}, in control"
            );
            let expected = if watched { whole } else { picture };
            assert_eq!(
                after_hello(dialect, WATCH, &said),
                Ok((expected, false)),
                "{name}, watching"
            );
        }
    }

    /// The releases of KasmVNC whose clients say the same, from the oldest.
    const RELEASES: [&str; 8] = [
        "1.2.0", "1.3.0", "1.3.4", "1.4.0", "1.4.1", "1.4.2", "1.5.0", "1.5.1",
    ];

    /// What the public clients say, as their own code makes it: which message, from which release
    /// to which, its bytes; whether it reaches the screen from a controller and from a watcher, and
    /// whether it is a touch.
    #[test]
    fn kasmvnc_messages_are_known_by_release() {
        for (name, first, last, said, used, watched, touches) in [
            (
                "pixel format",
                "1.2.0",
                "1.5.1",
                "000000002018000100ff00ff00ff000810000000",
                true,
                true,
                false,
            ),
            (
                "picture wanted",
                "1.2.0",
                "1.5.1",
                "030100000000050002d0",
                true,
                true,
                false,
            ),
            (
                "pictures all along",
                "1.2.0",
                "1.5.1",
                "960100000000050002d0",
                true,
                true,
                false,
            ),
            (
                "fence",
                "1.2.0",
                "1.5.1",
                "f80000000000000103616263",
                true,
                true,
                false,
            ),
            (
                "figures wanted",
                "1.2.0",
                "1.5.1",
                "b2000000",
                true,
                true,
                false,
            ),
            (
                "figures of a frame",
                "1.2.0",
                "1.5.1",
                "b30000000000003c00000005",
                true,
                true,
                false,
            ),
            (
                "key",
                "1.2.0",
                "1.5.1",
                "0401000000000061",
                true,
                false,
                true,
            ),
            (
                "sign of life before 1.4.1, a key that is let go",
                "1.2.0",
                "1.4.0",
                "0400000000000001",
                true,
                false,
                false,
            ),
            (
                "key with its code",
                "1.2.0",
                "1.5.1",
                "ff000001000000610000001e",
                true,
                false,
                true,
            ),
            (
                "pointer",
                "1.2.0",
                "1.5.1",
                "050001000900080000ffff",
                true,
                false,
                true,
            ),
            (
                "clipboard as RFB has it",
                "1.2.0",
                "1.5.1",
                "06000000000000026869",
                true,
                false,
                false,
            ),
            (
                "extended clipboard",
                "1.2.0",
                "1.5.1",
                "06000000fffffffc08000001",
                true,
                false,
                false,
            ),
            (
                "clipboard",
                "1.2.0",
                "1.5.1",
                "b4010a746578742f706c61696e000000026869",
                true,
                false,
                false,
            ),
            (
                "clipboard of two types",
                "1.2.0",
                "1.5.1",
                "b4020a746578742f706c61696e00000002686909746578742f68746d6c000000013c",
                true,
                false,
                false,
            ),
            (
                "offer of UDP",
                "1.2.0",
                "1.5.1",
                "b50003763d30",
                true,
                false,
                false,
            ),
            ("end of UDP", "1.2.0", "1.5.1", "b50000", true, false, false),
            (
                "printer wanted",
                "1.2.0",
                "1.5.1",
                "b6077072696e746572",
                true,
                false,
                false,
            ),
            (
                "smart card wanted",
                "1.4.0",
                "1.5.1",
                "b609736d61727463617264",
                true,
                false,
                false,
            ),
            (
                "data for a service",
                "1.2.0",
                "1.5.1",
                "b709736d61727463617264000000020102",
                true,
                false,
                false,
            ),
            (
                "size of one screen",
                "1.2.0",
                "1.5.1",
                "fb00050002d001000000000000000000050002d000000000",
                true,
                false,
                false,
            ),
            (
                "size of two screens",
                "1.3.0",
                "1.5.1",
                "fb000a0002d002000000000000000000050002d0000000000000000105000000050002d000000000",
                true,
                false,
                false,
            ),
            (
                "largest moving picture",
                "1.2.0",
                "1.5.1",
                "fc07800438",
                true,
                false,
                false,
            ),
            ("reboot", "1.2.0", "1.5.1", "fa000103", true, false, false),
            ("sign of life", "1.4.1", "1.4.2", "b8", false, false, false),
            ("sign of life", "1.5.0", "1.5.1", "b9", false, false, false),
            (
                "video codecs",
                "1.5.0",
                "1.5.1",
                "b802fffffbfefffffbf4",
                true,
                false,
                false,
            ),
            (
                "pointer moved",
                "1.5.0",
                "1.5.1",
                "bc010001ffff00000002",
                true,
                false,
                true,
            ),
        ] {
            let said = hex(said);
            let sent_by = RELEASES
                .iter()
                .filter(|release| first <= **release && **release <= last);
            for release in sent_by {
                // The encodings come first; a request for a picture after it shows a wrong length.
                let begin = encoding_list(&kasm_encodings(release));
                let end = [3, 0, 0, 0, 0, 0, 0, 1, 0, 1];
                let all = [begin.as_slice(), &said, &end].concat();
                let name = format!("{name}, {release}");
                let message = |passes: bool| if passes { said.clone() } else { Vec::new() };
                let expected = [begin.as_slice(), &message(used), &end].concat();
                assert_eq!(
                    after_hello(Dialect::Kasm, ALL, &all),
                    Ok((expected, touches)),
                    "{name}, in control"
                );
                let expected = [begin.as_slice(), &message(watched), &end].concat();
                assert_eq!(
                    after_hello(Dialect::Kasm, WATCH, &all).map(|(passed, touched)| (
                        passed[begin.len() - dropped_encodings()..].to_vec(),
                        touched
                    )),
                    Ok((expected[begin.len()..].to_vec(), false)),
                    "{name}, watching"
                );
            }
        }
    }

    /// How much shorter a watcher's list of encodings is: the extended clipboard is left out.
    const fn dropped_encodings() -> usize {
        4
    }

    /// What a release's client names as encodings: of KasmVNC's own those that tell releases apart.
    fn kasm_encodings(release: &str) -> Vec<i32> {
        let mut list = vec![1, 7, -308, EXTENDED_CLIPBOARD];
        if release >= "1.4.1" {
            list.push(-1885);
        }
        if release >= "1.5.0" {
            list.extend([KASM_DIRECT_MOUSE, -1025]);
        }
        list
    }

    /// The first messages of the public clients in a browser, to a screen of 1280 x 720.
    #[test]
    fn recorded_kasmvnc_clients_are_read_whole() {
        let hello = "524642203030332e3030380a0101";
        let format = "000000002018000100ff00ff00ff000810000000";
        let most = "0000000100000007fffffefc000000050000000200000000ffffffe6ffffff02ffffff21ffffff20fffffefefffffeccfffffecbfffffec8fffffec7fffffecdc0a1e5ce";
        let wishes = "fffffc00fffffc08fffffc12fffffc1cfffffc25fffffc34fffffc75fffffc9ffffff840fffff834fffff80efffff833";
        let cursors = "fffffc20574d5664ffffff11574d5666";
        let (whole, more) = ("030000000000050002d0", "030100000000050002d0");
        let (printer, card) = ("b6077072696e746572", "b609736d61727463617264");
        let encodings = |count: &str, news: &str, film: &str| {
            format!("0200{count}{most}{news}{wishes}{film}{cursors}")
        };
        for (release, codecs, encodings, services, alive) in [
            (
                "1.3.4",
                "",
                encodings("0021", "", ""),
                printer.to_owned(),
                "0400000000000001",
            ),
            (
                "1.4.2",
                "",
                encodings("0022", "fffff8a3", ""),
                format!("{printer}{card}"),
                "b8",
            ),
            (
                "1.5.1",
                "b802fffffbfefffffbf4",
                encodings("0026", "fffff8a3fffff8a4", "fffffb8bfffffbdbfffffbff"),
                format!("{printer}{card}"),
                "b9",
            ),
        ] {
            let said = hex(&format!(
                "{format}{codecs}{encodings}{whole}{services}{more}{alive}{more}"
            ));
            let key = if alive.len() > 2 { alive } else { "" };
            let owners = hex(&format!(
                "{format}{codecs}{encodings}{whole}{services}{more}{key}{more}"
            ));
            let mut stream = Stream::new(Dialect::Kasm);
            assert_eq!(
                stream.push(&hex(hello), ALL).expect("a greeting").bytes,
                hex(hello),
                "{release}"
            );
            let passed = stream.push(&said, ALL).expect(release);
            let expected = Passed {
                bytes: owners,
                ..Passed::default()
            };
            assert_eq!(passed, expected, "{release}: all known, no touch");
            let rules = Rules {
                measured: true,
                ..WATCH
            };
            let (watched, touched) = after_hello(Dialect::Kasm, rules, &said).expect(release);
            assert!(!touched, "{release}");
            assert!(
                watched.ends_with(&hex(&format!("{whole}{more}{more}"))),
                "{release}: {watched:?}"
            );
        }
    }

    /// What is a list of codecs to 1.5 is a sign of life and input to 1.4, and the other way round.
    #[test]
    fn no_release_of_kasmvnc_is_fed_another_ones_input() {
        let codecs_with_a_key = hex("b8020401000000000061");
        let pointer = hex("050001000900080000ffff");
        let picture = hex("030100000000050002d0");
        for rules in [WATCH, NO_CLIPBOARD] {
            for list in [kasm_encodings("1.4.2"), kasm_encodings("1.5.1")] {
                for said in [&codecs_with_a_key, &[&[184][..], &pointer].concat()] {
                    let mut stream = Stream::new(Dialect::Kasm);
                    stream.push(HELLO, rules).expect("a greeting");
                    stream.push(&encoding_list(&list), rules).expect("reads");
                    let all = [said.as_slice(), &picture].concat();
                    let passed = stream.push(&all, rules).expect("reads").bytes;
                    assert!(!passed.contains(&184), "{list:?} {passed:?}");
                }
            }
        }
        let no_files = Rules {
            printing: false,
            downloads: false,
            ..ALL
        };
        for (rules, passes) in [
            (ALL, true),
            (
                Rules {
                    printing: false,
                    ..ALL
                },
                true,
            ),
            (no_files, false),
        ] {
            let expected = if passes { hex("b800") } else { Vec::new() };
            assert_eq!(
                after_hello(Dialect::Kasm, rules, &[184, 0]),
                Ok((expected, false)),
                "{rules:?}"
            );
        }
    }

    #[test]
    fn forbidden_printing_is_dropped() {
        let no_printing = Rules {
            printing: false,
            ..ALL
        };
        let zero = [&[182, 9][..], b"printer\0x"].concat();
        let data = hex("b7077072696e746572000000020102");
        let card = hex("b609736d61727463617264");
        for said in [hex("b6077072696e746572"), zero, data] {
            assert_eq!(
                after_hello(Dialect::Kasm, no_printing, &said),
                Ok((Vec::new(), false))
            );
            assert_eq!(
                after_hello(Dialect::Kasm, ALL, &said),
                Ok((said.clone(), false))
            );
        }
        assert_eq!(
            after_hello(Dialect::Kasm, no_printing, &card),
            Ok((card.clone(), false))
        );
    }

    #[test]
    fn watcher_is_offered_no_input_extensions() {
        let said = encoding_list(&[7, -316, 0xc0a1_e5ce_u32 as i32, -308]);
        assert_eq!(
            after_hello(Dialect::Plain, WATCH, &said),
            Ok((encoding_list(&[7, -308]), false))
        );
        assert_eq!(after_hello(Dialect::Plain, ALL, &said), Ok((said, false)));
    }

    #[test]
    fn measured_client_requests_only_readable_encodings() {
        use Dialect::{Kasm, Plain};
        let measured = Rules {
            measured: true,
            ..ALL
        };
        for (dialect, kept) in [
            (
                Plain,
                vec![7, 16, -308, -23, EXTENDED_MOUSE, EXTENDED_CLIPBOARD],
            ),
            (
                Kasm,
                vec![7, -308, -23, EXTENDED_MOUSE, -1024, EXTENDED_CLIPBOARD],
            ),
        ] {
            let all = [
                7,
                16,
                21,
                -308,
                -23,
                -314,
                EXTENDED_MOUSE,
                -1024,
                EXTENDED_CLIPBOARD,
            ];
            let said = encoding_list(&all);
            assert_eq!(
                after_hello(dialect, measured, &said),
                Ok((encoding_list(&kept), false)),
                "{dialect:?}"
            );
            assert_eq!(
                after_hello(dialect, ALL, &said),
                Ok((said, false)),
                "{dialect:?}, unmeasured"
            );
        }
        let format = |bits: u8, depth: u8| {
            let true_colour = [bits, depth, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0];
            [&[0; 4][..], &true_colour].concat()
        };
        let picture = vec![3, 1, 0, 0, 0, 0, 5, 0, 2, 208];
        for (name, messages, readable) in [
            (
                "before a picture",
                vec![format(32, 24), format(16, 16), picture.clone()],
                true,
            ),
            (
                "the same again",
                vec![format(32, 24), picture.clone(), format(32, 24)],
                true,
            ),
            (
                "another size",
                vec![format(32, 24), picture.clone(), format(16, 16)],
                false,
            ),
            (
                "without the fourth byte",
                vec![format(32, 32), picture.clone(), format(32, 24)],
                false,
            ),
            (
                "after the screen's own",
                vec![picture, format(32, 24)],
                false,
            ),
            ("no whole bytes", vec![format(24, 24)], false),
        ] {
            let said = messages.concat();
            let passed = after_hello(Plain, measured, &said);
            assert_eq!(passed.is_ok(), readable, "{name}");
            assert!(after_hello(Plain, ALL, &said).is_ok(), "{name}, unmeasured");
        }
    }
}
