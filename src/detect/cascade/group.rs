//! Joins the many windows around one face into one box.

use super::scan::Window;

/// Windows that overlap, and their mean.
struct Cluster {
    /// Sums of x, y, width and height.
    sums: [usize; 4],
    count: usize,
}

impl Cluster {
    fn of(window: Window) -> Cluster {
        Cluster { sums: fields(window), count: 1 }
    }

    fn add(&mut self, window: Window) {
        for (sum, value) in self.sums.iter_mut().zip(fields(window)) {
            *sum += value;
        }
        self.count += 1;
    }

    fn mean(&self) -> Window {
        let [x, y, width, height] = self.sums.map(|sum| sum / self.count);
        Window { x, y, width, height }
    }
}

/// The mean of each cluster of at least `min_neighbors` windows, with the number of its windows.
///
/// As scikit-image: each window, in order, joins the cluster whose mean it overlaps most, if the overlap is more than
/// `threshold` of the smaller of the two; else it begins a cluster.
pub(super) fn group(windows: &[Window], threshold: f32, min_neighbors: usize) -> Vec<(Window, usize)> {
    let mut clusters: Vec<Cluster> = Vec::new();
    for &window in windows {
        let mut best = (threshold, None);
        for cluster in &mut clusters {
            let overlap = overlap(window, cluster.mean());
            if overlap > best.0 {
                best = (overlap, Some(cluster));
            }
        }
        match best.1 {
            Some(cluster) => cluster.add(window),
            None => clusters.push(Cluster::of(window)),
        }
    }
    clusters.retain(|cluster| cluster.count >= min_neighbors);
    clusters.iter().map(|cluster| (cluster.mean(), cluster.count)).collect()
}

fn fields(window: Window) -> [usize; 4] {
    [window.x, window.y, window.width, window.height]
}

/// Shared area as a share of the smaller window's.
fn overlap(a: Window, b: Window) -> f32 {
    let shared = |a: usize, a_size: usize, b: usize, b_size: usize| {
        (a + a_size).min(b + b_size).saturating_sub(a.max(b))
    };
    let area = shared(a.x, a.width, b.x, b.width) * shared(a.y, a.height, b.y, b.height);
    area as f32 / (a.width * a.height).min(b.width * b.height) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(x: usize, y: usize, side: usize) -> Window {
        Window { x, y, width: side, height: side }
    }

    #[test]
    fn overlap_is_a_share_of_the_smaller() {
        assert_eq!(overlap(square(0, 0, 10), square(2, 2, 4)), 1.0);
        assert_eq!(overlap(square(0, 0, 10), square(5, 0, 10)), 0.5);
        assert_eq!(overlap(square(0, 0, 10), square(10, 0, 10)), 0.0);
    }

    #[test]
    fn windows_of_one_face_become_their_mean() {
        let windows = [square(10, 20, 30), square(12, 20, 30), square(200, 0, 24), square(11, 23, 33)];
        assert_eq!(group(&windows, 0.5, 2), [(square(11, 21, 31), 3)]);
        assert_eq!(group(&windows, 0.5, 1).len(), 2);
        assert_eq!(group(&windows, 0.5, 4), []);
        assert_eq!(group(&[], 0.5, 1), []);
    }

    #[test]
    fn an_overlap_at_the_threshold_is_not_enough() {
        assert_eq!(group(&[square(0, 0, 10), square(5, 0, 10)], 0.5, 1).len(), 2);
        assert_eq!(group(&[square(0, 0, 10), square(4, 0, 10)], 0.5, 1).len(), 1);
    }
}
