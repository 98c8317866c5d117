//! The part of the time that a device may work.

use std::time::Duration;

/// A part of the time, above 0 and below 1: others get their turn in the rest of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Share(f64);

impl Share {
    /// This part of the time; none if that is all of it.
    pub fn new(part: f64) -> Option<Share> {
        (part < 1.0).then(|| Share(part.max(f64::MIN_POSITIVE)))
    }

    /// How long to rest after work that took so long.
    pub fn rest(self, worked: Duration) -> Duration {
        worked.mul_f64(1.0 / self.0 - 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_and_rest_are_in_proportion() {
        let quarter = Share::new(0.25).unwrap();
        assert_eq!(quarter.rest(Duration::from_secs(2)), Duration::from_secs(6));
        assert_eq!(Share::new(1.0), None);
        assert_eq!(Share::new(7.0), None);
    }
}
