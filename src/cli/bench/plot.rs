//! The roofline as a picture: work by its operations per byte, and by its operations per second.

use std::fmt::Write;

use lookalike::check::bench::{Point, Roof};
use lookalike::report::escaped;

use super::labels::{Area, place};
use crate::cli::display::quantity::{bytes, flops};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 520.0;
/// What the axes leave free.
const FRAME: Area = Area { x: 64.0, y: 16.0, width: WIDTH - 80.0, height: HEIGHT - 72.0 };
/// Colours of groups in the style; more groups begin again.
pub const COLOURS: usize = 6;
/// Room for a number of two or three digits.
const LABEL: [f64; 2] = [24.0, 15.0];

/// A point with its number in the table below, the group it belongs to, and its name.
#[derive(Clone, Debug)]
pub struct Dot {
    pub number: usize,
    pub group: usize,
    pub name: String,
    pub point: Point,
}

/// Logarithmic axes over whole decades.
struct Axes {
    x: [i32; 2],
    y: [i32; 2],
}

impl Axes {
    fn around(dots: &[Dot], roof: &Roof, half: Option<f64>) -> Axes {
        let decades = |values: &mut dyn Iterator<Item = f64>| {
            let logs: Vec<f64> = values.filter(|v| v.is_finite() && *v > 0.0).map(f64::log10).collect();
            let [low, high] = logs
                .iter()
                .fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], &log| [low.min(log), high.max(log)]);
            let low = low.floor() as i32;
            // A roof or a point on the frame would not be seen.
            [low, ((high + 0.05).ceil() as i32).max(low + 1)]
        };
        let intensities = dots.iter().map(|dot| dot.point.intensity());
        let rates = dots.iter().map(|dot| dot.point.flops_per_second());
        let x = decades(&mut intensities.chain([roof.ridge() / 3.0, roof.ridge() * 3.0]));
        let y = decades(&mut rates.chain([roof.compute]).chain(half));
        Axes { x, y }
    }

    fn at(&self, intensity: f64, rate: f64) -> [f64; 2] {
        let share =
            |value: f64, [low, high]: [i32; 2]| (value.log10() - f64::from(low)) / f64::from(high - low);
        [
            FRAME.x + FRAME.width * share(intensity, self.x),
            FRAME.y + FRAME.height * (1.0 - share(rate, self.y)),
        ]
    }

    /// Lines and numbers at the decades.
    fn draw(&self, svg: &mut String) {
        let (right, bottom) = (FRAME.x + FRAME.width, FRAME.y + FRAME.height);
        for decade in self.x[0]..=self.x[1] {
            let [x, _] = self.at(10f64.powi(decade), 1.0);
            let _ = writeln!(
                svg,
                r#"<line class="grid" x1="{x:.1}" y1="{}" x2="{x:.1}" y2="{bottom}"/>"#,
                FRAME.y
            );
            let text = power(decade);
            let _ =
                writeln!(svg, r#"<text x="{x:.1}" y="{}" text-anchor="middle">{text}</text>"#, bottom + 18.0);
        }
        for decade in self.y[0]..=self.y[1] {
            let [_, y] = self.at(1.0, 10f64.powi(decade));
            let _ = writeln!(
                svg,
                r#"<line class="grid" x1="{}" y1="{y:.1}" x2="{right}" y2="{y:.1}"/>"#,
                FRAME.x
            );
            let text = power(decade);
            let _ = writeln!(
                svg,
                r#"<text x="{}" y="{:.1}" text-anchor="end">{text}</text>"#,
                FRAME.x - 6.0,
                y + 4.0
            );
        }
        let middle = FRAME.x + FRAME.width / 2.0;
        let _ = writeln!(
            svg,
            r#"<text class="axis" x="{middle}" y="{}" text-anchor="middle">operations per byte</text>"#,
            bottom + 42.0
        );
        let across = FRAME.y + FRAME.height / 2.0;
        let _ = writeln!(
            svg,
            r#"<text class="axis" x="14" y="{across}" text-anchor="middle" transform="rotate(-90 14 {across})">operations per second</text>"#
        );
    }
}

/// A power of ten as a tick: `0.01`, `100`, `10 G`.
fn power(exponent: i32) -> String {
    const PREFIXES: [&str; 5] = ["", " k", " M", " G", " T"];
    match usize::try_from(exponent) {
        Err(_) => format!("{:.*}", exponent.unsigned_abs() as usize, 10f64.powi(exponent)),
        Ok(exponent) => {
            let prefix = (exponent / 3).min(PREFIXES.len() - 1);
            format!("1{}{}", "0".repeat(exponent - 3 * prefix), PREFIXES[prefix])
        }
    }
}

