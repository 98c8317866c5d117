// windows: where windows that slide over an image lie, for pooling and depthwise convolution.
//
// The window at (i, j) covers the pixels h = i*stride_y + u - top, w = j*stride_x + v - left for
// 0 <= u < window_height, 0 <= v < window_width, without those outside the image. These sizes are fields of the
// module's parameters `p`.

// Coordinates of an element in an image tensor.
struct Place { n: u32, row: u32, column: u32, c: u32 }

fn place(index: u32, height: u32, width: u32) -> Place {
    let pixel = index / p.channels;
    let line = pixel / width;
    return Place(line / height, line % height, pixel % width, index % p.channels);
}

// Index into x of the element at (h, w) and into y of the one at (i, j).
fn x_index(n: u32, h: u32, w: u32, c: u32) -> u32 {
    return ((n * p.height + h) * p.width + w) * p.channels + c;
}

fn y_index(n: u32, i: u32, j: u32, c: u32) -> u32 {
    return ((n * p.out_height + i) * p.out_width + j) * p.channels + c;
}

// First and one past the last window along an axis that cover the pixel `at`, counted from the start of the
// padding.
fn covering(at: u32, window: u32, stride: u32, out: u32) -> vec2<u32> {
    let first = select(0u, (at - window) / stride + 1u, at >= window);
    return vec2(first, min(at / stride + 1u, out));
}
