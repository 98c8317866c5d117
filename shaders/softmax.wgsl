// softmax: probabilities from logits, row by row, and its gradient.
//
//   y[r,i]  = exp(x[r,i] - max of x[r,:]) / sum over j of exp(x[r,j] - max of x[r,:])
//   dx[r,i] = y[r,i] * (dy[r,i] - sum over j of y[r,j] * dy[r,j])
//
// Shapes   x, y, dy, dx   [rows, length]
// Mapping  common/rows.wgsl
// Cost     reads a row three times (forward) or twice (backward), from the second time out of a cache

// The most negative float: WGSL has no literal for minus infinity.
const LOWEST = -3.40282346e38;

// A NaN where x is one, else 0: WGSL lets exp make anything of a NaN, and SwiftShader's makes infinity.
fn nan_of(x: f32) -> f32 { return select(0.0, x, (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u); }

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(local_invocation_index) local: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let mine = elements_of(group_index(group, groups), local);
    var highest = LOWEST;
    for (var i = mine.first; i < mine.end; i += mine.step) {
        highest = max(highest, x[i]);
    }
    highest = tree_max(local, highest, p.width);
    var sum = 0.0;
    for (var i = mine.first; i < mine.end; i += mine.step) {
        sum += exp(x[i] - highest) + nan_of(x[i]);
    }
    sum = tree_sum(local, sum, p.width);
    for (var i = mine.first; i < mine.end; i += mine.step) {
        y[i] = exp(x[i] - highest) / sum;
    }
}

@group(0) @binding(1) var<storage, read> probabilities: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn backward(
    @builtin(local_invocation_index) local: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let mine = elements_of(group_index(group, groups), local);
    var sum = 0.0;
    for (var i = mine.first; i < mine.end; i += mine.step) {
        sum += probabilities[i] * dy[i];
    }
    sum = tree_sum(local, sum, p.width);
    for (var i = mine.first; i < mine.end; i += mine.step) {
        dx[i] = probabilities[i] * (dy[i] - sum);
    }
}
