// prelu: a ReLU with a learnt slope below 0 for each channel, and its gradients.
//
//   y[r,c]    = max(x[r,c], 0) + alpha[c] * min(x[r,c], 0)
//   dx[r,c]   = x[r,c] > 0 ? dy[r,c] : alpha[c] * dy[r,c]
//   dalpha[c] = sum over r of dy[r,c] * min(x[r,c], 0)
//
// Shapes   x, y, dy, dx    [rows, channels]
//          alpha, dalpha   [channels]
// Kinks    at 0 the gradient is that of the side below, as in PyTorch
// Mapping  one thread per element; alpha_sums: as common/reduce.wgsl, then column_sum adds the chunks
// Source   He, Zhang, Ren, Sun, ICCV 2015

struct Params { columns: Columns }

@group(0) @binding(0) var<uniform> p: Params;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> alpha: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    if i >= p.columns.rows * p.columns.channels { return; }
    y[i] = select(alpha[i % p.columns.channels] * x[i], x[i], x[i] > 0.0);
}

@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn backward_input(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    if i >= p.columns.rows * p.columns.channels { return; }
    dx[i] = select(alpha[i % p.columns.channels] * dy[i], dy[i], x[i] > 0.0);
}

@group(0) @binding(2) var<storage, read> dy_summed: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn alpha_sums(
    @builtin(local_invocation_index) local: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let share = share_of(p.columns, group_index(group, groups), local);
    var sum = 0.0;
    for (var r = share.first; r < share.end; r += share.step) {
        let i = r * p.columns.channels + share.column;
        sum += select(dy_summed[i] * x[i], 0.0, x[i] > 0.0);
    }
    sum = tree_sum(local, sum, p.columns.width);
    if share.stores {
        sums[share.out] = sum;
    }
}
