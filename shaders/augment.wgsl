// augment: random changes of pictures and their normalisation, in one pass over their bytes.
//
//   x'[h,w]  = x at centre + A * (position - centre) - shift, from four pixels (bilinear); where blurred, the mean of
//              nine such samples, `spacing` apart, weighted 1 2 1 along both axes
//   A        = zoom * (1 shear_x; shear_y 1) * rotation * flip, a 2 x 2 matrix from output to input
//   worn       masks and sunglasses are drawn over x' where the face is, as common/worn.wgsl says
//   contrast   v = mean + (v - mean) * contrast, with the mean of the input's channel
//   brightness v = v + 255 * brightness, then v is kept in 0 to 255
//   saturation, hue: of red, green and blue, as in the cone of hue, saturation and value
//   noise      v = v + deviation * normal, kept in 0 to 255
//   erasing    a rectangle of y is filled with one colour
//   y[n,h,w,c] = v[c'] * scale[c] + offset[c], with c' = c, or channels - 1 - c if reversed
//
// What is drawn evenly lies in -setting to setting; the words come from philox((block, epoch, 0, 0), (seed, keys[n])), those
// of noise from philox((h * width + w, epoch, 1, 0), ...).
//
// Shapes   x, y   [batch, height, width, channels]; x bytes, up to 4 channels
//          keys   [batch]
//          epoch  [1]
//          sums   [batch, 4], of each channel's bytes; only where contrast changes
//          faces  [batch, 10], where the faces are; only where something is worn
//          draws  [batch], one struct for each picture
// Outside  positions outside take the nearest edge, or the picture is mirrored there: (d c b a | a b c d | d c b a)
// Exact    positions are in 1/256 pixel, matrices in 1/65536, both integers, and a weighted sum of four bytes is below 2^24:
//          every device gets the same interpolated value, and rounds only in the colours and the normalisation.
// Mapping  sums: one workgroup per picture; draw: one thread per picture; forward: one thread per pixel
// Source   common/random.wgsl holds the generator; sine and cosine: Volder, "The CORDIC trigonometric computing technique",
//          1959; hue and saturation: Smith, SIGGRAPH 1978

struct Params {
    scale_0: f32, scale_1: f32, scale_2: f32, scale_3: f32,
    offset_0: f32, offset_1: f32, offset_2: f32, offset_3: f32,
    batch: u32, height: u32, width: u32, channels: u32,
    seed: u32, reverse: u32, reflect: u32, flip: u32,
    reach_y: u32, reach_x: u32,     // of the shift, in 1/256 pixel
    zoom: u32, shear: u32,          // in 1/4096
    turn: u32,                      // in 2^-32 of a full turn
    spacing: u32,                   // in 1/256 pixel
    erase: u32, masks: u32, glasses: u32, // shares of the pictures, in 2^-24
    brightness: f32, contrast: f32, saturation: f32, hue: f32, noise: f32,
}

// What happens to one picture.
struct Draws {
    a: i32, b: i32, c: i32, d: i32, // the matrix, rows first (x, then y), in 1/65536
    dy: i32, dx: i32, spacing: i32, // in 1/256 pixel
    brightness: u32, contrast: u32, saturation: u32, hue: u32, noise: u32, // words from which factors are made
    erase_top: u32, erase_left: u32, erase_bottom: u32, erase_right: u32, erase_colour: u32,
    key: u32, epoch: u32,
    sum_0: u32, sum_1: u32, sum_2: u32, sum_3: u32, // of each channel's bytes, where contrast changes
    worn: Worn,
}

@group(0) @binding(0) var<uniform> p: Params;

@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> sums_out: array<u32>;

var<workgroup> sums_tile: array<vec4<u32>, WORKGROUP>;

