// winners: the maximum over windows of 2 x 2, and which pixel gave it, kept so that the gradient need not ask the pixels again.
//
// Code     of a window and channel: 0 to 3, the winner's place in row-major order, or CLOSED where a ReLU behind gave 0,
//          so that no gradient passes. Four neighbouring channels share a word, the lowest byte first.
// Ties     as in max_pool2d.wgsl: the first wins; a NaN beats all, the last of several.

const CLOSED = 4u;
const RELU = 1u;

struct Most { value: vec4<f32>, winner: vec4<u32> }

fn beats(b: vec4<f32>, a: vec4<f32>) -> vec4<bool> {
    let nan = (bitcast<vec4<u32>>(b) & vec4(0x7fffffffu)) > vec4(0x7f800000u);
    return (b > a) | nan;
}

fn larger(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> { return select(a, b, beats(b, a)); }

// The largest of four pixels, for four channels.
fn most_of(s0: vec4<f32>, s1: vec4<f32>, s2: vec4<f32>, s3: vec4<f32>) -> Most {
    let second = beats(s1, s0);
    let fourth = beats(s3, s2);
    let upper = select(s0, s1, second);
    let lower = select(s2, s3, fourth);
    let below = beats(lower, upper);
    let winner = select(select(vec4(0u), vec4(1u), second), select(vec4(2u), vec4(3u), fourth), below);
    return Most(select(upper, lower, below), winner);
}

// The codes of four channels whose windows end as `value`.
fn winner_word(kind: u32, winner: vec4<u32>, value: vec4<f32>) -> u32 {
    let open = (value > vec4(0.0)) | vec4(kind != RELU);
    let codes = select(vec4(CLOSED), winner, open) << vec4(0u, 8u, 16u, 24u);
    return codes.x | codes.y | codes.z | codes.w;
}
