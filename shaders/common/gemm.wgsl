// gemm: a product (common/product.wgsl) in tiles, where a is read along the depth.
//
// Mapping  one workgroup of SIDE x SIDE threads per tile of TILE x TILE sums. A thread owns four neighbouring rows,
//          or twice four, and the groups of four columns x, x+SIDE, ...: neighbours read neighbouring words of
//          workgroup memory.
// Memory   8.5 KiB (TILE 32), 9 KiB (64) or 10 KiB (128) of workgroup memory. Rows of a's tile are padded by one
//          vec4, so that rows fall into different banks; they lie in the order in which threads own them.
// Source   the tiling of ONNX Runtime's WebGPU matmul: vec4 along k in a, along columns in b.

const THREADS = SIDE * SIDE;
const ROWS = TILE / SIDE;
const VECTORS = TILE / SIDE / 4u;
const LOADS = TILE * TILE_DEPTH / 4u / THREADS;

const A_WIDTH = TILE_DEPTH / 4u;
const A_PITCH = A_WIDTH + 1u;
const B_WIDTH = TILE / 4u;

var<workgroup> a_tile: array<vec4<f32>, TILE * A_PITCH>;
var<workgroup> b_tile: array<vec4<f32>, TILE_DEPTH * B_WIDTH>;

// The row of c, from the tile's first on, that lies at `slot` in a's tile: thread y owns the slots y, y+SIDE, ...
fn row_of(slot: u32) -> u32 {
    let nth = slot / SIDE;
    return nth / 4u * 4u * SIDE + slot % SIDE * 4u + nth % 4u;
}

@compute @workgroup_size(THREADS)
fn product(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let tile = tile_of(group_index(id, groups), TILE, TILE);

    var rows: array<vec3<u32>, LOADS>;
    for (var i = 0u; i < LOADS; i++) {
        rows[i] = a_row(tile.row + row_of(thread / A_WIDTH + i * (THREADS / A_WIDTH)));
    }
    var sums: array<vec4<f32>, ROWS * VECTORS>;
    let x = thread % SIDE;
    let y = thread / SIDE;

    for (var step = 0u; step < p.split_depth; step += TILE_DEPTH) {
        let k = tile.k + step;
        let depth = a_depth(k + thread % A_WIDTH * 4u);
        for (var i = 0u; i < LOADS; i++) {
            let slot = thread / A_WIDTH + i * (THREADS / A_WIDTH);
            a_tile[slot * A_PITCH + thread % A_WIDTH] = load_a(rows[i], depth);
        }
        for (var i = 0u; i < LOADS; i++) {
            let row = thread / B_WIDTH + i * (THREADS / B_WIDTH);
            b_tile[row * B_WIDTH + thread % B_WIDTH] = load_b(k + row, tile.column + thread % B_WIDTH * 4u);
        }
        workgroupBarrier();
        for (var q = 0u; q < A_WIDTH; q++) {
            for (var v = 0u; v < VECTORS; v++) {
                let at = q * 4u * B_WIDTH + x + v * SIDE;
                let b0 = b_tile[at];
                let b1 = b_tile[at + B_WIDTH];
                let b2 = b_tile[at + 2u * B_WIDTH];
                let b3 = b_tile[at + 3u * B_WIDTH];
                for (var r = 0u; r < ROWS; r++) {
                    let a = a_tile[(y + r * SIDE) * A_PITCH + q];
                    sums[r * VECTORS + v] += a.x * b0 + a.y * b1 + a.z * b2 + a.w * b3;
                }
            }
        }
        workgroupBarrier();
    }

    if tile.k >= p.depth { return; }
    for (var r = 0u; r < ROWS; r += 4u) {
        let row = tile.row + row_of(y + r * SIDE);
        for (var v = 0u; v < VECTORS; v++) {
            let at = r * VECTORS + v;
            store_rows(
                tile.split, row, tile.column + (x + v * SIDE) * 4u,
                sums[at], sums[at + VECTORS], sums[at + 2u * VECTORS], sums[at + 3u * VECTORS],
            );
        }
    }
}
