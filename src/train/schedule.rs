//! Learning rates that change during a run.

use std::f64::consts::PI;

/// How the learning rate falls after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Decay {
    /// It stays.
    #[default]
    Constant,
    /// To `least` of itself at the end of the last epoch, along half a cosine (Loshchilov, Hutter, "SGDR", ICLR 2017,
    /// without restarts; `keras.optimizers.schedules.CosineDecay` with `alpha = least`).
    Cosine {
        /// Share of the rate at the end, in `[0, 1]`.
        least: f64,
    },
    /// By `factor` whenever the validation loss has not fallen for `patience` epochs
    /// (`keras.callbacks.ReduceLROnPlateau` without cooldown).
    Plateau {
        /// What the rate is multiplied by, between 0 and 1. Keras: 0.1.
        factor: f64,
        /// Epochs without a lower loss.
        patience: usize,
        /// Share of the first rate below which it does not fall.
        least: f64,
    },
}

/// How the learning rate changes during a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Schedule {
    /// Epochs in which the rate rises evenly from 0 (Goyal et al., arXiv:1706.02677).
    pub warm_up: f64,
    /// What follows.
    pub decay: Decay,
}

/// Where a run is in its schedule.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    schedule: Schedule,
    /// Epochs of the whole run.
    epochs: f64,
    /// Product of the plateaus' factors.
    plateaus: f64,
    lowest_loss: f64,
    waited: usize,
}

impl Pace {
    pub fn new(schedule: Schedule, epochs: usize) -> Pace {
        Pace { schedule, epochs: epochs as f64, plateaus: 1.0, lowest_loss: f64::INFINITY, waited: 0 }
    }

    /// What the learning rate is multiplied by in a step, `done` epochs after the start: the share of an epoch that
    /// is behind it at the step's end, so that the first step of a warm-up is not lost.
    pub fn factor(&self, done: f64) -> f64 {
        let Schedule { warm_up, decay } = self.schedule;
        if done < warm_up {
            return done / warm_up;
        }
        match decay {
            Decay::Constant => 1.0,
            Decay::Cosine { least } => {
                let rest = (self.epochs - warm_up).max(f64::MIN_POSITIVE);
                let part = ((done - warm_up) / rest).clamp(0.0, 1.0);
                least + (1.0 - least) * 0.5 * (1.0 + (PI * part).cos())
            }
            Decay::Plateau { .. } => self.plateaus,
        }
    }

    /// Takes note of an epoch's validation loss.
    pub fn observe(&mut self, val_loss: f64) {
        let Decay::Plateau { factor, patience, least } = self.schedule.decay else { return };
        if val_loss < self.lowest_loss {
            (self.lowest_loss, self.waited) = (val_loss, 0);
            return;
        }
        self.waited += 1;
        if self.waited >= patience {
            self.plateaus = (self.plateaus * factor).max(least);
            self.waited = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    #[test]
    fn a_warm_up_rises_evenly_to_the_whole_rate() {
        let pace = Pace::new(Schedule { warm_up: 2.0, decay: Decay::Constant }, 10);
        for (done, factor) in [(0.1, 0.05), (1.0, 0.5), (2.0, 1.0), (9.0, 1.0)] {
            assert_abs_diff_eq!(pace.factor(done), factor);
        }
    }

    #[test]
    fn a_cosine_is_keras_s() {
        // keras.optimizers.schedules.CosineDecay(1.0, 8, alpha=0.1) at 0, 2, 4, 6 and 8, two epochs later.
        let pace = Pace::new(Schedule { warm_up: 2.0, decay: Decay::Cosine { least: 0.1 } }, 10);
        for (done, factor) in [(2.0, 1.0), (4.0, 0.868_198), (6.0, 0.55), (8.0, 0.231_802), (10.0, 0.1)] {
            assert_abs_diff_eq!(pace.factor(done), factor, epsilon = 1e-6);
        }
    }

    #[test]
    fn a_plateau_lowers_the_rate_to_a_bound() {
        let decay = Decay::Plateau { factor: 0.5, patience: 2, least: 0.2 };
        let mut pace = Pace::new(Schedule { warm_up: 0.0, decay }, 100);
        let losses = [1.0, 0.9, 0.9, 0.95, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8];
        let factors = [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2, 0.2];
        for (loss, factor) in losses.into_iter().zip(factors) {
            pace.observe(loss);
            assert_abs_diff_eq!(pace.factor(50.0), factor);
        }
    }
}