// Integers add up to the same in any order.
@compute @workgroup_size(WORKGROUP)
fn sums(
    @builtin(local_invocation_index) local: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let n = group_index(group, groups);
    let pixels = select(0u, p.height * p.width, n < p.batch);
    var sum = vec4<u32>();
    for (var pixel = local; pixel < pixels; pixel += WORKGROUP) {
        for (var c = 0u; c < p.channels; c++) {
            let j = (n * pixels + pixel) * p.channels + c;
            sum[c] += byte_of(x[j / 4u], j);
        }
    }
    sums_tile[local] = sum;
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        if local < half { sums_tile[local] += sums_tile[local + half]; }
        workgroupBarrier();
    }
    if local < 4u && n < p.batch { sums_out[n * 4u + local] = sums_tile[0][local]; }
}

@group(0) @binding(1) var<storage, read> keys: array<u32>;
@group(0) @binding(2) var<storage, read> epoch: array<u32>;
@group(0) @binding(3) var<storage, read> sums_in: array<u32>;
@group(0) @binding(4) var<storage, read> faces: array<i32>;
@group(0) @binding(5) var<storage, read_write> drawn: array<Draws>;

// An integer in -reach to reach.
fn even(word: u32, reach: u32) -> i32 {
    return i32(multiply_wide(word, 2u * reach + 1u).y) - i32(reach);
}

// A float in -1 to 1, exact.
fn swing(word: u32) -> f32 {
    return (f32(word >> 8u) - 8388608.0) / 8388608.0;
}

// atan(2^-i) for i = 0, 1, ..., in 2^-32 of a full turn.
const ARCS = array<i32, 20>(
    536870912, 316933406, 167458907, 85004756, 42667331, 21354465, 10679838, 5340245, 2670163, 1335087,
    667544, 333772, 166886, 83443, 41722, 20861, 10430, 5215, 2608, 1304,
);

// Cosine and sine of an angle in 2^-32 of a full turn, times 65536. The vector is turned by ever smaller arcs, towards the
// angle that is left; what they stretch it by is taken off at the start.
fn turned(angle: i32) -> vec2<i32> {
    if angle == 0 { return vec2(65536, 0); }
    let behind = angle > 0x40000000 || angle < -0x40000000;
    var left = angle;
    if behind { left = bitcast<i32>(bitcast<u32>(angle) ^ 0x80000000u); }
    var at = vec2(163008219, 0); // 2^28 / product of sqrt(1 + 4^-i)
    var arcs = ARCS;
    for (var i = 0u; i < 20u; i++) {
        let step = vec2(-(at.y >> i), at.x >> i);
        if left >= 0 {
            at += step;
            left -= arcs[i];
        } else {
            at -= step;
            left += arcs[i];
        }
    }
    if behind { at = -at; }
    return (at + 2048) >> vec2(12u);
}

@compute @workgroup_size(WORKGROUP)
fn draw(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let n = linear_index(id, groups);
    if n >= p.batch { return; }
    var words: array<vec4<u32>, 7>;
    for (var block = 0u; block < 7u; block++) {
        words[block] = philox(vec4(block, epoch[0], 0u, 0u), vec2(p.seed, keys[n]));
    }
    var draws = Draws();
    draws.key = keys[n];
    draws.epoch = epoch[0];
    draws.dy = even(words[0].y, p.reach_y);
    draws.dx = even(words[0].z, p.reach_x);

    let zoom = 4096 + even(words[1].x, p.zoom);
    let turn = turned(even(words[1].y, p.turn));
    let shear_x = even(words[1].z, p.shear);
    let shear_y = even(words[1].w, p.shear);
    let mirror = select(1, -1, p.flip != 0u && (words[0].x & 1u) == 1u);
    draws.a = (turn.x + ((shear_x * turn.y) >> 12u)) * zoom / 4096 * mirror;
    draws.b = (((shear_x * turn.x) >> 12u) - turn.y) * zoom / 4096;
    draws.c = (turn.y + ((shear_y * turn.x) >> 12u)) * zoom / 4096 * mirror;
    draws.d = (turn.x - ((shear_y * turn.y) >> 12u)) * zoom / 4096;

    draws.spacing = i32(multiply_wide(words[2].w, p.spacing + 1u).y);
    draws.brightness = words[0].w;
    draws.contrast = words[2].x;
    draws.saturation = words[2].y;
    draws.hue = words[2].z;
    draws.noise = words[3].x;
    if p.contrast != 0.0 {
        draws.sum_0 = sums_in[n * 4u];
        draws.sum_1 = sums_in[n * 4u + 1u];
        draws.sum_2 = sums_in[n * 4u + 2u];
        draws.sum_3 = sums_in[n * 4u + 3u];
    }

    if (words[3].y >> 8u) < p.erase {
        // Sides of 1/8 to 1/2 of the picture's.
        let tall = max(1u, p.height * (8192u + multiply_wide(words[3].z << 16u, 24577u).y) / 65536u);
        let wide = max(1u, p.width * (8192u + multiply_wide(words[3].z & 0xffff0000u, 24577u).y) / 65536u);
        draws.erase_top = multiply_wide(words[4].x, p.height - tall + 1u).y;
        draws.erase_left = multiply_wide(words[4].y, p.width - wide + 1u).y;
        draws.erase_bottom = draws.erase_top + tall;
        draws.erase_right = draws.erase_left + wide;
        draws.erase_colour = words[3].w;
    }
    if p.masks + p.glasses > 0u {
        var face: array<i32, 10>;
        for (var k = 0u; k < 10u; k++) { face[k] = faces[n * 10u + k]; }
        draws.worn = dressed(face, words[5], words[6], p.masks, p.glasses);
    }
    drawn[n] = draws;
}

