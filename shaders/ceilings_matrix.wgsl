// ceilings_matrix: products of small matrices, added up in the registers of a subgroup.
//
//   y[i] = the sum over 0 <= k < 4 of z[k], where z[k] = x[i] + k * apart at first,
//          and then, 8 * rounds times, z[k] = z[k] + FRAGMENT * left * right
//
// That is what an element of c = a b + c becomes where all elements of a are `left` and all of b `right`, however a subgroup
// lays matrices out.
//
// Needs    subgroups of exactly LANES lanes, which are neighbours in the workgroup
// Shapes   x, y   any; `len` elements
// Mapping  each subgroup owns FRAGMENT^2 elements, and four chains of matrices that do not wait for each other
// Memory   at most 5 KiB of workgroup memory
// Cost     64 * rounds * FRAGMENT operations per element

struct Params { len: u32, rounds: u32, left: f32, right: f32, apart: f32, side: u32 }

const THREADS = 4u * LANES;
const AREA = FRAGMENT * FRAGMENT;
const OWN = AREA / LANES;

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

var<workgroup> left: array<Factor, AREA>;
var<workgroup> right: array<Factor, AREA>;
// A matrix of sums for each subgroup.
var<workgroup> sums: array<f32, 4u * AREA>;

@compute @workgroup_size(THREADS)
fn multiply_add(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let subgroup = thread / LANES;
    let lane = thread % LANES;
    let own = subgroup * AREA;
    let first = (group_index(id, groups) * 4u + subgroup) * AREA;

    for (var i = thread; i < AREA; i += THREADS) {
        left[i] = Factor(p.left);
        right[i] = Factor(p.right);
    }
    for (var i = lane; i < AREA; i += LANES) { sums[own + i] = start(first + i); }
    workgroupBarrier();
    let a = coopLoadT<Left>(&left[0], FRAGMENT);
    let b = coopLoadT<Right>(&right[0], FRAGMENT);
    var c0 = coopLoadT<Sums>(&sums[own], FRAGMENT);
    workgroupBarrier();
    for (var i = lane; i < AREA; i += LANES) { sums[own + i] += p.apart; }
    workgroupBarrier();
    var c1 = coopLoadT<Sums>(&sums[own], FRAGMENT);
    workgroupBarrier();
    for (var i = lane; i < AREA; i += LANES) { sums[own + i] += p.apart; }
    workgroupBarrier();
    var c2 = coopLoadT<Sums>(&sums[own], FRAGMENT);
    workgroupBarrier();
    for (var i = lane; i < AREA; i += LANES) { sums[own + i] += p.apart; }
    workgroupBarrier();
    var c3 = coopLoadT<Sums>(&sums[own], FRAGMENT);

    for (var round = 0u; round < p.rounds; round++) {
        for (var step = 0u; step < 8u; step++) {
            c0 = coopMultiplyAdd(a, b, c0);
            c1 = coopMultiplyAdd(a, b, c1);
            c2 = coopMultiplyAdd(a, b, c2);
            c3 = coopMultiplyAdd(a, b, c3);
        }
    }

    var total: array<f32, OWN>;
    workgroupBarrier();
    coopStoreT(c0, &sums[own], FRAGMENT);
    workgroupBarrier();
    for (var j = 0u; j < OWN; j++) { total[j] = sums[own + lane + j * LANES]; }
    workgroupBarrier();
    coopStoreT(c1, &sums[own], FRAGMENT);
    workgroupBarrier();
    for (var j = 0u; j < OWN; j++) { total[j] += sums[own + lane + j * LANES]; }
    workgroupBarrier();
    coopStoreT(c2, &sums[own], FRAGMENT);
    workgroupBarrier();
    for (var j = 0u; j < OWN; j++) { total[j] += sums[own + lane + j * LANES]; }
    workgroupBarrier();
    coopStoreT(c3, &sums[own], FRAGMENT);
    workgroupBarrier();
    for (var j = 0u; j < OWN; j++) {
        let i = first + lane + j * LANES;
        if i < p.len { y[i] = total[j] + sums[own + lane + j * LANES]; }
    }
}

fn start(i: u32) -> f32 {
    if i >= p.len { return 0.0; }
    return x[i];
}
