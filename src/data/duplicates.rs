//! Which photos are the same or nearly: copies, other sizes and compressions, pictures of one burst.
//!
//! A photo's fingerprint is the field of brightness gradients of its 16 × 16 miniature, scaled to length one; two
//! photos are as far apart as one minus the cosine between their fingerprints. Gradients do not see brightness,
//! and the scaling does not see contrast. Copies (other size, JPEG quality, gamma) come out below 0.08 and cut by
//! 2 % at one corner around 0.07, while different photos start at 0.11 (one pair of tight head shots in celeb5),
//! 0.32 (lfw10) and 0.60 (people-small); in the laboratory series of ORL, those with the same pose are below.

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;

use super::dataset::Dataset;

/// Width and height of the miniature.
const CELLS: usize = 16;
/// Photos closer than this belong together.
const NEAR: f32 = 0.125;

/// What a picture looks like from afar.
#[derive(Clone, Debug, PartialEq)]
pub struct Fingerprint(Vec<f32>);

impl Fingerprint {
    /// The fingerprint of an RGB picture of `width` × `height` pixels.
    ///
    /// # Panics
    /// If `pixels` are not `width · height · 3` bytes, or none.
    pub fn new(pixels: &[u8], width: usize, height: usize) -> Fingerprint {
        assert_eq!(pixels.len(), width * height * 3, "bytes of an RGB picture of {width} x {height} pixels");
        let cells = miniature(pixels, width, height);
        let at = |x: usize, y: usize| cells[y * CELLS + x];
        let mut gradients = Vec::with_capacity(2 * (CELLS - 1) * (CELLS - 1));
        for y in 1..CELLS {
            for x in 1..CELLS {
                gradients.push(at(x, y) - at(x - 1, y));
                gradients.push(at(x, y) - at(x, y - 1));
            }
        }
        let length = gradients.iter().map(|g| g * g).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        Fingerprint(gradients.into_iter().map(|g| g / length).collect())
    }

    /// How different two pictures look, 0 (the same) to 2; a plain surface is at 1 from everything.
    pub fn distance(&self, other: &Fingerprint) -> f32 {
        1.0 - self.0.iter().zip(&other.0).map(|(a, b)| a * b).sum::<f32>()
    }
}

/// Mean brightness in each of 16 × 16 cells. Cells of a picture smaller than that share pixels.
fn miniature(pixels: &[u8], width: usize, height: usize) -> Vec<f32> {
    let range = |cell: usize, size: usize| {
        let start = cell * size / CELLS;
        start..((cell + 1) * size / CELLS).max(start + 1)
    };
    let pixels = pixels.as_chunks().0;
    let mut cells = Vec::with_capacity(CELLS * CELLS);
    for cell_y in 0..CELLS {
        for cell_x in 0..CELLS {
            let (rows, columns) = (range(cell_y, height), range(cell_x, width));
            let count = rows.len() * columns.len();
            let row = |y: usize| &pixels[y * width..][columns.clone()];
            let sum: u64 = rows.flat_map(row).map(brightness).sum();
            cells.push(sum as f32 / count as f32);
        }
    }
    cells
}

/// Brightness of an RGB pixel as television defines it (ITU-R BT.601), times 256.
fn brightness(pixel: &[u8; 3]) -> u64 {
    77 * u64::from(pixel[0]) + 150 * u64::from(pixel[1]) + 29 * u64::from(pixel[2])
}

/// A number per photo, equal for photos that are the same or nearly, given one or more fingerprints of each: of
/// the whole photo, and of the face cut from it, which also finds a photo that was cropped anew. Two photos
/// belong together if any of their fingerprints do, or if a chain of others links them. Groups are numbered in
/// the order of their first photos.
pub fn near_duplicate_groups(views: &[Vec<Fingerprint>]) -> Vec<i64> {
    let near = |a: usize, b: usize| views[a].iter().zip(&views[b]).any(|(a, b)| a.distance(b) < NEAR);
    let earlier_twins: Vec<Vec<usize>> =
        (0..views.len()).into_par_iter().map(|a| (0..a).filter(|&b| near(a, b)).collect()).collect();

    // Union-find: each photo points to an earlier one of its group, the first to itself.
    let mut first: Vec<usize> = (0..views.len()).collect();
    for (photo, twins) in earlier_twins.iter().enumerate() {
        for &twin in twins {
            let (a, b) = (root(&mut first, photo), root(&mut first, twin));
            first[a.max(b)] = a.min(b);
        }
    }
    let mut numbers = HashMap::new();
    (0..views.len())
        .map(|photo| {
            let next = numbers.len() as i64;
            *numbers.entry(root(&mut first, photo)).or_insert(next)
        })
        .collect()
}

