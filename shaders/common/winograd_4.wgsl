// winograd_4: the transforms of F(4 x 4, 3 x 3) along one axis: tiles of 4 x 4 outputs from 6 x 6 inputs, with 36
// products in place of 144. Each line of numbers is a matrix times a vector.
//
// Points   0, 1, -1, 2, -2, infinity
// Error    the powers of 2 and the differences cost a decimal digit: below 2e-5 of the largest value, where the plain
//          product stays below 1e-6
// Source   Lavin, Gray, "Fast algorithms for convolutional neural networks", CVPR 2016, section 4.3

const OUT = 4u;
const POINTS = 6u;
alias Line = array<vec4<f32>, 6>;
alias OutLine = array<vec4<f32>, 4>;
alias Taps = array<vec4<f32>, 3>;

// B' d
fn input_line(d: Line) -> Line {
    let even = d[4] - 4.0 * d[2];
    let odd = d[3] - 4.0 * d[1];
    let even2 = d[4] - d[2];
    let odd2 = 2.0 * (d[3] - d[1]);
    return Line(
        4.0 * d[0] - 5.0 * d[2] + d[4], even + odd, even - odd, even2 + odd2, even2 - odd2,
        4.0 * d[1] - 5.0 * d[3] + d[5],
    );
}

// G g
fn weight_line(g: Taps) -> Line {
    let even = (g[0] + g[2]) * (-1.0 / 6.0);
    let odd = g[1] * (-1.0 / 6.0);
    let even2 = g[0] * (1.0 / 24.0) + g[2] * (1.0 / 6.0);
    let odd2 = g[1] * (1.0 / 12.0);
    return Line(0.25 * g[0], even + odd, even - odd, even2 + odd2, even2 - odd2, g[2]);
}

// A' m
fn output_line(m: Line) -> OutLine {
    let sum = m[1] + m[2];
    let difference = m[1] - m[2];
    let sum2 = m[3] + m[4];
    let difference2 = m[3] - m[4];
    return OutLine(
        m[0] + sum + sum2, difference + 2.0 * difference2, sum + 4.0 * sum2, difference + 8.0 * difference2 + m[5],
    );
}

// A dy
fn output_gradient_line(dy: OutLine) -> Line {
    let even = dy[0] + dy[2];
    let odd = dy[1] + dy[3];
    let even2 = dy[0] + 4.0 * dy[2];
    let odd2 = 2.0 * dy[1] + 8.0 * dy[3];
    return Line(dy[0], even + odd, even - odd, even2 + odd2, even2 - odd2, dy[3]);
}

// G' m
fn weight_gradient_line(m: Line) -> Taps {
    let sum = (m[1] + m[2]) * (-1.0 / 6.0);
    let sum2 = m[3] + m[4];
    return Taps(
        0.25 * m[0] + sum + sum2 * (1.0 / 24.0),
        (m[1] - m[2]) * (-1.0 / 6.0) + (m[3] - m[4]) * (1.0 / 12.0),
        sum + sum2 * (1.0 / 6.0) + m[5],
    );
}
