//! How fast a run is, and how long it will take.

/// Epochs that tell how long the next one takes.
const LATEST: usize = 5;

/// When things were done, in seconds since the display began.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    /// The first report of what is done now: when, and how much was done.
    first: Option<(f64, usize)>,
    /// The last one.
    last: Option<(f64, usize)>,
    /// When an epoch began.
    epoch: f64,
    /// How long the latest epochs took.
    epochs: Vec<f64>,
}

impl Pace {
    /// Something new begins.
    pub fn begin(&mut self, now: f64) {
        (self.first, self.last, self.epoch) = (None, None, now);
    }

    /// So much of it is done.
    pub fn done(&mut self, now: f64, done: usize) {
        self.first.get_or_insert((now, done));
        self.last = Some((now, done));
    }

    /// An epoch has ended, and the next one begins.
    pub fn epoch(&mut self, now: f64) {
        self.epochs.push(now - self.epoch);
        self.epochs.drain(..self.epochs.len().saturating_sub(LATEST));
        self.begin(now);
    }

    /// How many a second; not known before two reports.
    pub fn speed(&self) -> Option<f64> {
        let ((start, before), (end, done)) = (self.first?, self.last?);
        (end > start && done > before).then(|| (done - before) as f64 / (end - start))
    }

    /// Seconds until the rest of `all` is done.
    pub fn left(&self, now: f64, all: usize) -> Option<f64> {
        let (at, done) = self.last?;
        Some((all.saturating_sub(done) as f64 / self.speed()? - (now - at)).max(0.0))
    }

    /// Seconds until this epoch of `all` pictures and `more` epochs are done.
    pub fn left_of_run(&self, now: f64, all: usize, more: usize) -> Option<f64> {
        if self.epochs.is_empty() {
            // What validation takes is not known yet.
            return Some(self.left(now, all)? + more as f64 * all as f64 / self.speed()?);
        }
        let each = self.epochs.iter().sum::<f64>() / self.epochs.len() as f64;
        Some((each - (now - self.epoch)).max(0.0) + more as f64 * each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    #[test]
    fn the_first_epoch_is_told_by_its_pictures() {
        let mut pace = Pace::default();
        pace.begin(1.0);
        assert_eq!((pace.speed(), pace.left_of_run(1.0, 100, 3)), (None, None));
        pace.done(2.0, 10);
        assert_eq!(pace.speed(), None);
        pace.done(4.0, 50);
        assert_abs_diff_eq!(pace.speed().unwrap(), 20.0);
        assert_abs_diff_eq!(pace.left(4.5, 100).unwrap(), 2.0);
        assert_abs_diff_eq!(pace.left_of_run(4.5, 100, 3).unwrap(), 17.0);
    }

    #[test]
    fn later_epochs_are_told_by_those_before() {
        let mut pace = Pace::default();
        pace.begin(0.0);
        for end in [100.0, 104.0, 108.0, 112.0, 116.0, 120.0] {
            pace.epoch(end);
        }
        assert_abs_diff_eq!(pace.left_of_run(121.0, 50, 2).unwrap(), 11.0);
        assert_abs_diff_eq!(pace.left_of_run(150.0, 50, 0).unwrap(), 0.0);
        pace.done(121.0, 0);
        pace.done(121.0, 5);
        assert_eq!(pace.speed(), None, "no time has passed");
    }
}
