//! Learning curves in letters.

use lookalike::train::{Epoch, StepReport};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Chart, Dataset, GraphType};

use super::view::View;

/// Fewest epochs that an axis shows, so that the first ones do not jump about.
const LEAST_EPOCHS: f64 = 4.0;

/// Two curves that share their axes.
pub struct Curves {
    what: &'static str,
    training: Vec<(f64, f64)>,
    validation: Vec<(f64, f64)>,
    /// Ends of the values' axis.
    bounds: [f64; 2],
    /// Last epoch of the other axis.
    last: f64,
    shown: fn(f64) -> String,
    leaky: bool,
}

impl Curves {
    /// Loss, until now.
    pub fn loss(view: &View) -> Curves {
        let shown = |loss: f64| format!("{loss:.4}");
        let mut curves =
            Curves::of(view, "loss", |epoch| (epoch.loss, epoch.val_loss), |step| step.loss, shown);
        let points = curves.training.iter().chain(&curves.validation);
        let [low, top] =
            points.fold([f64::INFINITY, 1e-3], |[low, top], point| [point.1.min(low), point.1.max(top)]);
        // From nothing, but where the curves would lie in the upper half then.
        let low = if low.is_finite() && 2.0 * low > top { low - (top - low).max(0.1 * top) } else { 0.0 };
        curves.bounds = [low.max(0.0), top + 0.05 * (top - low)];
        curves
    }

    /// Accuracy, until now.
    pub fn accuracy(view: &View) -> Curves {
        let shown = |accuracy: f64| format!("{:.1} %", 100.0 * accuracy);
        let values = |epoch: &Epoch| (epoch.accuracy, epoch.val_accuracy);
        Curves { bounds: [0.0, 1.0], ..Curves::of(view, "accuracy", values, |step| step.accuracy, shown) }
    }

    fn of(
        view: &View,
        what: &'static str,
        values: fn(&Epoch) -> (f64, f64),
        running: fn(&StepReport) -> Option<f64>,
        shown: fn(f64) -> String,
    ) -> Curves {
        let at = |epoch: &Epoch| epoch.number as f64;
        let mut training: Vec<_> = view.epochs.iter().map(|epoch| (at(epoch), values(epoch).0)).collect();
        let mut validation: Vec<_> = view.epochs.iter().map(|epoch| (at(epoch), values(epoch).1)).collect();
        if let Some(step) = view.step() {
            let place = step.epoch as f64 - 1.0 + step.done as f64 / step.all.max(1) as f64;
            training.extend(running(&step).map(|value| (place, value)));
        }
        // A loss that is no number ends the run, not the display.
        for points in [&mut training, &mut validation] {
            points.retain(|point| point.1.is_finite());
        }
        let last = LEAST_EPOCHS.max(view.epoch() as f64);
        Curves { what, training, validation, bounds: [0.0, 1.0], last, shown, leaky: view.about.leaky }
    }

    /// The chart, for so many columns. Training is a line, validation are dots: no colour is needed to tell them apart.
    pub fn chart(&self, width: u16, colours: bool) -> Chart<'_> {
        let style = |colour| if colours { Style::new().fg(colour) } else { Style::new() };
        let (training, validation) = (style(Color::Cyan), style(Color::Magenta));
        let dim = Style::new().add_modifier(Modifier::DIM);
        let title = self.title(usize::from(width), training, validation);
        let line = Dataset::default()
            // Finer marks are missing in many fonts.
            .marker(Marker::Quadrant)
            .graph_type(GraphType::Line)
            .style(training)
            .data(&self.training);
        let dots = Dataset::default()
            .marker(Marker::Dot)
            .graph_type(GraphType::Scatter)
            .style(validation)
            .data(&self.validation);
        let middle = self.last / 2.0;
        let label = |epoch: f64| match epoch.fract() {
            0.0 => format!("{epoch}"),
            _ => format!("{epoch:.1}"),
        };
        let labels = [label(0.0), label(middle), format!("epoch {}", label(self.last))];
        let short = |value: f64| match self.what {
            "accuracy" => format!("{:.0} %", 100.0 * value),
            _ => format!("{value:.2}"),
        };
        let [low, top] = self.bounds;
        let values = [low, (low + top) / 2.0, top].map(short);
        Chart::new(vec![line, dots])
            .block(Block::bordered().border_style(dim).title(title))
            .legend_position(None)
            .x_axis(Axis::default().style(dim).bounds([0.0, self.last]).labels(labels))
            .y_axis(Axis::default().style(dim).bounds(self.bounds).labels(values))
    }

    /// What is shown, and its last values, with words as long as there is room for.
    fn title(&self, width: usize, training: Style, validation: Style) -> Line<'static> {
        let value = |points: &[(f64, f64)]| points.last().map_or(String::new(), |last| (self.shown)(last.1));
        let (train, val) = (value(&self.training), value(&self.validation));
        let leaky = if self.leaky { "LEAKY " } else { "" };
        let with = |words: [&str; 2]| {
            Line::from(vec![
                Span::from(format!(" {}  ", self.what)),
                Span::styled(format!("─ {} {train}", words[0]), training),
                Span::from("  "),
                Span::styled(format!("• {leaky}{} {val} ", words[1]), validation),
            ])
        };
        let long = with(["training", "validation"]);
        // The frame's corners.
        if long.width() + 2 <= width { long } else { with(["train", "val"]) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::{epoch, view};
    use super::*;
    use lookalike::train::Event;

    #[test]
    fn a_curve_grows_within_the_epoch() {
        let curves = Curves::loss(&view(3));
        assert_eq!(curves.training.len(), 4);
        assert_eq!(curves.training[3], (3.5, 0.4));
        assert_eq!((curves.validation.len(), curves.last), (3, 4.0));
        assert!(curves.bounds[1] > curves.validation[0].1 && curves.bounds[0] == 0.0);
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        let mut view = view(3);
        view.event(&Event::Epoch(&Epoch { loss: f64::NAN, val_loss: f64::INFINITY, ..epoch(4) }), 40.0);
        let curves = Curves::loss(&view);
        assert_eq!((curves.training.len(), curves.validation.len()), (3, 3));
        assert!(curves.bounds.iter().all(|bound| bound.is_finite()));
    }
    #[test]
    fn curves_that_hardly_fall_fill_the_chart() {
        let mut view = view(0);
        view.event(&Event::Epoch(&Epoch { loss: 3.8, val_loss: 3.6, ..epoch(1) }), 10.0);
        let [low, top] = Curves::loss(&view).bounds;
        assert!((3.0..3.6).contains(&low) && (3.8..4.0).contains(&top), "{low} to {top}");
    }
}
