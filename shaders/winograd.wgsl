// winograd: what stands around the products of a convolution of 3 x 3 windows, one pixel apart, by Winograd's method.
//
//   y = A' [ sum over c of (G g G') * (B' d B) ] A      for each tile of OUT x OUT outputs; * is by elements
//
//   d, g   POINTS x POINTS inputs of a channel under the tile, and the 3 x 3 window from it to an output channel
//   input, weights, output      V = B' d B,  U = G g G',  y from M, the sum; matmul.wgsl computes it as
//                               POINTS * POINTS products M[point] = V[point] U[point]
//   output_gradient             dM = A dy A'
//   weight_gradient             dg = G' dU G, where dU[point] = V[point]' dM[point]
//
// Shapes   x [batch, height, width, channels], weight [3, 3, channels, out_channels], y [batch, out_height, out_width,
//          out_channels]; channels and out_channels are multiples of four.
//          V lies at tile * tile_stride + point * point_stride + channel, counted in vec4, dM likewise; U is
//          [point, channels, out_channels], M [point, tile, out_channels].
// Types    of x, weight and y, where the whole convolution is computed: common/float.wgsl
// Flipped  For the gradient with respect to the input, weight is [3, 3, out_channels, channels] and read from its last
//          tap on.
// Chunks   A dispatch works on `tiles` tiles from `first_tile` on; `padded` counts those that are written, the last
//          of them with zeros, so that a sum over tiles may run to a round number.
// Pooling  If `pooled` is 1, y is the maximum over windows of 2 x 2, which lie within tiles (common/winners.wgsl);
//          output_winners keeps the winners too. input and output_gradient read a dy that is behind such a pooling
//          (common/routed.wgsl).
// Mapping  one thread for a tile and four channels
// Source   common/winograd_2.wgsl, common/winograd_4.wgsl; the gradients are the adjoints

struct Params {
    batch: u32, height: u32, width: u32, channels: u32, out_height: u32, out_width: u32, out_channels: u32,
    pad_top: u32, pad_left: u32, tiles_down: u32, tiles_across: u32, first_tile: u32, tiles: u32, padded: u32,
    tile_stride: u32, point_stride: u32, biased: u32, kind: u32, slope: f32, pooled: u32, flipped: u32,
    pieces: u32, adds: u32,
}

@group(0) @binding(0) var<uniform> p: Params;

// What a thread works on: a tile of the chunk, four of `quads` * 4 channels, and the tile's (n, down, across).
struct Place { tile: u32, quad: u32, at: vec3<u32> }

fn place(index: u32, quads: u32) -> Place {
    let tile = index / quads;
    let all = p.first_tile + tile;
    let across = all % p.tiles_across;
    let down = all / p.tiles_across % p.tiles_down;
    return Place(tile, index % quads, vec3(all / p.tiles_across / p.tiles_down, down, across));
}

const OUTSIDE = 0xffffffffu;

// Of dy, where it is routed.
@group(0) @binding(2) var<storage, read> winners: array<u32>;

@group(0) @binding(1) var<storage, read> x: array<In4>;
@group(0) @binding(3) var<storage, read_write> v: array<vec4<f32>>;

fn x_at(place: Place, row: u32, column: u32) -> vec4<f32> {
    // A position above or left of the image wraps around to a huge number.
    let h = place.at.y * OUT + row - p.pad_top;
    let w = place.at.z * OUT + column - p.pad_left;
    if place.tile >= p.tiles || h >= p.height || w >= p.width { return vec4(0.0); }
    let quads = p.channels / 4u;
    if ROUTED == 0u { return vec4<f32>(x[((place.at.x * p.height + h) * p.width + w) * quads + place.quad]); }
    let window = window_of(place.at.x, h, w, vec2(p.height, p.width));
    if window == OUTSIDE { return vec4(0.0); }
    let at = window * quads + place.quad;
    return select(vec4(0.0), vec4<f32>(x[at]), routes(winners[at], h, w));
}

