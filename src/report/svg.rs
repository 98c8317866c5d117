//! A drawing as SVG: in a page, whose style it follows, or as a file of its own.

use std::fmt::Write;

use super::drawing::{Drawing, Mark, Side, Tone};
use super::html::escaped;

/// What the classes of a drawing look like, on light and on dark paper.
pub(super) const STYLE: &str = include_str!("chart.css");

impl Drawing {
    /// As a file, which follows its reader's choice of light or dark.
    pub fn svg(&self) -> String {
        let Drawing { width, height, .. } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" {}\n\
             <style>\n{STYLE}</style>\n<rect class=\"paper\" width=\"100%\" height=\"100%\" fill=\"currentColor\"/>\n{}</svg>\n",
            self.opening(),
            self.marks()
        )
    }

    /// As a part of a page that holds [`STYLE`].
    pub(super) fn inline(&self) -> String {
        let Drawing { width, .. } = self;
        format!(
            "<svg class=\"chart\" style=\"--width:{width:.0}px\" {}\n{}</svg>\n",
            self.opening(),
            self.marks()
        )
    }

    fn opening(&self) -> String {
        let Drawing { width, height, alt, .. } = self;
        format!("viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{}\">", escaped(alt))
    }

    fn marks(&self) -> String {
        let mut svg = String::new();
        self.marks.iter().for_each(|mark| add(&mut svg, mark));
        svg
    }
}

fn add(svg: &mut String, mark: &Mark) {
    let titled = |note: &str| match note {
        "" => String::new(),
        note => format!("<title>{}</title>", escaped(note)),
    };
    // Writing to a string does not fail.
    let _ = match mark {
        Mark::Area { corner: [x, y], size: [width, height], tone, note } => {
            let opacity = match tone {
                Tone::Shade(share) => format!(" fill-opacity=\"{:.3}\"", Tone::strength(*share)),
                _ => String::new(),
            };
            writeln!(
                svg,
                "<rect class=\"{}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
                 fill=\"currentColor\"{opacity}>{}</rect>",
                class(*tone),
                titled(note)
            )
        }
        Mark::Line { points, tone, width, dashed } => {
            let points: Vec<String> = points.iter().map(|[x, y]| format!("{x:.1},{y:.1}")).collect();
            let dashes = if *dashed { " stroke-dasharray=\"5 4\"" } else { "" };
            writeln!(
                svg,
                "<polyline class=\"{}\" points=\"{}\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"{width}\"{dashes}/>",
                class(*tone),
                points.join(" ")
            )
        }
        Mark::Dot { at: [x, y], radius, tone, note } => writeln!(
            svg,
            "<circle class=\"{}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\" fill=\"currentColor\">{}</circle>",
            class(*tone),
            titled(note)
        ),
        Mark::Words { at: [x, y], text, size, tone, side, upwards } => {
            let anchor = match side {
                Side::Start => "start",
                Side::Middle => "middle",
                Side::End => "end",
            };
            let turned =
                if *upwards { format!(" transform=\"rotate(-90 {x:.1} {y:.1})\"") } else { String::new() };
            writeln!(
                svg,
                "<text class=\"{}\" x=\"{x:.1}\" y=\"{:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\" \
                 fill=\"currentColor\"{turned}>{}</text>",
                class(*tone),
                // From the middle of small letters and capitals to the line that they stand on.
                y + 0.35 * size,
                escaped(text)
            )
        }
    };
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Ink => "ink",
        Tone::Faint => "faint",
        Tone::Grid => "grid",
        Tone::First => "first",
        Tone::Second => "second",
        Tone::Shade(_) => "shade",
        Tone::OnShade(share) if Tone::is_strong(share) => "paper",
        Tone::OnShade(_) => "ink",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_well_formed_whatever_names_hold() {
        let mut drawing = Drawing::new(100.0, 50.0, "\"quoted\" & <more>");
        drawing.area([1.0, 2.0], [3.0, 4.0], Tone::Shade(0.25), "a < b");
        drawing.dashes([[0.0, 0.0], [9.0, 9.0]], Tone::Faint);
        drawing.dot([5.0, 5.0], 2.0, Tone::First, "");
        for name in ["<script>alert(1)</script>", "\u{1b}[0m", "עדה", "😀", "]]>"] {
            drawing.words([1.0, 1.0], name, 12.0, Tone::OnShade(1.0), Side::End);
            drawing.words_upwards([1.0, 1.0], name, 12.0, Tone::OnShade(0.0), Side::Middle);
        }
        let svg = drawing.svg();
        let document = roxmltree::Document::parse(&svg).unwrap_or_else(|e| panic!("{e}\n{svg}"));
        let root = document.root_element();
        assert_eq!(root.attribute("aria-label"), Some("\"quoted\" & <more>"));
        let texts: Vec<&str> =
            document.descendants().filter(|n| n.has_tag_name("text")).filter_map(|n| n.text()).collect();
        assert_eq!(texts.len(), 10);
        assert_eq!((texts[0], texts[4]), ("<script>alert(1)</script>", "עדה"));
        assert!(svg.contains("fill-opacity=\"0.500\"") && svg.contains("<title>a &lt; b</title>"));
        assert!(!svg.contains("script>") && !drawing.inline().contains("xmlns"));
        // All tones that the marks name are described.
        for class in ["ink", "faint", "grid", "first", "second", "shade", "paper"] {
            assert!(STYLE.contains(&format!(".{class} {{")), "{class}");
        }
    }
}
