// l2_penalty: the sum of squares of a tensor, times a factor, and its gradient.
//
//   y     = factor * sum of x[i]^2
//   dx[i] = 2 * factor * x[i] * dy
//
// Shapes   x, dx  any; `len` elements
//          y, dy  []
// Mapping  partial: each workgroup adds up a piece of WORKGROUP * ELEMENTS elements; total: one workgroup
//          adds up the pieces. Each thread sums its elements, then a tree sums the threads: always in the same
//          order. backward: one thread per element.
// Cost     reads x once

struct Params { len: u32, pieces: u32, factor: f32 }

const ELEMENTS = 16u;

@group(0) @binding(0) var<uniform> p: Params;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn partial(
    @builtin(local_invocation_index) thread: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let piece = group_index(group, groups);
    let first = piece * WORKGROUP * ELEMENTS + thread;
    var sum = 0.0;
    for (var k = 0u; k < ELEMENTS; k++) {
        let i = first + k * WORKGROUP;
        if i < p.len { sum += x[i] * x[i]; }
    }
    let total = tree_sum(thread, sum, 1u);
    if thread == 0u && piece < p.pieces { sums[piece] = total; }
}

@group(0) @binding(1) var<storage, read> pieces: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn total(@builtin(local_invocation_index) thread: u32) {
    var sum = 0.0;
    for (var piece = thread; piece < p.pieces; piece += WORKGROUP) { sum += pieces[piece]; }
    let total = tree_sum(thread, sum, 1u);
    if thread == 0u { y[0] = p.factor * total; }
}

@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    if i >= p.len { return; }
    dx[i] = 2.0 * p.factor * x[i] * dy[0];
}
