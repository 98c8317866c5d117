// batch_norm_inference: normalisation by given statistics, and its gradients while these stay fixed.
//
//   n[r,c]    = (x[r,c] - mean[c]) / sqrt(variance[c] + epsilon)
//   y[r,c]    = gamma[c] * n[r,c] + beta[c]
//   dx[r,c]   = gamma[c] * dy[r,c] / sqrt(variance[c] + epsilon)
//   dgamma[c] = sum over r of dy[r,c] * n[r,c]
//   dbeta[c]  = sum over r of dy[r,c]
//
// Shapes   x, y, dy, dx   [rows, channels]; all others [channels]
// Mapping  one thread per element; parameter_sums: as common/reduce.wgsl, then column_sum adds the chunks
// Also     batch_norm takes its y, dgamma and dbeta from here

struct Params { columns: Columns, epsilon: f32 }

@group(0) @binding(0) var<uniform> p: Params;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> gamma: array<f32>;
@group(0) @binding(3) var<storage, read> beta: array<f32>;
@group(0) @binding(4) var<storage, read> mean: array<f32>;
@group(0) @binding(5) var<storage, read> variance: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    if i >= p.columns.rows * p.columns.channels { return; }
    let c = i % p.columns.channels;
    let slope = gamma[c] * inverseSqrt(variance[c] + p.epsilon);
    y[i] = slope * (x[i] - mean[c]) + beta[c];
}

@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> variance_of_input: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn backward_input(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    if i >= p.columns.rows * p.columns.channels { return; }
    let c = i % p.columns.channels;
    dx[i] = gamma[c] * inverseSqrt(variance_of_input[c] + p.epsilon) * dy[i];
}

@group(0) @binding(2) var<storage, read> dy_summed: array<f32>;
@group(0) @binding(3) var<storage, read> mean_of_sums: array<f32>;
@group(0) @binding(4) var<storage, read> variance_of_sums: array<f32>;
@group(0) @binding(5) var<storage, read_write> gamma_sums: array<f32>;
@group(0) @binding(6) var<storage, read_write> beta_sums: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn parameter_sums(
    @builtin(local_invocation_index) local: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let share = share_of(p.columns, group_index(group, groups), local);
    let c = min(share.column, p.columns.channels - 1u);
    let mean = mean_of_sums[c];
    var products = 0.0;
    var sum = 0.0;
    for (var r = share.first; r < share.end; r += share.step) {
        let i = r * p.columns.channels + c;
        products += dy_summed[i] * (x[i] - mean);
        sum += dy_summed[i];
    }
    products = tree_sum(local, products, p.columns.width);
    sum = tree_sum(local, sum, p.columns.width);
    if share.stores {
        gamma_sums[share.out] = products * inverseSqrt(variance_of_sums[c] + p.epsilon);
        beta_sums[share.out] = sum;
    }
}
