// l2_normalize: rows of length 1, and the gradient.
//
//   y[r,i]  = x[r,i] / n,   n = sqrt(max(sum over j of x[r,j]^2, LEAST))
//   dx[r,i] = (dy[r,i] - y[r,i] * (sum over j of y[r,j] * dy[r,j])) / n
//
// A row whose sum is at most LEAST is divided by a constant: then dx[r,i] = dy[r,i] / n.
//
// Shapes   x, y, dy, dx   [rows, length]
// Mapping  common/rows.wgsl
// Cost     reads a row twice, the second time out of a cache

const LEAST = 1e-12; // of Keras's UnitNormalization

@group(0) @binding(1) var<storage, read> x: array<f32>;

@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(local_invocation_index) local: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let mine = elements_of(group_index(group, groups), local);
    var squares = 0.0;
    for (var i = mine.first; i < mine.end; i += mine.step) {
        squares += x[i] * x[i];
    }
    let norm = sqrt(max(tree_sum(local, squares, p.width), LEAST));
    for (var i = mine.first; i < mine.end; i += mine.step) {
        y[i] = x[i] / norm;
    }
}

@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn backward(
    @builtin(local_invocation_index) local: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let mine = elements_of(group_index(group, groups), local);
    var squares = 0.0;
    var products = 0.0;
    for (var i = mine.first; i < mine.end; i += mine.step) {
        squares += x[i] * x[i];
        products += x[i] * dy[i];
    }
    squares = tree_sum(local, squares, p.width);
    products = tree_sum(local, products, p.width);
    let norm = sqrt(max(squares, LEAST));
    let along = select(0.0, products / squares, squares > LEAST);
    for (var i = mine.first; i < mine.end; i += mine.step) {
        dx[i] = (dy[i] - x[i] * along) / norm;
    }
}
