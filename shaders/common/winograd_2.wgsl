// winograd_2: the transforms of F(2 x 2, 3 x 3) along one axis: tiles of 2 x 2 outputs from 4 x 4 inputs, with 16
// products in place of 36. Each line of numbers is a matrix times a vector.
//
// Points   0, 1, -1, infinity
// Error    below 2e-6 of the largest value
// Source   Lavin, Gray, "Fast algorithms for convolutional neural networks", CVPR 2016, section 4.1

const OUT = 2u;
const POINTS = 4u;
alias Line = array<vec4<f32>, 4>;
alias OutLine = array<vec4<f32>, 2>;
alias Taps = array<vec4<f32>, 3>;

// B' d
fn input_line(d: Line) -> Line { return Line(d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]); }

// G g
fn weight_line(g: Taps) -> Line {
    return Line(g[0], 0.5 * (g[0] + g[1] + g[2]), 0.5 * (g[0] - g[1] + g[2]), g[2]);
}

// A' m
fn output_line(m: Line) -> OutLine { return OutLine(m[0] + m[1] + m[2], m[1] - m[2] - m[3]); }

// A dy
fn output_gradient_line(dy: OutLine) -> Line { return Line(dy[0], dy[0] + dy[1], dy[0] - dy[1], -dy[1]); }

// G' m
fn weight_gradient_line(m: Line) -> Taps {
    let sum = 0.5 * (m[1] + m[2]);
    return Taps(m[0] + sum, 0.5 * (m[1] - m[2]), sum + m[3]);
}
