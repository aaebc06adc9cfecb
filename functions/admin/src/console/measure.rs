//! Owns how people type and read lengths of time and money: with a unit of their own, such as hours
//! or dollars, for a field that counts seconds or cents. Must not know which fields there are.

use casting_core::resource::FormField;

use super::time_format::{length, wait};

/// A unit: how many of the field's own units it is, and what it is called.
pub type Unit = (u64, &'static str);

const MILLIS: [Unit; 2] = [(1, "milliseconds"), (1000, "seconds")];
const SECONDS: [Unit; 4] = [
    (1, "seconds"),
    (60, "minutes"),
    (3600, "hours"),
    (86_400, "days"),
];
const MINUTES: [Unit; 3] = [(1, "minutes"), (60, "hours"), (1440, "days")];
const HOURS: [Unit; 2] = [(1, "hours"), (24, "days")];
const CENTS: [Unit; 1] = [(100, "dollars")];
/// The most digits behind a decimal point.
const MOST_DIGITS: usize = 6;

/// The units in which the number of a field can be typed; none for a plain number.
pub fn units(field: &FormField) -> &'static [Unit] {
    match field.unit {
        "milliseconds" => &MILLIS,
        "seconds" => &SECONDS,
        "minutes" => &MINUTES,
        "hours" => &HOURS,
        "cents" => &CENTS,
        _ => &[],
    }
}

/// Whether the field is money.
pub fn is_money(field: &FormField) -> bool {
    field.unit == "cents"
}

/// A number in its largest unit that needs no decimals; money in dollars.
pub fn shown(number: u64, units: &[Unit]) -> (String, u64) {
    if let [(cents, _)] = units {
        let (dollars, rest) = (number / cents, number % cents);
        return match rest {
            0 => (dollars.to_string(), *cents),
            rest => (format!("{dollars}.{rest:02}"), *cents),
        };
    }
    let fits = |unit: &&Unit| number > 0 && number.is_multiple_of(unit.0);
    let largest = units.iter().rev().find(fits);
    let factor = largest.map_or(1, |(factor, _)| *factor);
    ((number / factor).to_string(), factor)
}

/// What is typed, such as `1.5`, in units of so many; `None` when it is no whole number of the
/// field's own unit.
pub fn read(typed: &str, factor: u64) -> Option<u64> {
    let typed = typed.replace(',', ".");
    let (whole, fraction) = typed.split_once('.').unwrap_or((&typed, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > MOST_DIGITS {
        return None;
    }
    let scale = 10u64.pow(u32::try_from(fraction.len()).ok()?);
    let number = |text: &str| {
        if text.is_empty() {
            Some(0)
        } else {
            text.parse::<u64>().ok()
        }
    };
    let scaled = number(whole)?
        .checked_mul(scale)?
        .checked_add(number(fraction)?)?;
    let product = scaled.checked_mul(factor)?;
    product.is_multiple_of(scale).then(|| product / scale)
}

/// The bounds of a field in words: `from 1 min to 7 d`.
pub fn bounds(field: &FormField, least: u64, most: u64) -> Option<String> {
    let amount = |number: u64| match field.unit {
        "milliseconds" => Some(wait(number)),
        "seconds" => Some(length(number)),
        "minutes" => Some(length(number.saturating_mul(60))),
        "hours" => Some(length(number.saturating_mul(3600))),
        "cents" => Some(format!("${}.{:02}", number / 100, number % 100)),
        _ => None,
    };
    Some(format!("from {} to {}", amount(least)?, amount(most)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_in_their_largest_unit() {
        for (number, units, expected) in [
            (0, &SECONDS[..], ("0", 1)),
            (1500, &MILLIS, ("1500", 1)),
            (2000, &MILLIS, ("2", 1000)),
            (45, &SECONDS, ("45", 1)),
            (90, &SECONDS, ("90", 1)),
            (300, &SECONDS, ("5", 60)),
            (5400, &SECONDS, ("90", 60)),
            (14_400, &SECONDS, ("4", 3600)),
            (604_800, &SECONDS, ("7", 86_400)),
            (90, &MINUTES, ("90", 1)),
            (120, &MINUTES, ("2", 60)),
            (8, &HOURS, ("8", 1)),
            (1250, &CENTS, ("12.50", 100)),
            (5000, &CENTS, ("50", 100)),
            (5, &CENTS, ("0.05", 100)),
        ] {
            let (text, factor) = shown(number, units);
            assert_eq!((text.as_str(), factor), expected, "{number}");
            assert_eq!(read(&text, factor), Some(number), "{number}");
        }
    }

    #[test]
    fn typed_numbers_are_exact() {
        for (typed, factor, expected) in [
            ("1.5", 3600, Some(5400)),
            ("1,5", 3600, Some(5400)),
            (".5", 60, Some(30)),
            ("2.", 60, Some(120)),
            ("0.1", 60, Some(6)),
            ("12.345", 100, None),
            ("0.333", 60, None),
            ("1.0000000", 60, Some(60)),
            ("", 60, None),
            (".", 60, None),
            ("-1", 60, None),
            ("1e3", 60, None),
            ("ten", 1, None),
            ("99999999999999999999", 1, None),
            ("9999999999999999", 86_400, None),
        ] {
            assert_eq!(read(typed, factor), expected, "{typed} of {factor}");
        }
    }
}
