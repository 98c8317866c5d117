// max_pool2d: the maximum over windows of an image, and its gradient.
//
//   y[n,i,j,c]  = max of x[n,h,w,c] over the window at (i, j)
//   dx[n,h,w,c] = sum of dy over the windows whose winner is at (h, w), times the slope of the activation that gave x
//                 there, so that dx is the gradient before it
//
// Shapes   x, dx   [batch, height, width, channels]
//          y, dy   [batch, out_height, out_width, channels]
// Types    of x and y in forward: common/float.wgsl
// Windows  common/windows.wgsl; padding is skipped, so it never wins
// Extents  forward_within takes pictures of different sizes in one batch: what lies behind a picture's own extent is
//          skipped like padding, and a window that holds nothing of the picture gives 0.
//          extent [batch, 2], rows and columns
// Ties     the first position in row-major order wins and takes the whole gradient, as in PyTorch; so it does
//          in a window wholly of minus infinity. A NaN beats all, the last of several wins, as in PyTorch.
// Mapping  forward, forward_within: one thread per element of y. backward: one per element of dx, which asks the windows that
//          cover it. backward_disjoint, for windows that do not overlap: one per stride_y x stride_x cell of
//          the image, which holds at most one window.
// Cost     winners are found again instead of being kept. The usual 2x2 windows read x once, in both
//          directions.

const NAN_KEY = 0xffffffffu;
const NONE = 0xffffffffu; // no index

@group(0) @binding(1) var<storage, read> x: array<In>;

// Integers in the order of the floats: WGSL may assume that no float is NaN. Both zeros have one key.
fn key(value: f32) -> u32 {
    let bits = bitcast<u32>(value);
    let magnitude = bits & 0x7fffffffu;
    let ordered = select(0x80000000u + magnitude, 0x80000000u - magnitude, bits > 0x7fffffffu);
    return select(ordered, NAN_KEY, magnitude > 0x7f800000u);
}

struct Winner { index: u32, key: u32 }

// The winner of the window at (i, j) in a picture of `size` rows and columns. Its key is 0 if there is none.
fn winner_within(n: u32, i: u32, j: u32, c: u32, size: vec2<u32>) -> Winner {
    var best = Winner(0u, 0u); // below every key
    for (var u = 0u; u < p.window_height; u++) {
        // A position above or left of the image wraps around to a huge number,
        // so one comparison per axis rejects both sides of the padding.
        let h = i * p.stride_y + u - p.top;
        if h >= size.x { continue; }
        for (var v = 0u; v < p.window_width; v++) {
            let w = j * p.stride_x + v - p.left;
            if w >= size.y { continue; }
            let index = x_index(n, h, w, c);
            let candidate = key(f32(x[index]));
            if candidate > best.key || candidate == NAN_KEY { best = Winner(index, candidate); }
        }
    }
    return best;
}

// Index into x of the winner of the window at (i, j).
fn winner(n: u32, i: u32, j: u32, c: u32) -> u32 {
    return winner_within(n, i, j, c, vec2(p.height, p.width)).index;
}

@group(0) @binding(2) var<storage, read_write> y: array<Out>;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = linear_index(id, groups);
    if index >= p.batch * p.out_height * p.out_width * p.channels { return; }
    let at = place(index, p.out_height, p.out_width);
    y[index] = to_out(f32(x[winner(at.n, at.row, at.column, at.c)]));
}

@group(0) @binding(2) var<storage, read> extent: array<u32>;
@group(0) @binding(3) var<storage, read_write> y_within: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn forward_within(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = linear_index(id, groups);
    if index >= p.batch * p.out_height * p.out_width * p.channels { return; }
    let at = place(index, p.out_height, p.out_width);
    let size = min(vec2(extent[at.n * 2u], extent[at.n * 2u + 1u]), vec2(p.height, p.width));
    let winner = winner_within(at.n, at.row, at.column, at.c, size);
    y_within[index] = select(f32(x[winner.index]), 0.0, winner.key == 0u);
}

@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = linear_index(id, groups);
    if index >= p.batch * p.height * p.width * p.channels { return; }
    let at = place(index, p.height, p.width);
    let rows = covering(at.row + p.top, p.window_height, p.stride_y, p.out_height);
    let columns = covering(at.column + p.left, p.window_width, p.stride_x, p.out_width);
    var sum = 0.0;
    for (var i = rows.x; i < rows.y; i++) {
        for (var j = columns.x; j < columns.y; j++) {
            if winner(at.n, i, j, at.c) == index {
                sum += dy[y_index(at.n, i, j, at.c)];
            }
        }
    }
    dx[index] = sum * activation_slope(p.kind, p.slope, f32(x[index]));
}

@compute @workgroup_size(WORKGROUP)
fn backward_disjoint(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = linear_index(id, groups);
    let cells_high = (p.height + p.top - 1u) / p.stride_y + 1u;
    let cells_wide = (p.width + p.left - 1u) / p.stride_x + 1u;
    if index >= p.batch * cells_high * cells_wide * p.channels { return; }
    let at = place(index, cells_high, cells_wide);
    var chosen = NONE;
    var gradient = 0.0;
    if at.row < p.out_height && at.column < p.out_width {
        chosen = winner(at.n, at.row, at.column, at.c);
        gradient = dy[y_index(at.n, at.row, at.column, at.c)] * activation_slope(p.kind, p.slope, f32(x[chosen]));
    }
    for (var u = 0u; u < p.stride_y; u++) {
        let h = at.row * p.stride_y + u - p.top;
        if h >= p.height { continue; }
        for (var v = 0u; v < p.stride_x; v++) {
            let w = at.column * p.stride_x + v - p.left;
            if w >= p.width { continue; }
            let pixel = x_index(at.n, h, w, at.c);
            dx[pixel] = select(0.0, gradient, pixel == chosen);
        }
    }
}
