//! Early stopping and the choice of the best epoch.

use super::Epoch;

/// Watches the validation figures: stops when the loss no longer falls, remembers the most accurate epoch.
#[derive(Clone, Debug)]
pub struct Monitor {
    patience: usize,
    lowest_loss: f64,
    waited: usize,
    best: Option<(f64, f64)>,
}

impl Monitor {
    /// Stops after `patience` epochs without a lower validation loss, as Keras's `EarlyStopping`.
    pub fn new(patience: usize) -> Monitor {
        Monitor { patience, lowest_loss: f64::INFINITY, waited: 0, best: None }
    }

    /// Takes note of an epoch; tells whether it is the best so far: of higher validation accuracy, or of equal
    /// accuracy and lower loss.
    pub fn observe(&mut self, epoch: &Epoch) -> bool {
        if epoch.val_loss < self.lowest_loss {
            self.lowest_loss = epoch.val_loss;
            self.waited = 0;
        } else {
            self.waited += 1;
        }
        let better = self.best.is_none_or(|(accuracy, loss)| {
            epoch.val_accuracy > accuracy || (epoch.val_accuracy == accuracy && epoch.val_loss < loss)
        });
        if better {
            self.best = Some((epoch.val_accuracy, epoch.val_loss));
        }
        better
    }

    /// Whether to stop.
    pub fn is_done(&self) -> bool {
        self.waited >= self.patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(val_loss: f64, val_accuracy: f64) -> Epoch {
        let rate = 1e-3;
        Epoch {
            number: 1,
            loss: 1.0,
            accuracy: 0.5,
            val_loss,
            val_accuracy,
            rate,
            seconds: 1.0,
            pictures_per_second: 1.0,
        }
    }

    #[test]
    fn stops_when_the_loss_no_longer_falls() {
        let mut monitor = Monitor::new(2);
        for (loss, done) in
            [(1.0, false), (0.9, false), (0.95, false), (0.8, false), (0.8, false), (0.9, true)]
        {
            monitor.observe(&epoch(loss, 0.5));
            assert_eq!(monitor.is_done(), done, "at {loss}");
        }
    }

    #[test]
    fn the_best_epoch_is_the_most_accurate_then_the_surest() {
        let mut monitor = Monitor::new(9);
        let seen =
            [(1.0, 0.5, true), (0.5, 0.4, false), (0.9, 0.5, true), (0.9, 0.5, false), (2.0, 0.6, true)];
        for (loss, accuracy, best) in seen {
            assert_eq!(monitor.observe(&epoch(loss, accuracy)), best);
        }
    }
}
