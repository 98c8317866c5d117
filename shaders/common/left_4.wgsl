// left_4: the first factor of a product where it lies in memory, for rows whose length is a multiple of four.

const LEFT_WIDTH = 4u;
@group(0) @binding(1) var<storage, read> left: array<In4>;

fn left_at(at: u32) -> f32 { return f32(left[at / 4u][at % 4u]); }

// Four neighbours from `at` on, a multiple of four.
fn left_four(at: u32) -> vec4<f32> { return vec4<f32>(left[at / 4u]); }
