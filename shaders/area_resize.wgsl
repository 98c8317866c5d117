// area_resize: parts of a photo, each resized by averaging areas and normalised.
//
//   y[n,i,j,c] = mean of the photo's bytes c' over rows [first(top + i, height), last(top + i, height)) and columns
//                [first(left + j, width), last(left + j, width)) of window n, * scale[c] + offset[c]
//
//   first(k, size) = floor(k * size / resized)     in each axis with its own size and resized size
//   last(k, size)  = ceil((k + 1) * size / resized)
//   c'             = c, or 2 - c if reversed
//
// A window is a rectangle of the photo, resized to resized_height x resized_width pixels; y holds the part of that
// picture that begins at (top, left). What lies outside of it is 0.
//
// Shapes   photo    bytes [pixels, 3], rows one after the other; a window tells how many pixels a row has
//          windows  [batch, 9]: row length, x, y, width, height, resized_width, resized_height, left, top
//          y        [batch, out_height, out_width, 3]
// Exact    sums are integers: below 2^24 pixels a bin they cannot overflow. The host ensures that size * resized
//          stays below 2^32, and that windows lie inside the photo.
// Mapping  one thread per pixel of y, which reads four pixels at a time: three words. (Fewer turns of the loop also
//          matter to Mesa's llvmpipe, which ends a thread's loops after 65 535; a bin of 256 x 256 takes 17 000.)
// Cost     every pixel of a window is read once, those on a bin's border twice
// Source   PyTorch's interpolate(mode="area"), which is adaptive_avg_pool2d

struct Params {
    scale_0: f32, scale_1: f32, scale_2: f32, scale_3: f32,
    offset_0: f32, offset_1: f32, offset_2: f32, offset_3: f32,
    batch: u32, out_height: u32, out_width: u32, reverse: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> photo: array<u32>;
@group(0) @binding(2) var<storage, read> windows: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

struct Bin { first: u32, last: u32 }

fn bin(k: u32, size: u32, resized: u32) -> Bin {
    return Bin(k * size / resized, ((k + 1u) * size + resized - 1u) / resized);
}

// The sum of the pixels first..last of the photo.
fn sum_of(first: u32, last: u32) -> vec3<u32> {
    var sum = vec3(0u);
    for (var pixel = first / 4u * 4u; pixel < last; pixel += 4u) {
        let word = pixel / 4u * 3u;
        let rgbr = photo[word];
        let gbrg = photo[word + 1u];
        let brgb = photo[word + 2u];
        let at = vec4(pixel, pixel + 1u, pixel + 2u, pixel + 3u);
        let counts = select(vec4(0u), vec4(1u), (at >= vec4(first)) & (at < vec4(last)));
        sum += counts.x * vec3(rgbr & 0xffu, (rgbr >> 8u) & 0xffu, (rgbr >> 16u) & 0xffu);
        sum += counts.y * vec3(rgbr >> 24u, gbrg & 0xffu, (gbrg >> 8u) & 0xffu);
        sum += counts.z * vec3((gbrg >> 16u) & 0xffu, gbrg >> 24u, brgb & 0xffu);
        sum += counts.w * vec3((brgb >> 8u) & 0xffu, (brgb >> 16u) & 0xffu, brgb >> 24u);
    }
    return sum;
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = linear_index(id, groups);
    if index >= p.batch * p.out_height * p.out_width { return; }
    let window = index / p.out_width / p.out_height * 9u;
    let row_length = windows[window];
    let column = windows[window + 7u] + index % p.out_width;
    let row = windows[window + 8u] + index / p.out_width % p.out_height;
    let resized = vec2(windows[window + 5u], windows[window + 6u]);

    var mean = vec3(0.0);
    let inside = column < resized.x && row < resized.y;
    if inside {
        let columns = bin(column, windows[window + 3u], resized.x);
        let rows = bin(row, windows[window + 4u], resized.y);
        var sum = vec3(0u);
        for (var v = rows.first; v < rows.last; v++) {
            let line = (windows[window + 2u] + v) * row_length + windows[window + 1u];
            sum += sum_of(line + columns.first, line + columns.last);
        }
        mean = vec3<f32>(sum) / f32((rows.last - rows.first) * (columns.last - columns.first));
    }
    var scale = vec3(p.scale_0, p.scale_1, p.scale_2);
    var offset = vec3(p.offset_0, p.offset_1, p.offset_2);
    for (var c = 0u; c < 3u; c++) {
        let value = mean[source_channel(c, 3u, p.reverse)] * scale[c] + offset[c];
        y[index * 3u + c] = select(0.0, value, inside);
    }
}