@group(0) @binding(1) var<storage, read> x_in: array<u32>;
@group(0) @binding(2) var<storage, read> draws: array<Draws>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// The pixel that stands for this position, which may lie outside.
fn inside(position: i32, size: u32) -> u32 {
    let side = i32(size);
    if p.reflect == 0u { return u32(clamp(position, 0, side - 1)); }
    let there = (position % (2 * side) + 2 * side) % (2 * side);
    return u32(select(there, 2 * side - 1 - there, there >= side));
}

// Each channel of picture n at a position in 1/256 pixel, times 65536.
fn sample(n: u32, at_y: i32, at_x: i32) -> vec4<u32> {
    // Shifting right rounds down, also below 0.
    let part_y = u32(at_y & 255);
    let part_x = u32(at_x & 255);
    var sum = vec4<u32>();
    for (var corner = 0u; corner < 4u; corner++) {
        let below = corner / 2u;
        let right = corner % 2u;
        let row = inside((at_y >> 8u) + i32(below), p.height);
        let column = inside((at_x >> 8u) + i32(right), p.width);
        let weight = select(256u - part_y, part_y, below == 1u) * select(256u - part_x, part_x, right == 1u);
        for (var c = 0u; c < p.channels; c++) {
            let j = ((n * p.height + row) * p.width + column) * p.channels + c;
            sum[c] += byte_of(x_in[j / 4u], j) * weight;
        }
    }
    return sum;
}

// The same, blurred.
fn blurred(n: u32, at_y: i32, at_x: i32, spacing: i32) -> vec4<u32> {
    if spacing == 0 { return sample(n, at_y, at_x); }
    var sum = vec4<u32>();
    for (var k = 0u; k < 9u; k++) {
        let i = i32(k / 3u) - 1;
        let j = i32(k % 3u) - 1;
        sum += u32((2 - abs(i)) * (2 - abs(j))) * sample(n, at_y + i * spacing, at_x + j * spacing);
    }
    return (sum + 8u) >> vec4(4u);
}

// How bright the nearest pixel is.
fn light_at(n: u32, at_y: i32, at_x: i32) -> u32 {
    let row = inside((at_y + 128) >> 8u, p.height);
    let j = ((n * p.height + row) * p.width + inside((at_x + 128) >> 8u, p.width)) * 3u;
    let red = byte_of(x_in[j / 4u], j);
    let green = byte_of(x_in[(j + 1u) / 4u], j + 1u);
    return brightness(vec3(red, green, byte_of(x_in[(j + 2u) / 4u], j + 2u)));
}

