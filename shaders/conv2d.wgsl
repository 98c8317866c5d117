// conv2d: convolution (cross-correlation, as in Keras and PyTorch) with bias and activation.
//
//   y[n,i,j,o] = activate(bias[o] + sum over u, v, c of
//                x[n, i*stride_y + u*dilation_y - pad_top, j*stride_x + v*dilation_x - pad_left, c] * weight[u,v,c,o])
//
// Shapes   common/conv2d.wgsl; left is x, right is weight
// Mapping  an implicit product (common/product.wgsl): rows are output pixels (n, i, j), k is (u, v, c), columns are
//          output channels. The matrix of patches is computed while it is loaded, never stored.
// Pooling  With `pooled`, rows are the four pixels of each window of 2 x 2 in turn, and y is the maximum over them.
//          A last row or column of pixels that no window holds is not computed.
// Cost     with 4 | channels, four consecutive k share one tap: one bounds check for four neighbouring floats

fn a_row(row: u32) -> vec3<u32> {
    if p.pooled == 1u {
        let window = unflatten(row / 4u, vec2(p.out_height / 2u, p.out_width / 2u));
        return vec3(window.x, window.y * 2u + row % 4u / 2u, window.z * 2u + row % 2u);
    }
    return unflatten(row, vec2(p.out_height, p.out_width));
}

fn a_depth(k: u32) -> vec3<u32> { return unflatten(k, vec2(p.window_width, p.channels)); }

fn x_at(out: vec3<u32>, tap: vec3<u32>) -> f32 {
    let at = x_index(out.x, out.y, out.z, tap);
    if at == OUTSIDE { return 0.0; }
    return left_at(at);
}

fn load_a(out: vec3<u32>, tap: vec3<u32>) -> vec4<f32> {
    if LEFT_WIDTH == 4u {
        let at = x_index(out.x, out.y, out.z, tap);
        if at == OUTSIDE { return vec4(0.0); }
        return left_four(at);
    }
    let inner = vec2(p.window_width, p.channels);
    let tap1 = next(tap, inner);
    let tap2 = next(tap1, inner);
    let tap3 = next(tap2, inner);
    return vec4(x_at(out, tap), x_at(out, tap1), x_at(out, tap2), x_at(out, tap3));
}

fn load_b(k: u32, column: u32) -> vec4<f32> { return right_rows(k, column); }
