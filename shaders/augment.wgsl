// augment: random flip, shift and brightness of pictures, and their normalisation, in one pass.
//
//   draws[n]   = philox(counter = (0, epoch, 0, 0), key = (seed, keys[n])): words for flip, dy, dx, brightness
//   y[n,h,w,c] = min(factor * x[n, h - dy, flipped(w - dx), c'], 255) * scale[c] + offset[c]
//
//   flipped(w) = w, or width - 1 - w for half of the pictures
//   dy, dx     in steps of 1/256 pixel, evenly in -reach to reach; positions outside take the nearest edge,
//              between pixels the value is interpolated (bilinear)
//   factor     evenly in 1 - brightness to 1 + brightness
//   c'         c, or channels - 1 - c if reversed
//
// Shapes   x, y   [batch, height, width, channels]; x bytes
//          keys   [batch]
//          epoch  [1]
//          draws  [batch, 4]
// Exact    positions and weights are integers, and a weighted sum of four bytes is below 2^24: every device gets
//          the same interpolated value, and rounds only in the factor and the normalisation.
// Mapping  draw: one thread per picture; forward: one thread per element of y
// Source   common/random.wgsl holds the generator

struct Params {
    scale_0: f32, scale_1: f32, scale_2: f32, scale_3: f32,
    offset_0: f32, offset_1: f32, offset_2: f32, offset_3: f32,
    batch: u32, height: u32, width: u32, channels: u32,
    seed: u32, reverse: u32, flip: u32, reach_y: u32, reach_x: u32, brightness: f32,
}

@group(0) @binding(0) var<uniform> p: Params;

@group(0) @binding(1) var<storage, read> keys: array<u32>;
@group(0) @binding(2) var<storage, read> epoch: array<u32>;
@group(0) @binding(3) var<storage, read_write> drawn: array<u32>;

@compute @workgroup_size(WORKGROUP)
fn draw(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let n = linear_index(id, groups);
    if n >= p.batch { return; }
    var words = philox(vec4(0u, epoch[0], 0u, 0u), vec2(p.seed, keys[n]));
    for (var k = 0u; k < 4u; k++) { drawn[n * 4u + k] = words[k]; }
}

@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> draws: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// An integer in -reach to reach.
fn shift(word: u32, reach: u32) -> i32 {
    return i32(multiply_wide(word, 2u * reach + 1u).y) - i32(reach);
}

fn inside(position: i32, size: u32) -> u32 {
    return u32(clamp(position, 0, i32(size) - 1));
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    if i >= p.batch * p.height * p.width * p.channels { return; }
    let c = i % p.channels;
    let w = i / p.channels % p.width;
    let h = i / p.channels / p.width % p.height;
    let n = i / p.channels / p.width / p.height;

    // In 1/256 of a pixel; shifting right rounds down, also below 0.
    let at_y = i32(h * 256u) - shift(draws[n * 4u + 1u], p.reach_y);
    let at_x = i32(w * 256u) - shift(draws[n * 4u + 2u], p.reach_x);
    let mirror = p.flip != 0u && (draws[n * 4u] & 1u) == 1u;
    let source = source_channel(c, p.channels, p.reverse);
    var sum = 0u;
    for (var corner = 0u; corner < 4u; corner++) {
        let below = corner / 2u;
        let right = corner % 2u;
        let row = inside((at_y >> 8u) + i32(below), p.height);
        var column = inside((at_x >> 8u) + i32(right), p.width);
        if mirror { column = p.width - 1u - column; }
        let j = ((n * p.height + row) * p.width + column) * p.channels + source;
        let part_y = u32(at_y & 255);
        let part_x = u32(at_x & 255);
        let weight = select(256u - part_y, part_y, below == 1u) * select(256u - part_x, part_x, right == 1u);
        sum += byte_of(x[j / 4u], j) * weight;
    }

    let swing = (f32(draws[n * 4u + 3u] >> 8u) - 8388608.0) / 8388608.0; // -1 to 1, exactly
    let value = min(f32(sum) / 65536.0 * (1.0 + p.brightness * swing), 255.0);
    var scale = vec4(p.scale_0, p.scale_1, p.scale_2, p.scale_3);
    var offset = vec4(p.offset_0, p.offset_1, p.offset_2, p.offset_3);
    y[i] = value * scale[c] + offset[c];
}
