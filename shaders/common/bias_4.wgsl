// bias_4: how four sums of a row of a product end, for rows whose length is a multiple of four.
//
// Bias     is added if `biased` is 1; else any tensor stands in its place, unread

@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;

fn ended(column: u32, sums: vec4<f32>) -> vec4<f32> {
    var sum = sums;
    if p.biased == 1u { sum += bias[column / 4u]; }
    return vec4(
        activate(p.kind, p.slope, sum.x),
        activate(p.kind, p.slope, sum.y),
        activate(p.kind, p.slope, sum.z),
        activate(p.kind, p.slope, sum.w),
    );
}
