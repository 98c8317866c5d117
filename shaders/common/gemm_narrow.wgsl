// gemm_narrow: a product (common/product.wgsl) with few columns, such as the first convolution of a network.
//
// Mapping  one thread for four neighbouring rows and 16 columns, 64 threads a workgroup. Each thread reads its own rows
//          of a straight from memory, as no other thread wants them; b lies in workgroup memory, in pieces.
// Memory   2 KiB of workgroup memory

const THREADS = 64u;
const ROWS = 4u;
const TILE_ROWS = THREADS * ROWS;
const TILE_COLUMNS = 16u;
const TILE_DEPTH = 32u;
const VECTORS = TILE_COLUMNS / 4u;
const LOADS = TILE_DEPTH * VECTORS / THREADS;

var<workgroup> b_tile: array<vec4<f32>, TILE_DEPTH * VECTORS>;

@compute @workgroup_size(THREADS)
fn product(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let tile = tile_of(group_index(id, groups), TILE_ROWS, TILE_COLUMNS);
    let first_row = tile.row + thread * ROWS;

    var rows: array<vec3<u32>, ROWS>;
    for (var r = 0u; r < ROWS; r++) {
        rows[r] = a_row(first_row + r);
    }
    var sums: array<vec4<f32>, ROWS * VECTORS>;

    for (var step = 0u; step < p.split_depth; step += TILE_DEPTH) {
        for (var i = 0u; i < LOADS; i++) {
            let at = thread + i * THREADS;
            b_tile[at] = load_b(tile.k + step + at / VECTORS, tile.column + at % VECTORS * 4u);
        }
        workgroupBarrier();
        let length = min(TILE_DEPTH, p.depth - min(p.depth, tile.k + step));
        for (var q = 0u; q < length; q += 4u) {
            let depth = a_depth(tile.k + step + q);
            for (var r = 0u; r < ROWS; r++) {
                let a = load_a(rows[r], depth);
                for (var v = 0u; v < VECTORS; v++) {
                    let at = q * VECTORS + v;
                    sums[r * VECTORS + v] += a.x * b_tile[at] + a.y * b_tile[at + VECTORS]
                        + a.z * b_tile[at + 2u * VECTORS] + a.w * b_tile[at + 3u * VECTORS];
                }
            }
        }
        workgroupBarrier();
    }

    if tile.k >= p.depth { return; }
    for (var v = 0u; v < VECTORS; v++) {
        store_rows(
            tile.split, first_row, tile.column + v * 4u,
            sums[v], sums[VECTORS + v], sums[2u * VECTORS + v], sums[3u * VECTORS + v],
        );
    }
}
