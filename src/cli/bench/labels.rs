//! Where labels stand beside their points, so that none covers another.

/// A rectangle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

impl Area {
    fn meets(&self, other: &Area) -> bool {
        self.x < other.x + other.width
            && other.x < self.x + self.width
            && self.y < other.y + other.height
            && other.y < self.y + self.height
    }

    fn holds(&self, other: &Area) -> bool {
        other.x >= self.x
            && other.y >= self.y
            && other.x + other.width <= self.x + self.width
            && other.y + other.height <= self.y + self.height
    }
}

/// Half a point's side.
const POINT: f64 = 5.0;

/// For each point a place for its label of this size, inside `frame`: the nearest that meets no point and no label
/// placed before; `None` where it is too crowded.
pub fn place(points: &[[f64; 2]], [width, height]: [f64; 2], frame: Area) -> Vec<Option<Area>> {
    let around =
        |&[x, y]: &[f64; 2]| Area { x: x - POINT, y: y - POINT, width: 2.0 * POINT, height: 2.0 * POINT };
    let mut taken: Vec<Area> = points.iter().map(around).collect();
    let mut places = Vec::new();
    for &[x, y] in points {
        let candidates = (0..10).flat_map(|ring| {
            let distance = POINT + 4.0 + f64::from(ring) * height * 0.8;
            (0..16).map(move |step| {
                let angle = f64::from(step) * std::f64::consts::TAU / 16.0;
                let (centre_x, centre_y) =
                    (x + (distance + width / 2.0) * angle.cos(), y - (distance + height / 2.0) * angle.sin());
                Area { x: centre_x - width / 2.0, y: centre_y - height / 2.0, width, height }
            })
        });
        let free = |area: &Area| frame.holds(area) && !taken.iter().any(|other| other.meets(area));
        let place = candidates.into_iter().find(free);
        taken.extend(place);
        places.push(place);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_cover_neither_points_nor_each_other() {
        let frame = Area { x: 0.0, y: 0.0, width: 300.0, height: 200.0 };
        let points: Vec<[f64; 2]> =
            (0..20).map(|i| [100.0 + f64::from(i % 3), 100.0 + 2.0 * f64::from(i)]).collect();
        let places = place(&points, [16.0, 12.0], frame);
        let labels: Vec<Area> = places.into_iter().flatten().collect();
        assert!(labels.len() > 15, "{}", labels.len());
        for (i, label) in labels.iter().enumerate() {
            assert!(frame.holds(label));
            assert!(labels[..i].iter().all(|other| !other.meets(label)), "{i}");
            let covers = |&[x, y]: &[f64; 2]| label.meets(&Area { x, y, width: 0.1, height: 0.1 });
            assert!(!points.iter().any(covers), "{i}");
        }
    }
}
