// gemm_subgroup: a product (common/product.wgsl) whose threads pass the rows of a to each other in registers.
//
// Needs    subgroups of 8 lanes or a multiple of 8
// Mapping  eight lanes for 8 rows and 32 columns; lane i owns the columns from 4 i on and loads a of row i for all
//          eight, which read it by a shuffle. 64 threads a workgroup: 64 rows, 32 columns. No workgroup memory, no
//          barrier.

const THREADS = 64u;
const LANES = 8u;
const TILE_ROWS = THREADS;
const TILE_COLUMNS = LANES * 4u;

@compute @workgroup_size(THREADS)
fn product(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_size) size: u32,
    @builtin(subgroup_invocation_id) invocation: u32,
) {
    let tile = tile_of(group_index(id, groups), TILE_ROWS, TILE_COLUMNS);
    let lane = invocation % LANES;
    let column = tile.column + lane * 4u;
    let first_row = tile.row + (subgroup * size + invocation - lane);

    let own = a_row(first_row + lane);
    let first_lane = invocation - lane;
    var sums: array<vec4<f32>, LANES>;

    for (var step = 0u; step < p.split_depth; step += 4u) {
        let k = tile.k + step;
        let loaded = load_a(own, a_depth(k));
        let b0 = load_b(k, column);
        let b1 = load_b(k + 1u, column);
        let b2 = load_b(k + 2u, column);
        let b3 = load_b(k + 3u, column);
        for (var r = 0u; r < LANES; r++) {
            let a = subgroupShuffle(loaded, first_lane + r);
            sums[r] += a.x * b0 + a.y * b1 + a.z * b2 + a.w * b3;
        }
    }

    if tile.k >= p.depth { return; }
    store_rows(tile.split, first_row, column, sums[0], sums[1], sums[2], sums[3]);
    store_rows(tile.split, first_row + 4u, column, sums[4], sums[5], sums[6], sums[7]);
}
