//! Learning curves as a picture: training and validation, epoch by epoch.

use plotters::chart::{ChartBuilder, SeriesLabelPosition};
use plotters::prelude::{LineSeries, PathElement, RGBColor, Text};
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{BLUE, FAINT, INK, ORANGE, PAPER, Sheet, failed, letters, picture};
use crate::vision::RgbImage;
use crate::{Error, Result};

/// A line: one value an epoch, from epoch 1.
#[derive(Clone, Copy, Debug)]
pub struct Curve<'a> {
    /// What the legend calls it.
    pub name: &'a str,
    /// Its values.
    pub values: &'a [f64],
}

/// Two lines that share their axes.
#[derive(Clone, Copy, Debug)]
pub struct Panel<'a> {
    /// What is shown.
    pub title: &'a str,
    /// While training.
    pub training: Curve<'a>,
    /// After the epoch, on pictures that are not trained on.
    pub validation: Curve<'a>,
    /// Upper end of the axis, where the values have one; else it follows the values.
    pub top: Option<f64>,
}

const PANEL: (u32, u32) = (560, 400);

/// Draws the panels side by side, and a line at `best_epoch`, counted from 1.
///
/// # Errors
/// [`Error::Input`] if there is no panel or no epoch.
pub fn curves(panels: &[Panel<'_>], best_epoch: usize) -> Result<RgbImage> {
    if panels.is_empty() || panels.iter().any(|panel| panel.training.values.is_empty()) {
        return Err(Error::Input("learning curves need at least one epoch".into()));
    }
    picture((PANEL.0 * panels.len() as u32, PANEL.1), |sheet| {
        let areas = sheet.split_evenly((1, panels.len()));
        areas.iter().zip(panels).try_for_each(|(area, panel)| draw(area, panel, best_epoch))
    })
}

fn draw(area: &Sheet<'_>, panel: &Panel<'_>, best_epoch: usize) -> Result<()> {
    let Panel { training, validation, .. } = *panel;
    let finite = |values: &[f64]| values.iter().copied().filter(|v| v.is_finite()).fold(0.0, f64::max);
    let top = panel.top.unwrap_or_else(|| 1.05 * finite(training.values).max(finite(validation.values)));
    let top = if top > 0.0 { top } else { 1.0 };
    let last = training.values.len().max(2) as f64;
    let small = letters(14.0, INK, HPos::Center, VPos::Center);
    let mut chart = ChartBuilder::on(area)
        .caption(panel.title, letters(18.0, INK, HPos::Left, VPos::Top))
        .margin(16)
        .x_label_area_size(40)
        .y_label_area_size(48)
        .build_cartesian_2d(1.0..last, 0.0..top)
        .map_err(failed)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(PAPER)
        .bold_line_style(FAINT)
        .axis_style(INK)
        .label_style(small.clone())
        .x_desc("epoch")
        .x_labels(last.min(10.0) as usize)
        .x_label_formatter(&|epoch| format!("{epoch:.0}"))
        .y_labels(6)
        .draw()
        .map_err(failed)?;
    let best = best_epoch as f64;
    let mark = PathElement::new([(best, 0.0), (best, top)], INK.mix(0.5).stroke_width(1));
    chart.draw_series([mark]).map_err(failed)?;
    let side = if best > 0.5 * last { HPos::Right } else { HPos::Left };
    let rising = panel.top.is_some();
    // Where the legend is not.
    let height = if rising { 0.3 } else { 0.01 } * top;
    let note =
        Text::new(format!(" best: {best_epoch} "), (best, height), letters(13.0, INK, side, VPos::Bottom));
    chart.draw_series([note]).map_err(failed)?;
    for (curve, colour) in [(training, BLUE), (validation, ORANGE)] {
        let points = curve.values.iter().enumerate().filter(|(_, value)| value.is_finite());
        let line = LineSeries::new(points.map(|(i, &value)| (i as f64 + 1.0, value)), stroke(colour));
        chart
            .draw_series(line)
            .map_err(failed)?
            .label(curve.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], stroke(colour)));
    }
    chart
        .configure_series_labels()
        .position(if rising { SeriesLabelPosition::LowerRight } else { SeriesLabelPosition::UpperRight })
        .background_style(PAPER.mix(0.8))
        .border_style(FAINT)
        .label_font(letters(14.0, INK, HPos::Left, VPos::Top))
        .draw()
        .map_err(failed)
}

fn stroke(colour: RGBColor) -> plotters::style::ShapeStyle {
    colour.stroke_width(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel<'a>(training: &'a [f64], validation: &'a [f64]) -> Panel<'a> {
        let line = |name, values| Curve { name, values };
        Panel {
            title: "loss",
            training: line("training", training),
            validation: line("validation", validation),
            top: None,
        }
    }

    #[test]
    fn both_lines_are_drawn_on_light_paper() {
        let image = curves(&[panel(&[2.0, 1.0, 0.5], &[2.1, 1.5, f64::NAN])], 2).unwrap();
        let pixels = image.pixels().as_chunks::<3>().0;
        let of = |colour: RGBColor| {
            pixels.iter().filter(|&&pixel| pixel == [colour.0, colour.1, colour.2]).count()
        };
        assert!(of(BLUE) > 100 && of(ORANGE) > 100, "{} and {} pixels", of(BLUE), of(ORANGE));
        assert!(of(PAPER) * 2 > pixels.len());
    }

    #[test]
    fn one_epoch_is_enough_and_none_is_not() {
        assert!(curves(&[panel(&[0.0], &[0.0])], 1).is_ok());
        assert!(curves(&[panel(&[], &[])], 1).is_err());
        assert!(curves(&[], 1).is_err());
    }
}
