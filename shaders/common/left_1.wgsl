// left_1: the first factor of a product where it lies in memory, for rows of any length.

const LEFT_WIDTH = 1u;
@group(0) @binding(1) var<storage, read> left: array<In>;

fn left_at(at: u32) -> f32 { return f32(left[at]); }

// Four neighbours from `at` on.
fn left_four(at: u32) -> vec4<f32> {
    return vec4(left_at(at), left_at(at + 1u), left_at(at + 2u), left_at(at + 3u));
}
