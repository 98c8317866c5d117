// conv2d_input_gradient: the gradient of a convolution with respect to its input.
//
//   dx[n,h,w,c] = sum over u, v, o of dy[n,i,j,o] * weight[u,v,c,o]
//                 where i*stride_y = h + pad_top - u*dilation_y and j*stride_x = w + pad_left - v*dilation_x;
//                 a tap for which no such output exists adds nothing
//
// Shapes   common/conv2d.wgsl; left is dy, right is weight with its last two axes swapped, [u, v, o, c]
// Mapping  an implicit product (common/product.wgsl): rows are input pixels (n, h, w), k is (u, v, o), columns are
//          input channels. It gathers, so every run adds in the same order.
// Routing  common/routed.wgsl, where dy is behind a pooling
// Cost     with a stride, all but one in stride_y * stride_x products are with zero

fn a_row(row: u32) -> vec3<u32> { return unflatten(row, vec2(p.height, p.width)); }

fn a_depth(k: u32) -> vec3<u32> { return unflatten(k, vec2(p.window_width, p.out_channels)); }

// The output (n, i, j) that meets the input pixel at the tap; n is OUTSIDE if there is none.
fn output_at(pixel: vec3<u32>, tap: vec3<u32>) -> vec3<u32> {
    let from_top = pixel.y + p.pad_top;
    let from_left = pixel.z + p.pad_left;
    let down = tap.x * p.dilation_y;
    let right = tap.y * p.dilation_x;
    if pixel.x >= p.batch || tap.x >= p.window_height || down > from_top || right > from_left { return vec3(OUTSIDE); }
    let i = (from_top - down) / p.stride_y;
    let j = (from_left - right) / p.stride_x;
    if i * p.stride_y + down != from_top || j * p.stride_x + right != from_left { return vec3(OUTSIDE); }
    if i >= p.out_height || j >= p.out_width { return vec3(OUTSIDE); }
    return vec3(pixel.x, i, j);
}

// Flat index into dy of a channel of an output.
fn dy_index(out: vec3<u32>, channel: u32) -> u32 {
    return ((out.x * p.out_height + out.y) * p.out_width + out.z) * p.out_channels + channel;
}

fn dy_at(pixel: vec3<u32>, tap: vec3<u32>) -> f32 {
    let out = output_at(pixel, tap);
    if out.x == OUTSIDE { return 0.0; }
    return left_at(dy_index(out, tap.z));
}

// Four channels of an output.
fn dy_four(out: vec3<u32>, channel: u32) -> vec4<f32> {
    if ROUTED == 0u { return left_four(dy_index(out, channel)); }
    let window = window_of(out.x, out.y, out.z, vec2(p.out_height, p.out_width));
    if window == OUTSIDE { return vec4(0.0); }
    let at = window * p.out_channels + channel;
    return select(vec4(0.0), left_four(at), routes(winners[at / 4u], out.y, out.z));
}

fn load_a(pixel: vec3<u32>, tap: vec3<u32>) -> vec4<f32> {
    if LEFT_WIDTH == 4u {
        let out = output_at(pixel, tap);
        if out.x == OUTSIDE { return vec4(0.0); }
        return dy_four(out, tap.z);
    }
    let inner = vec2(p.window_width, p.out_channels);
    let tap1 = next(tap, inner);
    let tap2 = next(tap1, inner);
    let tap3 = next(tap2, inner);
    return vec4(dy_at(pixel, tap), dy_at(pixel, tap1), dy_at(pixel, tap2), dy_at(pixel, tap3));
}

fn load_b(k: u32, column: u32) -> vec4<f32> { return right_rows(k, column); }