/// The plot, with the rate of f16 arithmetic where there is one. Dots of work without operations are left out: their place
/// would be at minus infinity.
pub fn plot(dots: &[Dot], roof: &Roof, half: Option<f64>) -> String {
    let is_seen = |dot: &&Dot| dot.point.flops > 0 && dot.point.bytes > 0 && dot.point.seconds > 0.0;
    let dots: Vec<Dot> = dots.iter().filter(is_seen).cloned().collect();
    let axes = Axes::around(&dots, roof, half);
    let mut svg = format!(
        r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Roofline plot; the table below holds its numbers">"#
    );
    svg.push('\n');
    let _ = writeln!(
        svg,
        r#"<clipPath id="frame"><rect x="{}" y="{}" width="{}" height="{}"/></clipPath>"#,
        FRAME.x, FRAME.y, FRAME.width, FRAME.height
    );
    axes.draw(&mut svg);
    draw_roof(&mut svg, &axes, roof);
    if let Some(half) = half {
        draw_half(&mut svg, &axes, &Roof { compute: half, ..*roof });
    }
    let places: Vec<[f64; 2]> =
        dots.iter().map(|dot| axes.at(dot.point.intensity(), dot.point.flops_per_second())).collect();
    let labels = place(&places, LABEL, FRAME);
    for ((dot, [x, y]), label) in dots.iter().zip(&places).zip(labels) {
        let Dot { number, group, name, .. } = dot;
        let group = group % COLOURS;
        let _ = writeln!(
            svg,
            r#"<circle class="dot g{group}" cx="{x:.1}" cy="{y:.1}" r="4.5"><title>{number}: {}</title></circle>"#,
            escaped(name)
        );
        if let Some(Area { x: left, y: top, width, height }) = label {
            let (cx, cy) = (left + width / 2.0, top + height / 2.0);
            let _ =
                writeln!(svg, r#"<line class="leader" x1="{x:.1}" y1="{y:.1}" x2="{cx:.1}" y2="{cy:.1}"/>"#);
            let _ = writeln!(
                svg,
                r#"<text class="number g{group}" x="{cx:.1}" y="{:.1}" text-anchor="middle">{number}</text>"#,
                cy + 5.0
            );
        }
    }
    svg + "</svg>"
}

fn draw_roof(svg: &mut String, axes: &Axes, roof: &Roof) {
    let corner = |intensity: f64| axes.at(intensity, roof.height(intensity));
    let [x0, y0] = corner(10f64.powi(axes.x[0]));
    let [x1, y1] = corner(roof.ridge());
    let [x2, y2] = corner(10f64.powi(axes.x[1]));
    let _ = writeln!(
        svg,
        r#"<polyline class="roof" clip-path="url(#frame)" points="{x0:.1},{y0:.1} {x1:.1},{y1:.1} {x2:.1},{y2:.1}"/>"#
    );
    let _ = writeln!(
        svg,
        r#"<text class="axis" x="{:.1}" y="{:.1}" text-anchor="end">{}FLOP/s</text>"#,
        x2 - 4.0,
        y2 - 6.0,
        spaced(&flops(roof.compute))
    );
    // Half-way up the slope that is seen.
    let seen = x0.max(x1 - (FRAME.y + FRAME.height - y1) * (x1 - x0) / (y0 - y1));
    let x = (seen + x1) / 2.0;
    let y = y1 + (y0 - y1) * (x1 - x) / (x1 - x0);
    let _ = writeln!(
        svg,
        r#"<text class="axis" x="{:.1}" y="{:.1}" text-anchor="end">{}/s</text>"#,
        x - 8.0,
        y - 4.0,
        bytes(roof.memory)
    );
}

/// The part of the roof of f16 arithmetic that lies above the other one, and its rate.
fn draw_half(svg: &mut String, axes: &Axes, roof: &Roof) {
    let [x1, y] = axes.at(roof.ridge(), roof.compute);
    let [x2, _] = axes.at(10f64.powi(axes.x[1]), roof.compute);
    let _ = writeln!(
        svg,
        r#"<polyline class="higher" clip-path="url(#frame)" points="{x1:.1},{y:.1} {x2:.1},{y:.1}"/>"#
    );
    let rate = spaced(&flops(roof.compute));
    let _ = writeln!(
        svg,
        r#"<text class="axis" x="{:.1}" y="{:.1}" text-anchor="end">{rate}FLOP/s in f16</text>"#,
        x2 - 4.0,
        y - 6.0
    );
}

/// A number and its prefix, with the space that a prefix is written after.
fn spaced(number: &str) -> String {
    if number.contains(' ') { number.into() } else { format!("{number} ") }
}

#[cfg(test)]
mod tests {
    use super::power;

    #[test]
    fn ticks_are_short() {
        assert_eq!(
            [-2, 0, 1, 3, 5, 11, 16].map(power),
            ["0.01", "1", "10", "1 k", "100 k", "100 G", "10000 T"]
        );
    }
}
