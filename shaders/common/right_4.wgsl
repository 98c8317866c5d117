// right_4: the second factor of a product, its bias and its result, for rows whose length is a multiple of four.
//
// Bias     is added if `biased` is 1; else any tensor stands in its place, unread

@group(0) @binding(2) var<storage, read> right: array<In4>;
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> y: array<Out4>;

fn right_at(at: u32) -> f32 { return f32(right[at / 4u][at % 4u]); }

// Four neighbours from `at` on, a multiple of four.
fn right_four(at: u32) -> vec4<f32> { return vec4<f32>(right[at / 4u]); }

// b at k and four columns from `column` on, where b lies row by row; zeros outside.
fn right_rows(k: u32, column: u32) -> vec4<f32> {
    if k >= p.depth || column >= p.columns { return vec4(0.0); }
    return right_four(k * p.columns + column);
}

// Ends four sums of a row and writes them.
fn store(row: u32, column: u32, sums: vec4<f32>) {
    var sum = sums;
    if p.biased == 1u { sum += bias[column / 4u]; }
    y[(row * p.columns + column) / 4u] = to_out4(vec4(
        activate(p.kind, p.slope, sum.x),
        activate(p.kind, p.slope, sum.y),
        activate(p.kind, p.slope, sum.z),
        activate(p.kind, p.slope, sum.w),
    ));
}
