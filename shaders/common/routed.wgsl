// routed: reads dy in front of a max pooling of 2 x 2 and a ReLU where only dy behind them exists, a quarter as large, with
// the winners of its windows (common/winners.wgsl). What the pooling and the ReLU do to it happens while it is loaded.

// Whether dy is behind, and has winners.
override ROUTED: u32 = 0u;

// Which channels of a word of winners gave the pixel (i, j) to their window.
fn routes(word: u32, i: u32, j: u32) -> vec4<bool> {
    let codes = (vec4(word) >> vec4(0u, 8u, 16u, 24u)) & vec4(0xffu);
    return codes == vec4(i % 2u * 2u + j % 2u);
}

// The window that a pixel of a picture of `size` lies in, counted in the whole batch, or OUTSIDE: an odd last row or column
// lies in none.
fn window_of(n: u32, i: u32, j: u32, size: vec2<u32>) -> u32 {
    let windows = size / 2u;
    if i / 2u >= windows.x || j / 2u >= windows.y { return OUTSIDE; }
    return (n * windows.x + i / 2u) * windows.y + j / 2u;
}
