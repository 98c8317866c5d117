//! Numbers with the unit that a reader would choose.

/// Three digits and a prefix: `1.23 G`.
fn prefixed(value: f64) -> String {
    const PREFIXES: [(f64, &str); 4] = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    let (unit, prefix) = PREFIXES.into_iter().find(|(unit, _)| value >= 0.9995 * unit).unwrap_or((1.0, ""));
    format!("{} {prefix}", three_digits(value / unit))
}

/// `1.23`, `12.3`, `123`.
fn three_digits(value: f64) -> String {
    match value {
        v if v >= 99.95 => format!("{v:.0}"),
        v if v >= 9.995 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

/// `1.23 GB`.
pub fn bytes(count: f64) -> String {
    prefixed(count) + "B"
}

/// `1.23 G`.
pub fn flops(count: f64) -> String {
    prefixed(count).trim_end().to_string()
}

/// `1.23 ms`.
pub fn seconds(time: f64) -> String {
    match time {
        t if t >= 0.9995 => format!("{} s", three_digits(t)),
        t if t >= 0.9995e-3 => format!("{} ms", three_digits(1e3 * t)),
        t => format!("{} µs", three_digits(1e6 * t)),
    }
}

/// So much in so many seconds; a dash where nothing was done or no time was seen to pass.
pub fn rate(count: u64, seconds: f64, format: fn(f64) -> String) -> String {
    if count == 0 || seconds <= 0.0 { "-".into() } else { format(count as f64 / seconds) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_chosen() {
        assert_eq!([0.0, 999.0, 999.9, 1e9].map(bytes), ["0.00 B", "999 B", "1.00 kB", "1.00 GB"]);
        assert_eq!([12.0, 2.5e12].map(flops), ["12.0", "2.50 T"]);
        assert_eq!([2.0, 0.0123, 4e-7].map(seconds), ["2.00 s", "12.3 ms", "0.40 µs"]);
        assert_eq!(rate(10, 0.0, flops), "-");
        assert_eq!(rate(3_000, 2.0, bytes), "1.50 kB");
    }
}
