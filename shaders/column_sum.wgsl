// column_sum: sums over chunks of the rows of a matrix, column by column.
//
//   y[k,c] = activate(factor * sum of x[r,c] over k*chunk <= r < (k+1)*chunk + bias[c % bias_len])
//
// Shapes   x  [rows, channels]
//          y  [chunks, channels], chunks = rows / chunk, rounded up
// Bias     of bias_len elements is added if `biased` is 1; else any tensor stands in its place, unread. With it
//          and the activation this ends a product whose depth was split, see common/gemm.wgsl.
// Winners  sum_open leaves out what a ReLU behind a max pooling stops: x [rows, channels] is the gradient behind the two,
//          and its winners (common/winners.wgsl) are CLOSED there
// Mapping  one workgroup per chunk and `width` columns, as common/reduce.wgsl; neighbours differ in column
// Cost     reads x once. Long sums take two dispatches: chunks first, then the sum of their sums.

struct Params { columns: Columns, factor: f32, bias_len: u32, biased: u32, kind: u32, slope: f32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn sum(
    @builtin(local_invocation_index) local: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let share = share_of(p.columns, group_index(group, groups), local);
    var sum = 0.0;
    for (var r = share.first; r < share.end; r += share.step) {
        sum += x[r * p.columns.channels + share.column];
    }
    sum = p.factor * tree_sum(local, sum, p.columns.width);
    if share.stores {
        if p.biased == 1u { sum += bias[share.column % p.bias_len]; }
        y[share.out] = activate(p.kind, p.slope, sum);
    }
}

@group(0) @binding(2) var<storage, read> winners: array<u32>;

@compute @workgroup_size(WORKGROUP)
fn sum_open(
    @builtin(local_invocation_index) local: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let share = share_of(p.columns, group_index(group, groups), local);
    var sum = 0.0;
    for (var r = share.first; r < share.end; r += share.step) {
        let at = r * p.columns.channels + share.column;
        let code = byte_of(winners[at / 4u], at);
        sum += select(x[at], 0.0, code == CLOSED);
    }
    sum = p.factor * tree_sum(local, sum, p.columns.width);
    if share.stores { y[share.out] = sum; }
}
