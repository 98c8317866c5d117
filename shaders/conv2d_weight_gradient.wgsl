// conv2d_weight_gradient: the gradient of a convolution with respect to its weight.
//
//   dweight[u,v,c,o] = sum over n, i, j of
//       x[n, i*stride_y + u*dilation_y - pad_top, j*stride_x + v*dilation_x - pad_left, c] * dy[n,i,j,o]
//
// Shapes   common/conv2d.wgsl; left is x, right is dy
// Mapping  an implicit product (common/product.wgsl): rows are (u, v, c), k is an output pixel (n, i, j), columns are
//          output channels. There are few rows and columns and many pixels, so the depth is usually split.
// Routing  common/routed.wgsl, where dy is behind a pooling
// Cost     with 4 | channels, four neighbouring rows share one tap and lie side by side in x

fn a_row(row: u32) -> vec3<u32> { return unflatten(row, vec2(p.window_width, p.channels)); }

fn a_depth(k: u32) -> vec3<u32> { return unflatten(k, vec2(p.out_height, p.out_width)); }

fn x_at(tap: vec3<u32>, out: vec3<u32>) -> f32 {
    let at = x_index(out.x, out.y, out.z, tap);
    if at == OUTSIDE { return 0.0; }
    return left_at(at);
}

fn load_a_rows(tap: vec3<u32>, out: vec3<u32>) -> vec4<f32> {
    if LEFT_WIDTH == 4u {
        let at = x_index(out.x, out.y, out.z, tap);
        if at == OUTSIDE { return vec4(0.0); }
        return left_four(at);
    }
    let inner = vec2(p.window_width, p.channels);
    let tap1 = next(tap, inner);
    let tap2 = next(tap1, inner);
    let tap3 = next(tap2, inner);
    return vec4(x_at(tap, out), x_at(tap1, out), x_at(tap2, out), x_at(tap3, out));
}

fn load_b(k: u32, column: u32) -> vec4<f32> {
    if ROUTED == 0u { return right_rows(k, column); }
    let out = a_depth(k);
    let window = window_of(out.x, out.y, out.z, vec2(p.out_height, p.out_width));
    if window == OUTSIDE || out.x >= p.batch || column >= p.columns { return vec4(0.0); }
    let at = window * p.columns + column;
    return select(vec4(0.0), right_four(at), routes(winners[at / 4u], out.y, out.z));
}
