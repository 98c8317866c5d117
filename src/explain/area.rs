//! Parts of a picture: polygons, as `[x, y]` in pixels.

/// The smallest convex polygon around some points, by Andrew's monotone chain (Information Processing Letters 9, 1979).
pub fn hull(points: &[[f32; 2]]) -> Vec<[f32; 2]> {
    let mut sorted = points.to_vec();
    sorted.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    let mut outline = chain(sorted.iter());
    outline.extend(chain(sorted.iter().rev()));
    outline
}

/// One side of a hull, without its last point.
fn chain<'a>(points: impl Iterator<Item = &'a [f32; 2]>) -> Vec<[f32; 2]> {
    let mut side: Vec<[f32; 2]> = Vec::new();
    for &point in points {
        while let [.., a, b] = side[..]
            && (b[0] - a[0]) * (point[1] - a[1]) <= (b[1] - a[1]) * (point[0] - a[0])
        {
            side.pop();
        }
        side.push(point);
    }
    side.pop();
    side
}

/// Whether a point lies in a polygon: a ray to the right crosses its outline an odd number of times.
pub(super) fn contains(area: &[[f32; 2]], [x, y]: [f32; 2]) -> bool {
    let ends = area.iter().zip(area.iter().cycle().skip(1));
    let crossed = |&(a, b): &(&[f32; 2], &[f32; 2])| {
        (a[1] > y) != (b[1] > y) && x < a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0])
    };
    ends.filter(crossed).count() % 2 == 1
}

/// The share of a picture's pixels whose centres lie in a polygon: what an even spread of heat would put there.
pub fn share_of_picture(area: &[[f32; 2]], width: usize, height: usize) -> f64 {
    let centres = (0..height).flat_map(|y| (0..width).map(move |x| [x as f32 + 0.5, y as f32 + 0.5]));
    centres.filter(|&centre| contains(area, centre)).count() as f64 / (width * height) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hull_leaves_out_what_lies_within() {
        let mut found = hull(&[[1.0, 1.0], [0.0, 0.0], [4.0, 0.0], [2.0, 0.0], [4.0, 3.0], [0.0, 3.0]]);
        found.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
        assert_eq!(found, [[0.0, 0.0], [0.0, 3.0], [4.0, 0.0], [4.0, 3.0]]);
    }

    #[test]
    fn a_part_of_the_picture_is_as_large_as_it_is() {
        let half = [[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]];
        assert_eq!(share_of_picture(&half, 10, 10), 0.45, "the pixels on the diagonal are not in it");
        assert_eq!(share_of_picture(&[[-5.0, -5.0], [50.0, -5.0], [50.0, 50.0], [-5.0, 50.0]], 7, 3), 1.0);
        assert_eq!(share_of_picture(&[], 7, 3), 0.0);
    }
}
