//! Where a sequence of dispatches is cut into submissions, so that none takes long: drivers end work that does not come back in
//! time (2 s on Windows), and a desktop draws nothing meanwhile.

use std::ops::Range;

use super::AdapterKind;

/// Seconds that a submission should take at most on hardware.
const MOST_SECONDS: f64 = 0.1;
/// Floating-point operations that take as long as moving a byte, about, on hardware of any size.
const FLOPS_PER_BYTE: u64 = 10;

/// The submissions of a sequence: first by what slow hardware of its kind reaches, then by what was measured here.
#[derive(Debug)]
pub(super) struct Pieces {
    /// How much work each dispatch is.
    work: Vec<f64>,
    /// Dispatches that can be left out, at the front: always submissions of their own.
    optional: usize,
    /// Seconds that a submission may take.
    most: f64,
    /// Seconds that each dispatch is expected to take.
    expected: Vec<f64>,
    /// Indices of dispatches that begin a submission.
    cuts: Vec<usize>,
    /// Runs until now, but for those that were measured.
    runs: usize,
    is_measured: bool,
}

impl Pieces {
    /// Of dispatches with these floating-point operations and bytes, on hardware of this kind, or with submissions of at most
    /// so many seconds.
    pub fn new(
        work: impl Iterator<Item = (u64, u64)>,
        optional: usize,
        kind: AdapterKind,
        most: Option<f64>,
    ) -> Pieces {
        let work: Vec<f64> = work
            .map(|(flops, bytes)| flops.saturating_add(bytes.saturating_mul(FLOPS_PER_BYTE)) as f64)
            .collect();
        // Software drivers have no watchdog, and share the CPU as every program does.
        let unless_told = if kind == AdapterKind::Software { f64::INFINITY } else { MOST_SECONDS };
        let most = most.unwrap_or(unless_told);
        let expected: Vec<f64> = work.iter().map(|work| work / slow_rate(kind)).collect();
        let cuts = cuts(&expected, optional, most);
        Pieces { work, optional, most, expected, cuts, runs: 0, is_measured: most.is_infinite() }
    }

    /// The dispatches of each submission, from the `first` on.
    pub fn from(&self, first: usize) -> Vec<Range<usize>> {
        let ends = self.cuts.iter().copied().skip(1).chain([self.work.len()]);
        self.cuts.iter().copied().zip(ends).filter(|&(start, _)| start >= first).map(|(a, b)| a..b).collect()
    }

    /// Whether the run that begins now is to be measured: the second one, as drivers compile during the first.
    pub fn measures(&mut self) -> bool {
        self.runs += 1;
        !self.is_measured && self.runs > 1
    }

    /// Takes in how many seconds each submission of a run took.
    pub fn measured(&mut self, seconds: &[(Range<usize>, f64)]) {
        for (piece, seconds) in seconds {
            let all: f64 = self.work[piece.clone()].iter().sum();
            for at in piece.clone() {
                let share = if all > 0.0 { self.work[at] / all } else { 1.0 / piece.len() as f64 };
                self.expected[at] = seconds * share;
            }
        }
        self.cuts = cuts(&self.expected, self.optional, self.most);
        self.is_measured = true;
    }
}

/// Work a second that slow hardware of this kind gets done.
fn slow_rate(kind: AdapterKind) -> f64 {
    match kind {
        AdapterKind::Discrete | AdapterKind::Virtual => 1e12,
        AdapterKind::Integrated | AdapterKind::Other => 1e11,
        AdapterKind::Software => 1e10,
    }
}

/// Indices at which a submission begins, so that each takes at most `most` seconds where it has more than one dispatch; the first
/// is 0, and one is `optional`.
fn cuts(seconds: &[f64], optional: usize, most: f64) -> Vec<usize> {
    let mut cuts = vec![0];
    let mut sum = 0.0;
    for (index, seconds) in seconds.iter().enumerate() {
        if index > 0 && (index == optional || (sum > 0.0 && sum + seconds > most)) {
            cuts.push(index);
            sum = 0.0;
        }
        sum += seconds;
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submissions_are_cut_before_the_limit() {
        assert_eq!(cuts(&[1.0, 1.0, 1.0], 0, 10.0), [0]);
        assert_eq!(cuts(&[6.0, 6.0, 1.0, 20.0, 1.0], 0, 10.0), [0, 1, 3, 4]);
        assert_eq!(cuts(&[20.0], 0, 10.0), [0]);
        assert_eq!(cuts(&[1.0, 1.0, 1.0], 2, 10.0), [0, 2]);
        assert_eq!(cuts(&[], 0, 10.0), [0]);
    }

    fn starts(pieces: &Pieces, first: usize) -> Vec<usize> {
        pieces.from(first).into_iter().map(|piece| piece.start).collect()
    }

    #[test]
    fn what_was_measured_decides_from_the_third_run_on() {
        // By the guess for its kind all of it takes 40 ms.
        let work = || [(10_000_000_000, 0); 4].into_iter();
        let mut pieces = Pieces::new(work(), 1, AdapterKind::Discrete, None);
        assert_eq!(starts(&pieces, 0), [0, 1]);
        assert_eq!(starts(&pieces, 1), [1]);
        assert_eq!(pieces.from(1)[0], 1..4);
        assert!(!pieces.measures(), "the first run compiles");
        assert!(pieces.measures());
        // This one is much slower: 80 ms a dispatch.
        pieces.measured(&[(0..1, 0.08), (1..4, 0.24)]);
        assert_eq!(starts(&pieces, 0), [0, 1, 2, 3]);
        assert!(!pieces.measures());
        // And this one faster than the guess, which had cut it.
        let mut pieces = Pieces::new([(200_000_000_000, 0); 2].into_iter(), 0, AdapterKind::Discrete, None);
        assert_eq!(starts(&pieces, 0), [0, 1]);
        pieces.measured(&[(0..1, 0.01), (1..2, 0.01)]);
        assert_eq!(starts(&pieces, 0), [0]);
        // A software driver is neither cut nor measured.
        let mut pieces = Pieces::new(work(), 0, AdapterKind::Software, None);
        assert_eq!(starts(&pieces, 0), [0]);
        assert!(!pieces.measures() && !pieces.measures());
    }
}
