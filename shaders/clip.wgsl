// clip: a tensor scaled down where the norm it belongs to is too large.
//
//   y[i] = x[i] * most / max(sqrt(squares), most)
//
// The factor is exactly 1 where the norm is at most `most`, so that nothing changes there.
//
// Shapes   x, y     any; `len` elements
//          squares  [], the square of the norm
// Mapping  one thread per element
// Source   Pascanu, Mikolov, Bengio, ICML 2013, algorithm 1; tf.clip_by_global_norm

struct Params { len: u32, most: f32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> squares: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    if i >= p.len { return; }
    y[i] = x[i] * (p.most / max(sqrt(squares[0]), p.most));
}