// Red, green and blue with more saturation, and the hue moved on by `turn` sixths of the circle.
fn coloured(v: vec4<f32>, saturation: f32, turn: f32) -> vec4<f32> {
    let high = max(max(v.x, v.y), v.z);
    let chroma = high - min(min(v.x, v.y), v.z);
    if chroma <= 0.0 { return v; }
    let stronger = min(high, chroma * saturation);
    // With the same hue, each is as much farther from the highest.
    if turn == 0.0 { return vec4(high - (high - v.xyz) * (stronger / chroma), v.w); }
    var hue = 4.0 + (v.x - v.y) / chroma;
    if v.x == high {
        hue = (v.y - v.z) / chroma;
    } else if v.y == high {
        hue = 2.0 + (v.z - v.x) / chroma;
    }
    let sixths = vec3(5.0, 3.0, 1.0) + hue + turn;
    let k = sixths - 6.0 * floor(sixths / 6.0);
    let rgb = high - stronger * clamp(min(k, 4.0 - k), vec3(0.0), vec3(1.0));
    return vec4(rgb, v.w);
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    if i >= p.batch * p.height * p.width { return; }
    let w = i % p.width;
    let h = i / p.width % p.height;
    let n = i / p.width / p.height;

    // From the centre, in half pixels.
    let across = i32(2u * w) - i32(p.width) + 1;
    let down = i32(2u * h) - i32(p.height) + 1;
    let at_x = i32(p.width - 1u) * 128 + ((draws[n].a * across + draws[n].b * down + 256) >> 9u) - draws[n].dx;
    let at_y = i32(p.height - 1u) * 128 + ((draws[n].c * across + draws[n].d * down + 256) >> 9u) - draws[n].dy;
    var sum = blurred(n, at_y, at_x, draws[n].spacing);
    if draws[n].worn.soft != 0 { sum = with_worn(n, draws[n].worn, at_y, at_x, sum); }

    var v = vec4<f32>(sum) / 65536.0;
    if p.contrast != 0.0 {
        let sums = vec4(draws[n].sum_0, draws[n].sum_1, draws[n].sum_2, draws[n].sum_3);
        let mean = vec4<f32>(sums) / f32(p.height * p.width);
        v = mean + (v - mean) * (1.0 + p.contrast * swing(draws[n].contrast));
    }
    v = clamp(v + 255.0 * p.brightness * swing(draws[n].brightness), vec4(0.0), vec4(255.0));
    if p.channels >= 3u && (p.saturation != 0.0 || p.hue != 0.0) {
        let more = p.saturation * swing(draws[n].saturation);
        v = coloured(v, (1.0 + more) / (1.0 - more), 3.0 * p.hue * swing(draws[n].hue));
    }
    if p.noise != 0.0 {
        // The sum of four evenly distributed bytes is nearly normal: mean 510, variance 4 * (256^2 - 1) / 12.
        let words = philox(vec4(h * p.width + w, draws[n].epoch, 1u, 0u), vec2(p.seed, draws[n].key));
        let bytes = (words & vec4(255u)) + ((words >> vec4(8u)) & vec4(255u)) + ((words >> vec4(16u)) & vec4(255u))
            + (words >> vec4(24u));
        let deviation = 255.0 * p.noise * (f32(draws[n].noise >> 8u) / 16777216.0);
        v = clamp(v + deviation * ((vec4<f32>(bytes) - 510.0) / 147.80054), vec4(0.0), vec4(255.0));
    }
    if h >= draws[n].erase_top && h < draws[n].erase_bottom && w >= draws[n].erase_left && w < draws[n].erase_right {
        v = vec4<f32>((vec4(draws[n].erase_colour) >> vec4(0u, 8u, 16u, 24u)) & vec4(255u));
    }

    var scale = vec4(p.scale_0, p.scale_1, p.scale_2, p.scale_3);
    var offset = vec4(p.offset_0, p.offset_1, p.offset_2, p.offset_3);
    for (var c = 0u; c < p.channels; c++) {
        y[i * p.channels + c] = v[source_channel(c, p.channels, p.reverse)] * scale[c] + offset[c];
    }
}
