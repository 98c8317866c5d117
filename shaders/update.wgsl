// update: the plainest changes of a state in place.
//
//   increment   counter[0] += 1, modulo 2^32
//   accumulate  state[i] += value[i]
//   reset       state[i] = 0
//
// Shapes   counter       [1]
//          state, value  any; `len` elements
// Mapping  one thread per element

struct Params { len: u32 }

@group(0) @binding(0) var<uniform> p: Params;

@group(0) @binding(1) var<storage, read_write> counter: array<u32>;

@compute @workgroup_size(WORKGROUP)
fn increment(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    if i >= p.len { return; }
    counter[i] += 1u;
}

@group(0) @binding(1) var<storage, read> value: array<f32>;
@group(0) @binding(2) var<storage, read_write> sum: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn accumulate(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    if i >= p.len { return; }
    sum[i] += value[i];
}

@group(0) @binding(1) var<storage, read_write> state: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn reset(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    if i >= p.len { return; }
    state[i] = 0.0;
}
