// cast: the same values as floats of another width.
//
// Shapes   any; `len` elements
// Types    common/half_in.wgsl or common/half_out.wgsl
// Mapping  one thread per element

struct Params { len: u32 }

@group(0) @binding(0) var<uniform> p: Params;

@group(0) @binding(1) var<storage, read> x: array<In>;
@group(0) @binding(2) var<storage, read_write> y: array<Out>;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    if i >= p.len { return; }
    y[i] = to_out(f32(x[i]));
}