@compute @workgroup_size(WORKGROUP)
fn input(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let own = place(linear_index(id, groups), p.channels / 4u);
    if own.tile >= p.padded { return; }
    var rows: array<Line, POINTS>;
    for (var column = 0u; column < POINTS; column++) {
        var d: Line;
        for (var row = 0u; row < POINTS; row++) {
            d[row] = x_at(own, row, column);
        }
        let line = input_line(d);
        for (var row = 0u; row < POINTS; row++) {
            rows[row][column] = line[row];
        }
    }
    let to = own.tile * p.tile_stride + own.quad;
    for (var row = 0u; row < POINTS; row++) {
        let line = input_line(rows[row]);
        for (var column = 0u; column < POINTS; column++) {
            v[to + (row * POINTS + column) * p.point_stride] = line[column];
        }
    }
}

@group(0) @binding(1) var<storage, read> weight: array<In4>;
@group(0) @binding(2) var<storage, read_write> u: array<vec4<f32>>;

fn tap(at: u32, c: u32, quad: u32) -> vec4<f32> {
    if p.flipped == 0u { return vec4<f32>(weight[(at * p.channels + c) * (p.out_channels / 4u) + quad]); }
    let first = (8u - at) * p.out_channels + quad * 4u;
    let column = c % 4u;
    let wanted = c / 4u;
    let quads = p.channels / 4u;
    return vec4<f32>(vec4(
        weight[first * quads + wanted][column],
        weight[(first + 1u) * quads + wanted][column],
        weight[(first + 2u) * quads + wanted][column],
        weight[(first + 3u) * quads + wanted][column],
    ));
}

@compute @workgroup_size(WORKGROUP)
fn weights(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let quads = p.out_channels / 4u;
    let index = linear_index(id, groups);
    if index >= p.channels * quads { return; }
    var rows: array<Taps, POINTS>;
    for (var column = 0u; column < 3u; column++) {
        var g: Taps;
        for (var row = 0u; row < 3u; row++) {
            g[row] = tap(row * 3u + column, index / quads, index % quads);
        }
        let line = weight_line(g);
        for (var row = 0u; row < POINTS; row++) {
            rows[row][column] = line[row];
        }
    }
    for (var row = 0u; row < POINTS; row++) {
        let line = weight_line(rows[row]);
        for (var column = 0u; column < POINTS; column++) {
            u[(row * POINTS + column) * p.channels * quads + index] = line[column];
        }
    }
}

@group(0) @binding(1) var<storage, read> m: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<Out4>;
@group(0) @binding(4) var<storage, read_write> new_winners: array<u32>;

fn ended(quad: u32, sums: vec4<f32>) -> vec4<f32> {
    var sum = sums;
    if p.biased == 1u { sum += bias[quad]; }
    return vec4(
        activate(p.kind, p.slope, sum.x),
        activate(p.kind, p.slope, sum.y),
        activate(p.kind, p.slope, sum.z),
        activate(p.kind, p.slope, sum.w),
    );
}

fn store(n: u32, i: u32, j: u32, rows: u32, columns: u32, quad: u32, sums: vec4<f32>) {
    if i >= rows || j >= columns { return; }
    y[((n * rows + i) * columns + j) * (p.out_channels / 4u) + quad] = to_out4(ended(quad, sums));
}

// A' m along the columns of a tile.
fn output_rows(own: Place) -> array<Line, OUT> {
    let quads = p.out_channels / 4u;
    var rows: array<Line, OUT>;
    for (var column = 0u; column < POINTS; column++) {
        var sums: Line;
        for (var row = 0u; row < POINTS; row++) {
            sums[row] = m[((row * POINTS + column) * p.padded + own.tile) * quads + own.quad];
        }
        let line = output_line(sums);
        for (var row = 0u; row < OUT; row++) {
            rows[row][column] = line[row];
        }
    }
    return rows;
}

@compute @workgroup_size(WORKGROUP)
fn output(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let own = place(linear_index(id, groups), p.out_channels / 4u);
    if own.tile >= p.tiles { return; }
    var rows = output_rows(own);
    let first_row = own.at.y * OUT;
    let first_column = own.at.z * OUT;
    if p.pooled == 1u {
        for (var row = 0u; row < OUT; row += 2u) {
            let upper = output_line(rows[row]);
            let lower = output_line(rows[row + 1u]);
            for (var column = 0u; column < OUT; column += 2u) {
                let most = larger(
                    larger(upper[column], upper[column + 1u]), larger(lower[column], lower[column + 1u]),
                );
                store(
                    own.at.x, (first_row + row) / 2u, (first_column + column) / 2u,
                    p.out_height / 2u, p.out_width / 2u, own.quad, most,
                );
            }
        }
        return;
    }
    for (var row = 0u; row < OUT; row++) {
        let line = output_line(rows[row]);
        for (var column = 0u; column < OUT; column++) {
            store(
                own.at.x, first_row + row, first_column + column, p.out_height, p.out_width, own.quad, line[column],
            );
        }
    }
}

