// moving_average: an exponential moving average, updated in place.
//
//   state[i] = momentum * state[i] + (1 - momentum) * value[i]
//
// Shapes   any; `len` elements
// Mapping  one thread per element

struct Params { len: u32, momentum: f32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> value: array<f32>;
@group(0) @binding(2) var<storage, read_write> state: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn update(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    if i >= p.len { return; }
    state[i] = p.momentum * state[i] + (1.0 - p.momentum) * value[i];
}
