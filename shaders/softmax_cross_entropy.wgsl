// softmax_cross_entropy: the mean cross-entropy of softmax(z) with target distributions, with its gradient.
//
//   t'[n,c]      = t[n,c] * (1 - smoothing) + smoothing / classes
//   weight[n]    = sum over c of t[n,c] * class_weight[c]      (1 without class weights)
//   row_loss[n]  = -weight[n] * sum over c of t'[n,c] * log softmax(z[n])[c]
//   loss         = mean of row_loss
//   dlogits[n,c] = weight[n] / rows * (softmax(z[n])[c] * sum of t'[n] - t'[n,c])
//
// With m = max z[n] and s = sum of exp(z[n,c] - m), which is at least 1,
//   log softmax(z[n])[c] = (z[n,c] - m) - log(s),
// so nothing overflows, and row_loss is a sum of terms that are all at least 0.
//
// Shapes   z, t, dlogits  [rows, classes]
//          class_weight   [classes]
//          row_loss       [rows]
//          loss, dloss    []
// Mapping  forward: one workgroup per row; its threads stride over the classes
//          mean: one workgroup; scale: one thread per element
// Cost     forward reads z and t three times, mostly from the cache, and writes dlogits
// Source   Keras, keras.losses.CategoricalCrossentropy(from_logits=True); Szegedy et al., CVPR 2016 (smoothing)

struct Params { rows: u32, classes: u32, weighted: u32, smoothing: f32 }

@group(0) @binding(0) var<uniform> p: Params;

@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read> t: array<f32>;
@group(0) @binding(3) var<storage, read> class_weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> row_loss: array<f32>;
@group(0) @binding(5) var<storage, read_write> dlogits: array<f32>;

const LOWEST = -3.40282347e38;

fn smoothed(target_share: f32) -> f32 {
    return target_share * (1.0 - p.smoothing) + p.smoothing / f32(p.classes);
}

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(local_invocation_index) thread: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let row = group_index(group, groups);
    // Groups behind the last row work on the last one and store nothing.
    let first = min(row, p.rows - 1u) * p.classes;

    var highest = LOWEST;
    for (var c = thread; c < p.classes; c += WORKGROUP) { highest = max(highest, z[first + c]); }
    let m = tree_max(thread, highest, 1u);

    var exps = 0.0;
    var targets = 0.0;
    var below = 0.0; // of t' * (m - z)
    var weights = 0.0;
    for (var c = thread; c < p.classes; c += WORKGROUP) {
        let depth = m - z[first + c];
        let share = t[first + c];
        exps += exp(-depth);
        targets += smoothed(share);
        below += smoothed(share) * depth;
        if p.weighted != 0u { weights += share * class_weight[c]; }
    }
    let exp_sum = tree_sum(thread, exps, 1u);
    let target_sum = tree_sum(thread, targets, 1u);
    let below_sum = tree_sum(thread, below, 1u);
    let weight_sum = tree_sum(thread, weights, 1u);
    let weight = select(1.0, weight_sum, p.weighted != 0u);

    if row >= p.rows { return; }
    if thread == 0u { row_loss[row] = weight * (below_sum + log(exp_sum) * target_sum); }
    for (var c = thread; c < p.classes; c += WORKGROUP) {
        let softmax = exp(z[first + c] - m) / exp_sum;
        dlogits[first + c] = weight / f32(p.rows) * (softmax * target_sum - smoothed(t[first + c]));
    }
}

@group(0) @binding(1) var<storage, read> losses: array<f32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn mean(@builtin(local_invocation_index) thread: u32) {
    var sum = 0.0;
    for (var row = thread; row < p.rows; row += WORKGROUP) { sum += losses[row]; }
    let total = tree_sum(thread, sum, 1u);
    if thread == 0u { loss[0] = total / f32(p.rows); }
}

@group(0) @binding(1) var<storage, read> unscaled: array<f32>;
@group(0) @binding(2) var<storage, read> dloss: array<f32>;
@group(0) @binding(3) var<storage, read_write> dz: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn scale(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    if i >= p.rows * p.classes { return; }
    dz[i] = unscaled[i] * dloss[0];
}
