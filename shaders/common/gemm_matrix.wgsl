// gemm_matrix: a product (common/product.wgsl) on the device's units for small matrices, which the lanes of a subgroup
// hold together.
//
// Needs    subgroups of exactly LANES lanes, which are neighbours in the workgroup. The built-ins that would tell a
//          thread's subgroup are not used: a driver of NVIDIA's crashes on modules with them and with matrices
//          (https://github.com/kvark/blade/issues/333).
// Mapping  one workgroup of four subgroups per tile of TILE x TILE sums; a subgroup owns a quarter, 2 x 2 matrices. They
//          are variables with names, as indices of an array may keep a driver from holding it in registers.
// Memory   13.5 KiB (factors of 16 x 16 in f16), 6 KiB (8 x 8 in f16), 11 KiB (8 x 8 in f32) of workgroup memory. Rows
//          of a tile are padded by 8, so that they fall into different banks and stay aligned to 16 bytes.
// Error    Factors are rounded to Factor: in f16 by a part in 2^11 from 2^-14 on, by 2^-25 below, and to infinity from
//          65520 on. Products and sums are in f32.

const THREADS = 4u * LANES;
const TILE = 4u * FRAGMENT;
const TILE_DEPTH = 32u;
const PAD = 8u;
const LOADS = TILE * TILE_DEPTH / 4u / THREADS;
const A_PITCH = TILE_DEPTH + PAD;
const B_PITCH = TILE + PAD;
const B_WIDTH = TILE / 4u;
const AREA = FRAGMENT * FRAGMENT;

var<workgroup> a_tile: array<Factor, TILE * A_PITCH>;
var<workgroup> b_tile: array<Factor, TILE_DEPTH * B_PITCH>;
// A matrix of sums for each subgroup.
var<workgroup> c_tile: array<f32, 4u * AREA>;

fn stage_b(first_k: u32, first_column: u32, thread: u32) {
    for (var i = 0u; i < LOADS; i++) {
        let k = thread / B_WIDTH + i * (THREADS / B_WIDTH);
        let column = thread % B_WIDTH * 4u;
        let b = load_b(first_k + k, first_column + column);
        let at = k * B_PITCH + column;
        b_tile[at] = Factor(b.x);
        b_tile[at + 1u] = Factor(b.y);
        b_tile[at + 2u] = Factor(b.z);
        b_tile[at + 3u] = Factor(b.w);
    }
}

fn c_four(at: u32) -> vec4<f32> { return vec4(c_tile[at], c_tile[at + 1u], c_tile[at + 2u], c_tile[at + 3u]); }

// Writes the matrix of sums that lies in workgroup memory from `own` on; its first is c[row, column].
fn end_matrix(own: u32, lane: u32, split: u32, row: u32, column: u32) {
    for (var i = lane; i < AREA / 16u; i += LANES) {
        let down = i / (FRAGMENT / 4u) * 4u;
        let right = i % (FRAGMENT / 4u) * 4u;
        let at = own + down * FRAGMENT + right;
        store_rows(
            split, row + down, column + right,
            c_four(at), c_four(at + FRAGMENT), c_four(at + 2u * FRAGMENT), c_four(at + 3u * FRAGMENT),
        );
    }
}

@compute @workgroup_size(THREADS)
fn product(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let tile = tile_of(group_index(id, groups), TILE, TILE);

    let subgroup = thread / LANES;
    let lane = thread % LANES;
    let down = subgroup / 2u * 2u * FRAGMENT;
    let right = subgroup % 2u * 2u * FRAGMENT;
    let own = subgroup * AREA;

    prepare_a(tile.row, thread);
    // Zeros are loaded, as Metal has no matrix of zeros to begin with.
    for (var i = lane; i < AREA; i += LANES) { c_tile[own + i] = 0.0; }
    workgroupBarrier();
    var c00 = coopLoadT<Sums>(&c_tile[own], FRAGMENT);
    var c01 = coopLoadT<Sums>(&c_tile[own], FRAGMENT);
    var c10 = coopLoadT<Sums>(&c_tile[own], FRAGMENT);
    var c11 = coopLoadT<Sums>(&c_tile[own], FRAGMENT);

    for (var step = 0u; step < p.split_depth; step += TILE_DEPTH) {
        stage_a(tile.k + step, thread);
        stage_b(tile.k + step, tile.column, thread);
        workgroupBarrier();
        for (var k = 0u; k < TILE_DEPTH; k += FRAGMENT) {
            let a0 = coopLoadT<Left>(&a_tile[down * A_PITCH + k], A_PITCH);
            let a1 = coopLoadT<Left>(&a_tile[(down + FRAGMENT) * A_PITCH + k], A_PITCH);
            let b0 = coopLoadT<Right>(&b_tile[k * B_PITCH + right], B_PITCH);
            let b1 = coopLoadT<Right>(&b_tile[k * B_PITCH + right + FRAGMENT], B_PITCH);
            c00 = coopMultiplyAdd(a0, b0, c00);
            c01 = coopMultiplyAdd(a0, b1, c01);
            c10 = coopMultiplyAdd(a1, b0, c10);
            c11 = coopMultiplyAdd(a1, b1, c11);
        }
        workgroupBarrier();
    }

    if tile.k >= p.depth { return; }
    let row = tile.row + down;
    let column = tile.column + right;
    coopStoreT(c00, &c_tile[own], FRAGMENT);
    workgroupBarrier();
    end_matrix(own, lane, tile.split, row, column);
    workgroupBarrier();
    coopStoreT(c01, &c_tile[own], FRAGMENT);
    workgroupBarrier();
    end_matrix(own, lane, tile.split, row, column + FRAGMENT);
    workgroupBarrier();
    coopStoreT(c10, &c_tile[own], FRAGMENT);
    workgroupBarrier();
    end_matrix(own, lane, tile.split, row + FRAGMENT, column);
    workgroupBarrier();
    coopStoreT(c11, &c_tile[own], FRAGMENT);
    workgroupBarrier();
    end_matrix(own, lane, tile.split, row + FRAGMENT, column + FRAGMENT);
}
