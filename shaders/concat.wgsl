// concat: tensors joined along an axis, and the parts of a joined tensor.
//
//   write_part  whole[o, start + i] = part[o, i]
//   read_part   part[o, i] = whole[o, start + i]
//
// Shapes   part   [outer, part]    the axes up to the joined one, and that with all behind it
//          whole  [outer, whole]
// Mapping  one thread per element of the part; each part has a dispatch of its own, so that any number can
//          be joined

struct Params { len: u32, part: u32, whole: u32, start: u32 }

@group(0) @binding(0) var<uniform> p: Params;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

// Index into the whole of element `i` of the part.
fn in_whole(i: u32) -> u32 {
    return i / p.part * p.whole + p.start + i % p.part;
}

@compute @workgroup_size(WORKGROUP)
fn write_part(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    if i >= p.len { return; }
    y[in_whole(i)] = x[i];
}

@compute @workgroup_size(WORKGROUP)
fn read_part(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    if i >= p.len { return; }
    y[i] = x[in_whole(i)];
}
