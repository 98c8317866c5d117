// mixup: each row of a batch mixed with the row opposite.
//
//   y[n, k] = share * x[n, k] + (1 - share) * x[batch - 1 - n, k]
//
// Its own gradient: dx[n, k] = share * dy[n, k] + (1 - share) * dy[batch - 1 - n, k].
//
// Shapes   x, y   [batch, ...]; `width` elements a row, `len` in all
//          share  [1]
// Mapping  one thread per element
// Source   Zhang, Cisse, Dauphin, Lopez-Paz, "mixup", ICLR 2018. A batch is drawn at random, so the row opposite is a
//          random partner.

struct Params { len: u32, width: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> share: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    if i >= p.len { return; }
    let partner = p.len - p.width - i / p.width * p.width + i % p.width;
    y[i] = share[0] * x[i] + (1.0 - share[0]) * x[partner];
}
