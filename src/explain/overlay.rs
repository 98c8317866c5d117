//! Heat as colours over a picture.

use super::HeatMap;
use crate::vision::RgbImage;

/// Matplotlib's colour map `inferno` at equal distances (Nathaniel Smith, Stéfan van der Walt, Eric Firing; CC0): to the eye
/// equal steps of heat are equal steps of colour, in print without colours too.
const INFERNO: [[u8; 3]; 17] = [
    [0, 0, 4],
    [11, 7, 36],
    [33, 12, 74],
    [61, 9, 101],
    [87, 16, 110],
    [113, 25, 110],
    [138, 34, 106],
    [163, 44, 97],
    [188, 55, 84],
    [210, 70, 68],
    [228, 90, 49],
    [241, 115, 29],
    [249, 142, 9],
    [252, 172, 17],
    [249, 203, 53],
    [242, 234, 105],
    [252, 255, 164],
];

/// How much of an overlay is heat; the rest is the picture.
const HEAT: f32 = 0.6;

/// The picture in greys, under the colours of its heat: black where nothing counts, yellow where the map has its peak. Its own
/// colours would be mistaken for heat.
///
/// # Panics
/// If the picture and the map differ in size.
pub fn overlay(picture: &RgbImage, heat: &HeatMap) -> RgbImage {
    assert_eq!(
        (picture.width(), picture.height()),
        (heat.width(), heat.height()),
        "a map of another picture"
    );
    let peak = heat.peak().max(f32::MIN_POSITIVE);
    let pixels = picture.pixels().as_chunks::<3>().0.iter().zip(heat.values());
    let mixed = pixels.flat_map(|(&[red, green, blue], heat)| {
        // Rec. 601, as JPEG has it.
        let grey = 0.299 * f32::from(red) + 0.587 * f32::from(green) + 0.114 * f32::from(blue);
        colour(heat / peak).map(|channel| (grey + (channel - grey) * HEAT).round() as u8)
    });
    RgbImage::new(picture.width(), picture.height(), mixed.collect()).expect("three bytes for each pixel")
}

/// A bar of all the colours, from nothing at the left to the peak at the right.
///
/// # Panics
/// If a side is zero.
pub fn legend(width: usize, height: usize) -> RgbImage {
    let last = (width - 1).max(1) as f32;
    let row: Vec<u8> =
        (0..width).flat_map(|x| colour(x as f32 / last).map(|channel| channel.round() as u8)).collect();
    RgbImage::new(width, height, row.repeat(height)).expect("three bytes for each pixel")
}

/// The colour of a share of the peak.
fn colour(share: f32) -> [f32; 3] {
    let last = INFERNO.len() - 1;
    let at = share.clamp(0.0, 1.0) * last as f32;
    let before = (at as usize).min(last - 1);
    std::array::from_fn(|channel| {
        let [from, to] = [before, before + 1].map(|stop| f32::from(INFERNO[stop][channel]));
        from + (to - from) * (at - before as f32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::Coarse;

    #[test]
    fn more_heat_is_lighter() {
        let bar = legend(64, 2);
        let luma = |x: usize| {
            bar.pixel(x, 1).iter().zip([299, 587, 114]).map(|(&c, w)| u32::from(c) * w).sum::<u32>()
        };
        assert!((1..64).all(|x| luma(x) > luma(x - 1)));
        assert_eq!((bar.pixel(0, 0), bar.pixel(63, 0)), (INFERNO[0], INFERNO[16]));
        assert_eq!(legend(1, 1).pixel(0, 0), INFERNO[0]);
    }

    #[test]
    fn the_peak_is_brightest_and_a_cold_map_is_dark() {
        let grey = RgbImage::filled(4, 2, [100; 3]);
        let map = |right: f32| Coarse::of_parts(vec![0.0, right], 2, [4, 2]).spread(4, 2);
        let hot = overlay(&grey, &map(1e-3));
        assert!(hot.pixel(3, 1)[0] > 180 && hot.pixel(0, 1)[0] < 60, "{:?}", hot.pixels());
        let cold = overlay(&grey, &map(0.0));
        assert_eq!(cold.pixel(3, 1), cold.pixel(0, 0));
    }
}
