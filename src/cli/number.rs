//! Numbers on the command line, with what to give in their place.

use std::fmt::Display;
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

/// A whole number from `least` to `most`.
pub fn whole<T: FromStr + PartialOrd + Display>(text: &str, least: T, most: T) -> Parsed<T> {
    number(text, |n| (&least..=&most).contains(&n), &format!("give a whole number from {least} to {most}"))
}

/// A number above 0, also in the 32 bits that it is computed with; such as `usual`.
pub fn positive(text: &str, usual: f64) -> Parsed<f64> {
    let fits = |&x: &f64| (x as f32).is_finite() && x as f32 > 0.0;
    number(text, fits, &format!("give a number above 0, such as {usual}"))
}

/// A time that may be none.
pub fn seconds(text: &str) -> Parsed<f64> {
    number(text, |&x: &f64| x.is_finite() && x >= 0.0, "give seconds from 0, such as 2 or 0.5")
}

/// A part in percent.
pub fn percentage(text: &str) -> Parsed<f64> {
    number(text, |&x: &f64| x.is_finite() && x >= 0.0, "give a percentage from 0, such as 10")
}

/// A share that is neither nothing nor all, also in the 32 bits that it is computed with; such as `usual`.
pub fn share(text: &str, usual: f64) -> Parsed<f64> {
    let fits = |&x: &f64| x as f32 > 0.0 && (x as f32) < 1.0;
    number(text, fits, &format!("give a share between 0 and 1, such as {usual}"))
}

/// A share that may be all.
pub fn throttle(text: &str) -> Parsed<f64> {
    number(text, |&x| x > 0.0 && x <= 1.0, "give a share above 0, at most 1, such as 0.5")
}

/// The parameter of the distribution that mixup draws shares from.
pub fn alpha(text: &str) -> Parsed<f64> {
    number(text, |&x| (0.01..=1.0).contains(&x), "give a number from 0.01 to 1, such as 0.2")
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
    let fits = |&x: &f64| x >= 0.0 && (x as f32) < 1.0;
    number(text, fits, "give a share from 0 to below 1, such as 0.2")
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
    fn numbers_that_round_to_a_bound_are_refused() {
        assert_eq!(share("0.999", 0.99), Ok(0.999));
        for text in ["0.99999999999", "1e-300", "0", "1", "-0.1", "NaN", "half"] {
            assert_eq!(share(text, 0.99), Err("give a share between 0 and 1, such as 0.99".into()), "{text}");
        }
        for text in ["1e-300", "1e300", "inf", "NaN", "0"] {
            assert_eq!(positive(text, 1.0), Err("give a number above 0, such as 1".into()), "{text}");
        }
        assert!(dropout("0.99999999999").is_err() && dropout("0").is_ok());
        assert!(alpha("1e-300").is_err() && alpha("0.2").is_ok());
        assert_eq!(whole("5", 2, 100), Ok(5));
        for text in ["2.5", "1", "101", "-3"] {
            assert_eq!(whole(text, 2u64, 100), Err("give a whole number from 2 to 100".into()), "{text}");
        }
    }

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
