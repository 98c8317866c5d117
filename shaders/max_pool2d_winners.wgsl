// max_pool2d_winners: the maximum over windows of 2 x 2 side by side with the winner of each, and the gradient from these.
//
//   y[n,i,j,c]       = max of x over the window
//   winners[n,i,j,c] = which pixel that was (common/winners.wgsl), CLOSED where a ReLU (`kind` 1) gave a y of 0
//   dx[n,h,w,c]      = dy[n,h/2,w/2,c] where the pixel is its window's winner, else 0: the gradient before the ReLU
//
// Shapes   x, dx           [batch, height, width, channels], 4 | channels
//          y, dy, winners  [batch, height/2, width/2, channels], rounded down; an odd last row or column of x has no window
// Mapping  one thread for four channels: of a window in pool, of a pixel in unpool

struct Params { batch: u32, height: u32, width: u32, channels: u32, kind: u32 }

const OUTSIDE = 0xffffffffu;

@group(0) @binding(0) var<uniform> p: Params;

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> new_winners: array<u32>;

@compute @workgroup_size(WORKGROUP)
fn pool(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = linear_index(id, groups);
    let quads = p.channels / 4u;
    let windows = vec2(p.height / 2u, p.width / 2u);
    if index >= p.batch * windows.x * windows.y * quads { return; }
    let window = index / quads;
    let line = window / windows.y;
    let row = line / windows.x * p.height + line % windows.x * 2u;
    let upper = (row * p.width + window % windows.y * 2u) * quads + index % quads;
    let lower = upper + p.width * quads;
    let most = most_of(x[upper], x[upper + quads], x[lower], x[lower + quads]);
    y[index] = most.value;
    new_winners[index] = winner_word(p.kind, most.winner, most.value);
}

@group(0) @binding(1) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> winners: array<u32>;
@group(0) @binding(3) var<storage, read_write> dx: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn unpool(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = linear_index(id, groups);
    let quads = p.channels / 4u;
    let pixel = index / quads;
    let line = pixel / p.width;
    if line >= p.batch * p.height { return; }
    let i = line % p.height;
    let j = pixel % p.width;
    let window = window_of(line / p.height, i, j, vec2(p.height, p.width));
    dx[index] = vec4(0.0);
    if window == OUTSIDE { return; }
    let at = window * quads + index % quads;
    dx[index] = select(vec4(0.0), dy[at], routes(winners[at], i, j));
}
