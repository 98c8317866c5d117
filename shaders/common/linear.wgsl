// linear: one row of workgroups, whatever the device's limit per axis.
//
// The host folds a row of workgroups over two or three axes where it is longer than the device allows
// (65 535 by default). These functions unfold it. The last workgroups may lie behind the end: kernels guard.

override WORKGROUP: u32 = 256u;

// Index of this invocation in the row. For workgroups of WORKGROUP x 1 x 1 invocations.
fn linear_index(id: vec3<u32>, groups: vec3<u32>) -> u32 {
    return id.x + (id.y + id.z * groups.y) * groups.x * WORKGROUP;
}

// Index of this workgroup in the row.
fn group_index(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.x + (group.y + group.z * groups.y) * groups.x;
}