/// The first photo of the group, with the way there made shorter for the next time.
fn root(first: &mut [usize], mut photo: usize) -> usize {
    while first[photo] != photo {
        first[photo] = first[first[photo]];
        photo = first[photo];
    }
    photo
}

/// Photos by group number, groups and photos in order.
pub fn by_group(dataset: &Dataset) -> BTreeMap<i64, Vec<usize>> {
    let mut groups: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (photo, &group) in dataset.groups.iter().enumerate() {
        groups.entry(group).or_default().push(photo);
    }
    groups
}

/// Groups whose photos carry the names of several people: one photo in two folders, most likely.
pub fn conflicts(dataset: &Dataset) -> Vec<Vec<usize>> {
    by_group(dataset).into_values().filter(|photos| shows_several(dataset, photos)).collect()
}

/// Whether these photos carry the names of several people.
pub fn shows_several(dataset: &Dataset, photos: &[usize]) -> bool {
    photos.iter().any(|&photo| dataset.labels[photo] != dataset.labels[photos[0]])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 96;

    /// A picture of smooth blobs that differ from seed to seed, sampled in the window `x0..x1` of both axes.
    fn picture(seed: u64, size: usize, (x0, x1): (f64, f64)) -> Vec<u8> {
        let noise = |k: u64| ((seed * 16 + k) as f64 * 78.233).sin() * 43_758.5453 % 1.0;
        let mut pixels = Vec::new();
        for y in 0..size {
            for x in 0..size {
                let [u, v] = [x, y].map(|at| x0 + (at as f64 + 0.5) / size as f64 * (x1 - x0));
                let wave = |k| (9.0 * noise(k) * u + 9.0 * noise(k + 1) * v + 6.0 * noise(k + 2)).sin();
                let sum: f64 = [0, 3, 6, 9, 12].map(wave).iter().sum();
                pixels.extend([
                    (128.0 + 24.0 * sum) as u8,
                    (120.0 + 22.0 * sum) as u8,
                    (100.0 + 18.0 * sum) as u8,
                ]);
            }
        }
        pixels
    }

    fn fingerprint(pixels: &[u8]) -> Fingerprint {
        let size = (pixels.len() / 3).isqrt();
        Fingerprint::new(pixels, size, size)
    }

    #[test]
    fn copies_are_near_and_other_pictures_far() {
        for seed in 0..20 {
            let original = picture(seed, SIZE, (0.0, 1.0));
            let copies = [
                original.clone(),
                original.iter().map(|&p| p / 2 + 40).collect(), // darker and flatter
                original.iter().enumerate().map(|(i, &p)| p.saturating_add((i * 31 % 7) as u8)).collect(), // noise
                picture(seed, 61, (0.0, 1.0)),     // another size
                picture(seed, SIZE, (0.0, 0.985)), // cropped a little
            ];
            for (kind, copy) in copies.iter().enumerate() {
                let distance = fingerprint(&original).distance(&fingerprint(copy));
                assert!(distance < NEAR, "picture {seed}, copy {kind}: {distance}");
            }
            let other = fingerprint(&original).distance(&fingerprint(&picture(seed + 1, SIZE, (0.0, 1.0))));
            assert!(other > 2.0 * NEAR, "picture {seed} and the next: {other}");
        }
    }

    #[test]
    fn tiny_and_plain_pictures_have_fingerprints() {
        let plain = Fingerprint::new(&[200; 5 * 3 * 3], 5, 3);
        assert_eq!(plain.distance(&plain), 1.0);
        let tiny = Fingerprint::new(&[0, 0, 0, 255, 255, 255], 2, 1);
        assert!(tiny.distance(&tiny).abs() < 1e-6);
    }

    #[test]
    fn groups_join_over_chains_and_any_view() {
        // Unit vectors at these angles: 0.125 is the distance at about 29 degrees.
        let view = |degrees: f32| Fingerprint(vec![degrees.to_radians().cos(), degrees.to_radians().sin()]);
        let views: Vec<_> =
            [(0.0, 0.0), (90.0, 60.0), (40.0, 120.0), (20.0, 180.0), (180.0, 240.0), (270.0, 62.0)]
                .into_iter()
                .map(|(photo, face)| vec![view(photo), view(face)])
                .collect();
        assert_eq!(near_duplicate_groups(&views), [0, 1, 0, 0, 2, 1]);
        assert_eq!(near_duplicate_groups(&[]), [0_i64; 0]);
    }

    #[test]
    fn groups_of_several_people_are_told() {
        let dataset = Dataset {
            size: 1,
            pixels: vec![0; 15],
            labels: vec![0, 0, 1, 1, 0],
            names: vec!["a".into(), "b".into()],
            groups: vec![5, 3, 5, 4, 3],
            sources: vec![String::new(); 5],
        };
        assert_eq!(conflicts(&dataset), [[0, 2]]);
    }
}
