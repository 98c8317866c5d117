//! Measurements that can be compared: contenders take turns within one run, as a machine's speed drifts from one run
//! to the next.

use std::thread::sleep;
use std::time::Duration;

/// What passes before a turn, so that the threads of the one before have stopped spinning.
const PAUSE: Duration = Duration::from_millis(50);

/// Seconds that each of a contender's turns took.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Times(pub Vec<f64>);

impl Times {
    /// The time that half of the turns stay below.
    pub fn median(&self) -> f64 {
        median(self.0.clone())
    }

    /// The shortest and the longest.
    pub fn spread(&self) -> [f64; 2] {
        self.0.iter().fold([f64::INFINITY, 0.0], |[min, max], &time| [min.min(time), max.max(time)])
    }

    /// How many times as long as `other`: the median over the rounds, each of which gives one ratio.
    pub fn ratio(&self, other: &Times) -> f64 {
        median(self.0.iter().zip(&other.0).map(|(time, other)| time / other).collect())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n => (values[(n - 1) / 2] + values[n / 2]) / 2.0,
    }
}

/// Lets the contenders take turns, `rounds` times in their order; `turn` runs one and returns its seconds.
///
/// # Errors
/// The first of `turn`.
pub fn take_turns<C, E>(
    contenders: &mut [C],
    rounds: usize,
    mut turn: impl FnMut(&mut C) -> Result<f64, E>,
) -> Result<Vec<Times>, E> {
    let mut times = vec![Times::default(); contenders.len()];
    for _ in 0..rounds {
        for (contender, times) in contenders.iter_mut().zip(&mut times) {
            sleep(PAUSE);
            times.0.push(turn(contender)?);
        }
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_paired() {
        // The machine slows down fourfold; in each round the first takes twice as long.
        let speed = [1.0, 1.0, 4.0, 4.0];
        let mut contenders = [(2.0, speed.iter()), (1.0, speed.iter())];
        let turn = |(work, speed): &mut (f64, std::slice::Iter<'_, f64>)| {
            speed.next().map(|speed| *work * speed).ok_or("a fifth round")
        };
        let times = take_turns(&mut contenders, 4, turn).unwrap();
        assert_eq!(times[1], Times(speed.to_vec()));
        assert_eq!((times[0].median(), times[0].spread()), (5.0, [2.0, 8.0]));
        assert_eq!(times[0].ratio(&times[1]), 2.0);
        assert_eq!(take_turns(&mut contenders, 1, turn), Err("a fifth round"));
    }
}
