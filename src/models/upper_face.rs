//! The upper half of a face, which a mask leaves free, in pictures that dlib's network takes: bytes of RGB, row by row.
//!
//! Whatever a mask looks like, the network takes it for a part of the face. So all that a mask may cover is painted over
//! with skin, of masked faces and of the bare ones that they are compared with: then no mask is left to differ.

use std::ops::Range;

use super::FacePlacement;

/// Height and width of a picture.
const SIZE: usize = FacePlacement::Dlib.size();

/// Where the forehead, the eyes and the upper cheeks are: rows, then columns.
const SKIN: [Range<usize>; 2] = [20..64, 35..115];
/// The part of it around the eyes, whose skin lies in about the same light as that of nose and mouth.
const EYES: [Range<usize>; 2] = [30..62, 50..100];
/// Nose and mouth.
const MOUTH: [Range<usize>; 2] = [70..100, 54..94];

/// How much nose and mouth differ in colour from the skin about the eyes if a mask covers them: more than this on 95 % of 61
/// faces in real masks, and on 2 % of 520 bare ones.
const DIFFERENT: f32 = 0.5;
/// By how much a difference in hue counts more than one in brightness, which shadows make too.
const HUE: f32 = 3.0;
/// What is added to a colour before its logarithm is taken, as in the dark a little is no difference.
const DARK: f32 = 20.0;

/// By how much the upper half counts more than the whole face if a mask covers a part of that.
pub(crate) const UPPER: f32 = 2.0;

/// Whether a mask seems to cover nose and mouth: their colour is not that of the skin about the eyes. In a photo without
/// colours only much lighter and darker masks are found.
pub(crate) fn looks_masked(picture: &[u8]) -> bool {
    let log = |area| median(picture, area).map(|value| (f32::from(value) + DARK).ln());
    let (eyes, mouth) = (log(&EYES), log(&MOUTH));
    let off: [f32; 3] = std::array::from_fn(|channel| mouth[channel] - eyes[channel]);
    let brightness = off.iter().sum::<f32>() / 3.0;
    let hue = off.iter().map(|off| (off - brightness).powi(2)).sum::<f32>().sqrt();
    (HUE * hue).hypot(brightness) > DIFFERENT
}

/// The picture with skin in place of all that a mask may cover.
pub(crate) fn without_lower_half(picture: &[u8]) -> Vec<u8> {
    let skin = median(picture, &SKIN);
    let pixel = |(index, pixel): (usize, &[u8])| match is_lower(index / SIZE, index % SIZE) {
        true => skin,
        false => [pixel[0], pixel[1], pixel[2]],
    };
    picture.chunks_exact(3).enumerate().flat_map(pixel).collect()
}

/// Whether a mask may cover this pixel: it lies within the oval of a face, and below a line that hangs from the ears
/// to the bridge of the nose.
fn is_lower(row: usize, column: usize) -> bool {
    // The middle of the eyes is at (74, 47.1).
    let [x, y] = [column as f32 + 0.5 - 74.0, row as f32 + 0.5];
    let line = 64.0 + 16.0 * (x / 50.0).powi(2);
    y >= line && (x / 58.0).hypot((y - 64.0) / 85.0) < 1.0
}

/// The median of each channel over some rows and columns.
fn median(picture: &[u8], [rows, columns]: &[Range<usize>; 2]) -> [u8; 3] {
    std::array::from_fn(|channel| {
        let row =
            |row: usize| columns.clone().map(move |column| picture[(row * SIZE + column) * 3 + channel]);
        let mut values: Vec<u8> = rows.clone().flat_map(row).collect();
        let middle = values.len() / 2;
        *values.select_nth_unstable(middle).1
    })
}

/// Features of a masked face: those of the whole face and those [without its lower half](without_lower_half), such that the
/// cosine between two of them is the weighted mean of the cosines between their parts.
pub(super) fn masked_features(whole: &[f32], upper: &[f32]) -> Vec<f32> {
    let part = |features: &[f32], weight: f32| -> Vec<f32> {
        let length = features.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        features.iter().map(|x| weight.sqrt() * x / length).collect()
    };
    [part(whole, 1.0), part(upper, UPPER)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    /// A face of skin with something of another colour below the eyes, darker to the left as faces in light from the right.
    fn face(skin: [u8; 3], lower: [u8; 3]) -> Vec<u8> {
        let shade = |value: u8, column: usize| (u32::from(value) * (200 + column as u32) / 350) as u8;
        let pixel = |index: usize| {
            let [row, column] = [index / SIZE, index % SIZE];
            let colour = if row < 66 { skin } else { lower };
            colour.map(|value| shade(value, column))
        };
        (0..SIZE * SIZE).flat_map(pixel).collect()
    }

    #[test]
    fn masks_are_told_from_beards_and_shadows_by_their_colour() {
        for skin in [[224, 180, 150], [150, 105, 80], [80, 55, 45]] {
            let times = |part: f32| skin.map(|value| (f32::from(value) * part) as u8);
            for bare in [skin, times(0.75), times(1.1)] {
                assert!(!looks_masked(&face(skin, bare)), "{skin:?}, {bare:?}");
            }
            for mask in [[150, 190, 215], [20, 20, 30], [40, 90, 60]] {
                assert!(looks_masked(&face(skin, mask)), "{skin:?}, {mask:?}");
            }
        }
    }

    #[test]
    fn what_a_mask_looks_like_does_not_matter() {
        let [blue, black] = [[150, 190, 215], [20, 20, 30]].map(|mask| face([180, 140, 120], mask));
        let different = |a: &[u8], b: &[u8]| a.iter().zip(b).filter(|(a, b)| a != b).count();
        let [blue_upper, black_upper] = [&blue, &black].map(|face| without_lower_half(face));
        // Beside the face's oval a photo has its background, not the mask.
        let background = |upper: &[u8]| (66..120).all(|row| upper[row * SIZE * 3] == blue[row * SIZE * 3]);
        assert!(background(&blue_upper));
        let [before, after] = [different(&blue, &black), different(&blue_upper, &black_upper)];
        assert!(after * 2 < before, "{after} of {before}");
        let at = |row: usize| (row * SIZE + 74) * 3;
        assert_eq!(blue_upper[at(100)..at(100) + 3], black_upper[at(100)..at(100) + 3]);
        assert_eq!(blue_upper[..at(64) - 74 * 3], blue[..at(64) - 74 * 3], "the upper half stays");
    }

    #[test]
    fn the_cosine_of_both_is_the_mean_of_the_cosines() {
        let cosine = |a: &[f32], b: &[f32]| {
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
        };
        let [a, b, c, d] = [[1.0, 2.0], [3.0, -1.0], [0.5, 0.1], [2.0, 2.0]];
        let found = cosine(&masked_features(&a, &b), &masked_features(&c, &d));
        assert_abs_diff_eq!(found, (cosine(&a, &c) + 2.0 * cosine(&b, &d)) / 3.0, epsilon = 1e-6);
    }
}
