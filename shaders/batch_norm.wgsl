// batch_norm: normalisation by the statistics of the batch itself, and its full gradient.
//
//   mean[c]     = sum over r of x[r,c] / rows
//   variance[c] = sum over r of (x[r,c] - mean[c])^2 / rows
//   y[r,c]      = gamma[c] * n[r,c] + beta[c], n[r,c] = (x[r,c] - mean[c]) / sqrt(variance[c] + epsilon)
//   dx[r,c]     = gamma[c] / sqrt(variance[c] + epsilon)
//                 * (dy[r,c] - dbeta[c] / rows - n[r,c] * dgamma[c] / rows)
//
// Shapes   x, y, dy, dx   [rows, channels]; all others [channels]
// Mapping  square_sums: as common/reduce.wgsl, then column_sum adds the chunks; backward_input: one thread
//          per element. The mean is a column_sum; y, dgamma and dbeta are those of batch_norm_inference.
// Cost     reads x three times forward. The second pass for the variance is what keeps it exact where the
//          mean is large; nothing but mean and variance is kept for the gradient.
// Source   Ioffe, Szegedy, ICML 2015

struct Params { columns: Columns, epsilon: f32 }

@group(0) @binding(0) var<uniform> p: Params;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> mean: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn square_sums(
    @builtin(local_invocation_index) local: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let share = share_of(p.columns, group_index(group, groups), local);
    let c = min(share.column, p.columns.channels - 1u);
    let center = mean[c];
    var sum = 0.0;
    for (var r = share.first; r < share.end; r += share.step) {
        let deviation = x[r * p.columns.channels + c] - center;
        sum += deviation * deviation;
    }
    sum = tree_sum(local, sum, p.columns.width);
    if share.stores {
        sums[share.out] = sum;
    }
}

@group(0) @binding(3) var<storage, read> variance: array<f32>;
@group(0) @binding(4) var<storage, read> gamma: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<f32>;
@group(0) @binding(6) var<storage, read> dgamma: array<f32>;
@group(0) @binding(7) var<storage, read> dbeta: array<f32>;
@group(0) @binding(8) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn backward_input(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    if i >= p.columns.rows * p.columns.channels { return; }
    let c = i % p.columns.channels;
    let inverse = inverseSqrt(variance[c] + p.epsilon);
    let n = (x[i] - mean[c]) * inverse;
    let rows = f32(p.columns.rows);
    dx[i] = gamma[c] * inverse * (dy[i] - dbeta[c] / rows - n * (dgamma[c] / rows));
}
