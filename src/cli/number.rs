//! Numbers on the command line, with what to give in their place.

use std::str::FromStr;

use lookalike::models::MAX_SIZE;

type Parsed<T> = Result<T, String>;

fn number<T: FromStr + PartialOrd>(text: &str, fits: impl Fn(&T) -> bool, wanted: &str) -> Parsed<T> {
    text.parse().ok().filter(fits).ok_or_else(|| wanted.into())
}

/// A count.
pub fn at_least_one(text: &str) -> Parsed<usize> {
    number(text, |&n| n >= 1, "give a whole number from 1")
}

/// A number of channels or units.
pub fn units(text: &str) -> Parsed<usize> {
    number(text, |&n| (1..=MAX_SIZE).contains(&n), &format!("give a whole number from 1 to {MAX_SIZE}"))
}

/// A rate.
pub fn positive(text: &str) -> Parsed<f64> {
    number(text, |&x: &f64| x.is_finite() && x > 0.0, "give a number above 0, such as 0.001")
}

/// A time that may be none.
pub fn seconds(text: &str) -> Parsed<f64> {
    number(text, |&x: &f64| x.is_finite() && x >= 0.0, "give seconds from 0, such as 2 or 0.5")
}

/// A part in percent.
pub fn percentage(text: &str) -> Parsed<f64> {
    number(text, |&x: &f64| x.is_finite() && x >= 0.0, "give a percentage from 0, such as 10")
}

/// A fraction between 0 and 1.
pub fn share(text: &str) -> Parsed<f64> {
    number(text, |&x| x > 0.0 && x < 1.0, "give a share between 0 and 1, such as 0.2")
}

/// A fraction above 0, at most 1.
pub fn part(text: &str) -> Parsed<f64> {
    number(text, |&x| x > 0.0 && x <= 1.0, "give a number above 0, at most 1, such as 0.2")
}

/// A time in epochs that may be none.
pub fn epochs(text: &str) -> Parsed<f64> {
    number(text, |&x: &f64| x.is_finite() && x >= 0.0, "give epochs from 0, such as 2 or 0.5")
}

/// How far something may change: from nothing to `most`.
pub fn change(text: &str, most: f32) -> Parsed<f32> {
    number(text, |x: &f32| (0.0..=most).contains(x), &format!("give a number from 0 to {most}"))
}

/// A fraction from 0 to below 1.
pub fn dropout(text: &str) -> Parsed<f64> {
    number(text, |&x| (0.0..1.0).contains(&x), "give a share from 0 to below 1, such as 0.2")
}

/// Bytes, with or without a unit: `2GB`, `512 MiB`, `1000000`.
pub fn bytes(text: &str) -> Parsed<u64> {
    let wanted = "give a size such as 2GB or 512MB";
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (count, unit) = text.split_at(digits);
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err(wanted.into()),
    };
    let count: f64 = number(count, |&count| count > 0.0 && count * unit < u64::MAX as f64, wanted)?;
    Ok((count * unit) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, expected) in
            [("2GB", 2_000_000_000), ("512 MiB", 512 << 20), ("1.5kb", 1500), ("1000000", 1_000_000)]
        {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for text in ["", "GB", "2TB", "-1MB", "0", "1e99GB"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
