// avg_pool2d: the mean over windows of an image, and its gradient.
//
//   y[n,i,j,c]  = sum of x[n,h,w,c] over the window at (i, j) / count(i, j)
//   dx[n,h,w,c] = sum of dy[n,i,j,c] / count(i, j) over the windows (i, j) that cover (h, w)
//
// count(i, j) is the number of pixels of the window inside the image, as in Keras, and in PyTorch with
// count_include_pad=False.
//
// Shapes   x, dx   [batch, height, width, channels]
//          y, dy   [batch, out_height, out_width, channels]
// Windows  common/windows.wgsl
// Mapping  one thread per element of y (forward) or dx (backward); neighbours differ in channel

// First and one past the last pixel inside the image of the window at `i` along an axis.
fn inside(i: u32, stride: u32, window: u32, before: u32, size: u32) -> vec2<u32> {
    let start = i * stride;
    return vec2(max(start, before) - before, min(start + window - before, size));
}

fn rows_of(i: u32) -> vec2<u32> {
    return inside(i, p.stride_y, p.window_height, p.top, p.height);
}

fn columns_of(j: u32) -> vec2<u32> {
    return inside(j, p.stride_x, p.window_width, p.left, p.width);
}

fn count(rows: vec2<u32>, columns: vec2<u32>) -> f32 {
    return f32((rows.y - rows.x) * (columns.y - columns.x));
}

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = linear_index(id, groups);
    if index >= p.batch * p.out_height * p.out_width * p.channels { return; }
    let at = place(index, p.out_height, p.out_width);
    let rows = rows_of(at.row);
    let columns = columns_of(at.column);
    var sum = 0.0;
    for (var h = rows.x; h < rows.y; h++) {
        var line = 0.0;
        for (var w = columns.x; w < columns.y; w++) {
            line += x[x_index(at.n, h, w, at.c)];
        }
        sum += line;
    }
    y[index] = sum / count(rows, columns);
}

@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = linear_index(id, groups);
    if index >= p.batch * p.height * p.width * p.channels { return; }
    let at = place(index, p.height, p.width);
    let rows = covering(at.row + p.top, p.window_height, p.stride_y, p.out_height);
    let columns = covering(at.column + p.left, p.window_width, p.stride_x, p.out_width);
    var sum = 0.0;
    for (var i = rows.x; i < rows.y; i++) {
        for (var j = columns.x; j < columns.y; j++) {
            sum += dy[y_index(at.n, i, j, at.c)] / count(rows_of(i), columns_of(j));
        }
    }
    dx[index] = sum;
}
