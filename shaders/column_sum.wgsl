// column_sum: the sum of each column of a matrix, in pieces.
//
//   y[i, j] = activate(sum over the rows r of piece i of x[r, j] + bias[j % bias_len])
//
// Shapes   x [rows, columns], y [ceil(rows / piece), columns]; a piece is `piece` rows. Long columns are summed in
//          two dispatches: the first writes a row for each piece, the second sums these rows as one piece.
// Bias     of bias_len elements is added if `biased` is 1; else any tensor stands in its place, unread. With it
//          and the activation this ends a product whose depth was split, see common/gemm.wgsl.
// Mapping  one workgroup per piece and 16 columns: 16 threads share a column, each sums every 16th row, and a tree
//          adds the 16 sums. The order is fixed.
// Cost     reads x once

struct Params {
    rows: u32, columns: u32, piece: u32, bias_len: u32, biased: u32, kind: u32, slope: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const WIDTH = 16u;
const HEIGHT = 16u;

var<workgroup> sum_tile: array<f32, WIDTH * HEIGHT>;

@compute @workgroup_size(WIDTH * HEIGHT)
fn sum(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let index = group_index(group, groups);
    let blocks = (p.columns + WIDTH - 1u) / WIDTH;
    let column = index % blocks * WIDTH + thread % WIDTH;
    let piece = index / blocks;
    let lane = thread / WIDTH;

    var sum = 0.0;
    if column < p.columns {
        let end = min((piece + 1u) * p.piece, p.rows);
        for (var row = piece * p.piece + lane; row < end; row += HEIGHT) {
            sum += x[row * p.columns + column];
        }
    }
    sum_tile[thread] = sum;
    for (var half = HEIGHT / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half { sum_tile[thread] += sum_tile[thread + half * WIDTH]; }
    }
    if lane == 0u && column < p.columns && piece * p.piece < p.rows {
        var total = sum_tile[thread];
        if p.biased == 1u { total += bias[column % p.bias_len]; }
        y[piece * p.columns + column] = activate(p.kind, p.slope, total);
    }
}
