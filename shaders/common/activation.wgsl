// activation: element-wise activations whose gradient follows from their output alone.
//
//   kind  0  linear      y = x                          dy/dx = 1
//         1  relu        y = max(x, 0)                  y > 0 ? 1 : 0
//         2  leaky relu  y = x >= 0 ? x : slope * x     y >= 0 ? 1 : slope   (slope > 0)
//         3  sigmoid     y = 1 / (1 + exp(-x))          y * (1 - y)
//         4  tanh        y = tanh(x)                    1 - y * y
//
// At 0 the gradient of relu is 0, as in Keras and PyTorch. NaN passes through.
// The kinds are those of `Activation::kind` in src/ops/activation.rs.

fn activate(kind: u32, slope: f32, x: f32) -> f32 {
    switch kind {
        case 1u: { return select(x, 0.0, x < 0.0); }
        case 2u: { return select(x, slope * x, x < 0.0); }
        case 3u: { return sigmoid(x); }
        case 4u: { return accurate_tanh(x); }
        default: { return x; }
    }
}

// exp never overflows: its argument is at most 0.
fn sigmoid(x: f32) -> f32 {
    let e = exp(-abs(x));
    return select(1.0, e, x < 0.0) / (1.0 + e);
}

// WGSL promises tanh only to an absolute error of 1e-5 and drivers overflow for large x. Near 0 this is the
// Taylor series (its next term is below 1e-7 of x), elsewhere the exponential, which cannot overflow.
fn accurate_tanh(x: f32) -> f32 {
    let s = x * x;
    let series = x * (1.0 + s * (-1.0 / 3.0 + s * (2.0 / 15.0 + s * (-17.0 / 315.0 + s * (62.0 / 2835.0)))));
    let e = exp(-2.0 * abs(x));
    return select(sign(x) * (1.0 - e) / (1.0 + e), series, s < 0.0625);
}

// dy/dx at the point where the activation gives y.
fn activation_slope(kind: u32, slope: f32, y: f32) -> f32 {
    switch kind {
        case 1u: { return select(0.0, 1.0, y > 0.0); }
        case 2u: { return select(1.0, slope, y < 0.0); }
        case 3u: { return y * (1.0 - y); }
        case 4u: { return 1.0 - y * y; }
        default: { return 1.0; }
    }
}
