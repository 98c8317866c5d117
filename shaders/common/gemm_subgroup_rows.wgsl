// gemm_subgroup_rows: a product (common/product.wgsl) whose threads pass parts of a to each other in registers, where a is
// read along its rows.
//
// Needs    subgroups of 8 lanes or a multiple of 8
// Mapping  eight lanes for 16 rows and 32 columns; lane i owns the columns from 4 i on, and loads four rows of a for all
//          eight: the lower four lanes at k, the upper four at k + 1. 32 threads a workgroup: 64 rows, 32 columns. No
//          workgroup memory, no barrier.

const THREADS = 32u;
const LANES = 8u;
const QUADS = 4u; // of rows
const ROWS = QUADS * 4u;
const TILE_ROWS = THREADS / LANES * ROWS;
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
    let first_lane = invocation - lane;
    let first_row = tile.row + (subgroup * size + first_lane) / LANES * ROWS;

    let own = a_row(first_row + lane % QUADS * 4u);
    var sums: array<vec4<f32>, ROWS>;

    // Weights often have few rows: eight lanes without any have nothing to add up.
    let depth = select(0u, p.split_depth, first_row < p.rows);
    for (var step = 0u; step < depth; step += 2u) {
        let k = tile.k + step;
        let loaded = load_a_rows(own, a_depth(k + lane / QUADS));
        let b0 = load_b(k, column);
        let b1 = load_b(k + 1u, column);
        for (var r = 0u; r < QUADS; r++) {
            let a0 = subgroupShuffle(loaded, first_lane + r);
            let a1 = subgroupShuffle(loaded, first_lane + QUADS + r);
            sums[4u * r] += a0.x * b0 + a1.x * b1;
            sums[4u * r + 1u] += a0.y * b0 + a1.y * b1;
            sums[4u * r + 2u] += a0.z * b0 + a1.z * b1;
            sums[4u * r + 3u] += a0.w * b0 + a1.w * b1;
        }
    }

    if tile.k >= p.depth { return; }
    for (var r = 0u; r < ROWS; r += 4u) {
        store_rows(tile.split, first_row + r, column, sums[r], sums[r + 1u], sums[r + 2u], sums[r + 3u]);
    }
}
