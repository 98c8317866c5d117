//! What a picture consists of. How it is written, as SVG or in pixels, stands elsewhere: both show the same marks.

/// A picture of lines, areas, dots and words. Lengths are pixels of a screen at its usual size.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawing {
    pub(super) width: f64,
    pub(super) height: f64,
    /// What it shows, for who cannot see it.
    pub(super) alt: String,
    pub(super) marks: Vec<Mark>,
}

/// What can be drawn; positions are `[x, y]` from the top left.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mark {
    /// A filled rectangle; the note is shown when it is pointed at.
    Area { corner: [f64; 2], size: [f64; 2], tone: Tone, note: String },
    /// Straight lines from point to point.
    Line { points: Vec<[f64; 2]>, tone: Tone, width: f64, dashed: bool },
    /// A filled circle, with a note.
    Dot { at: [f64; 2], radius: f64, tone: Tone, note: String },
    /// A line of words, whose middle is as high as `at`.
    Words { at: [f64; 2], text: String, size: f64, tone: Tone, side: Side, upwards: bool },
}

/// What a colour is for; which it is depends on whether the page is light or dark.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Tone {
    /// Letters and lines that matter.
    Ink,
    /// Letters and lines that matter less.
    Faint,
    /// Lines behind the others.
    Grid,
    /// The first of two things.
    First,
    /// The second.
    Second,
    /// A share, from 0, which is the paper, to 1.
    Shade(f64),
    /// Letters on such a shade.
    OnShade(f64),
}

/// Which end of its words a position means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Start,
    Middle,
    End,
}

impl Tone {
    /// How strongly a share is shaded: more than in proportion, so that one in a hundred is seen.
    pub fn strength(share: f64) -> f64 {
        share.clamp(0.0, 1.0).sqrt()
    }

    /// Whether letters on it have the colour of the paper: where these are read better than those of ink.
    pub fn is_strong(share: f64) -> bool {
        Tone::strength(share) > 0.63
    }
}

impl Drawing {
    pub(super) fn new(width: f64, height: f64, alt: impl Into<String>) -> Drawing {
        Drawing { width, height, alt: alt.into(), marks: Vec::new() }
    }

    /// Several drawings side by side.
    pub fn beside(drawings: &[Drawing]) -> Drawing {
        let width = drawings.iter().map(|drawing| drawing.width).sum();
        let height = drawings.iter().map(|drawing| drawing.height).fold(0.0, f64::max);
        let alt: Vec<&str> = drawings.iter().map(|drawing| drawing.alt.as_str()).collect();
        let mut all = Drawing::new(width, height, alt.join(" "));
        let mut left = 0.0;
        for drawing in drawings {
            all.marks.extend(drawing.marks.iter().map(|mark| mark.moved(left)));
            left += drawing.width;
        }
        all
    }

    pub(super) fn area(&mut self, corner: [f64; 2], size: [f64; 2], tone: Tone, note: impl Into<String>) {
        self.marks.push(Mark::Area { corner, size, tone, note: note.into() });
    }

    pub(super) fn line(&mut self, points: impl Into<Vec<[f64; 2]>>, tone: Tone, width: f64) {
        self.marks.push(Mark::Line { points: points.into(), tone, width, dashed: false });
    }

    pub(super) fn dashes(&mut self, ends: [[f64; 2]; 2], tone: Tone) {
        self.marks.push(Mark::Line { points: ends.into(), tone, width: 1.0, dashed: true });
    }

    pub(super) fn dot(&mut self, at: [f64; 2], radius: f64, tone: Tone, note: impl Into<String>) {
        self.marks.push(Mark::Dot { at, radius, tone, note: note.into() });
    }

    pub(super) fn words(&mut self, at: [f64; 2], text: impl Into<String>, size: f64, tone: Tone, side: Side) {
        self.marks.push(Mark::Words { at, text: text.into(), size, tone, side, upwards: false });
    }

    pub(super) fn words_upwards(
        &mut self,
        at: [f64; 2],
        text: impl Into<String>,
        size: f64,
        tone: Tone,
        side: Side,
    ) {
        self.marks.push(Mark::Words { at, text: text.into(), size, tone, side, upwards: true });
    }
}

impl Mark {
    fn moved(&self, right: f64) -> Mark {
        let mut mark = self.clone();
        match &mut mark {
            Mark::Area { corner: at, .. } | Mark::Dot { at, .. } | Mark::Words { at, .. } => at[0] += right,
            Mark::Line { points, .. } => points.iter_mut().for_each(|point| point[0] += right),
        }
        mark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawings_stand_beside_each_other() {
        let mut one = Drawing::new(30.0, 20.0, "One.");
        one.dot([3.0, 4.0], 1.0, Tone::Ink, "");
        let mut two = Drawing::new(10.0, 40.0, "Two.");
        two.line([[1.0, 2.0], [3.0, 4.0]], Tone::Ink, 1.0);
        let both = Drawing::beside(&[one.clone(), two]);
        assert_eq!((both.width, both.height, both.alt.as_str()), (40.0, 40.0, "One. Two."));
        assert_eq!(both.marks[0], one.marks[0]);
        assert!(
            matches!(&both.marks[1], Mark::Line { points, .. } if points[..] == [[31.0, 2.0], [33.0, 4.0]])
        );
    }
}
