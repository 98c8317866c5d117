// sum: one value per thread, added up over the workgroup in a fixed order: always the same bits.
//
// The order is a tree, so the error grows with log2(WORKGROUP) and not with WORKGROUP, a power of two.

var<workgroup> sum_tile: array<f32, WORKGROUP>;

// The sum over the workgroup, for every thread. All threads call it, none has returned before.
fn workgroup_sum(value: f32, thread: u32) -> f32 {
    workgroupBarrier(); // an earlier sum may still be read
    sum_tile[thread] = value;
    for (var width = WORKGROUP / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if thread < width { sum_tile[thread] += sum_tile[thread + width]; }
    }
    workgroupBarrier();
    return sum_tile[0];
}
