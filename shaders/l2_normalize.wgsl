// l2_normalize: rows of length 1, and the gradient.
//
//   y[r,i]  = x[r,i] / n,   n = sqrt(max(sum over j of x[r,j]^2, LEAST))
//   dx[r,i] = (dy[r,i] - y[r,i] * (sum over j of y[r,j] * dy[r,j])) / n
//
// A row whose sum is at most LEAST is divided by a constant: then dx[r,i] = dy[r,i] / n.
//
// Shapes   x, y, dy, dx   [rows, length]
// Mapping  a workgroup takes `width` rows; WORKGROUP / width threads share a row and add by a tree, as
//          common/reduce.wgsl: 256 rows of 1, or one row of 256 and more
// Cost     reads a row twice, the second time out of a cache

struct Params { rows: u32, length: u32, width: u32 }

const LEAST = 1e-12; // of Keras's UnitNormalization

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;

// A thread's elements: first, first + step, ... below end.
struct Elements { first: u32, end: u32, step: u32 }

fn elements_of(group: u32, local: u32) -> Elements {
    let row = group * p.width + local % p.width;
    let start = row * p.length;
    return Elements(start + local / p.width, select(0u, start + p.length, row < p.rows), WORKGROUP / p.width);
}

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