// With pooling; keeps the winners.
@compute @workgroup_size(WORKGROUP)
fn output_winners(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let quads = p.out_channels / 4u;
    let own = place(linear_index(id, groups), quads);
    if own.tile >= p.tiles { return; }
    var rows = output_rows(own);
    let windows = vec2(p.out_height / 2u, p.out_width / 2u);
    for (var row = 0u; row < OUT; row += 2u) {
        let upper = output_line(rows[row]);
        let lower = output_line(rows[row + 1u]);
        for (var column = 0u; column < OUT; column += 2u) {
            let window = vec2(own.at.y * OUT + row, own.at.z * OUT + column) / 2u;
            if any(window >= windows) { continue; }
            let most = most_of(upper[column], upper[column + 1u], lower[column], lower[column + 1u]);
            let value = ended(own.quad, most.value);
            let at = ((own.at.x * windows.x + window.x) * windows.y + window.y) * quads + own.quad;
            y[at] = to_out4(value);
            new_winners[at] = winner_word(p.kind, most.winner, value);
        }
    }
}

@group(0) @binding(1) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> dm: array<vec4<f32>>;

fn dy_at(place: Place, row: u32, column: u32) -> vec4<f32> {
    let i = place.at.y * OUT + row;
    let j = place.at.z * OUT + column;
    if place.tile >= p.tiles || i >= p.out_height || j >= p.out_width { return vec4(0.0); }
    let quads = p.out_channels / 4u;
    if ROUTED == 0u { return dy[((place.at.x * p.out_height + i) * p.out_width + j) * quads + place.quad]; }
    let window = window_of(place.at.x, i, j, vec2(p.out_height, p.out_width));
    if window == OUTSIDE { return vec4(0.0); }
    let at = window * quads + place.quad;
    return select(vec4(0.0), dy[at], routes(winners[at], i, j));
}

@compute @workgroup_size(WORKGROUP)
fn output_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let own = place(linear_index(id, groups), p.out_channels / 4u);
    if own.tile >= p.padded { return; }
    var rows: array<OutLine, POINTS>;
    for (var column = 0u; column < OUT; column++) {
        var gradient: OutLine;
        for (var row = 0u; row < OUT; row++) {
            gradient[row] = dy_at(own, row, column);
        }
        let line = output_gradient_line(gradient);
        for (var row = 0u; row < POINTS; row++) {
            rows[row][column] = line[row];
        }
    }
    let to = own.tile * p.tile_stride + own.quad;
    for (var row = 0u; row < POINTS; row++) {
        let line = output_gradient_line(rows[row]);
        for (var column = 0u; column < POINTS; column++) {
            dm[to + (row * POINTS + column) * p.point_stride] = line[column];
        }
    }
}

// dU in `pieces` partial sums, [point, piece, channels, out_channels].
@group(0) @binding(1) var<storage, read> du: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> dweight: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn weight_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let count = p.channels * (p.out_channels / 4u);
    let index = linear_index(id, groups);
    if index >= count { return; }
    var rows: array<Line, 3>;
    for (var column = 0u; column < POINTS; column++) {
        var sums: Line;
        for (var row = 0u; row < POINTS; row++) {
            let first = (row * POINTS + column) * p.pieces;
            var sum = du[first * count + index];
            for (var piece = 1u; piece < p.pieces; piece++) {
                sum += du[(first + piece) * count + index];
            }
            sums[row] = sum;
        }
        let line = weight_gradient_line(sums);
        for (var row = 0u; row < 3u; row++) {
            rows[row][column] = line[row];
        }
    }
    for (var row = 0u; row < 3u; row++) {
        let line = weight_gradient_line(rows[row]);
        for (var column = 0u; column < 3u; column++) {
            let at = (row * 3u + column) * count + index;
            // The first chunk of tiles finds nothing there.
            if p.adds == 1u { dweight[at] += line[column]; } else { dweight[at] = line[column]; }
        }
    }
}
