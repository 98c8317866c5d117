// gemm_rows: a product (common/product.wgsl) in tiles, where a is read along its rows: a[row, k] and a[row + 1, k] are
// neighbours in memory, as where a is given transposed.
//
// Mapping  one workgroup of SIDE x SIDE threads per tile of TILE x TILE sums. A thread owns four neighbouring rows,
//          or twice four, and the groups of four columns x, x+SIDE, ...
// Memory   8 KiB of workgroup memory

const THREADS = SIDE * SIDE;
const QUADS = TILE / SIDE / 4u; // groups of four rows, and of four columns, that a thread owns
const LOADS = TILE * TILE_DEPTH / 4u / THREADS;
const WIDTH = TILE / 4u;

var<workgroup> a_tile: array<vec4<f32>, TILE_DEPTH * WIDTH>;
var<workgroup> b_tile: array<vec4<f32>, TILE_DEPTH * WIDTH>;

@compute @workgroup_size(THREADS)
fn product(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let tile = tile_of(group_index(id, groups), TILE, TILE);

    let quad = thread % WIDTH * 4u;
    let a_rows = a_row(tile.row + quad);
    var sums: array<vec4<f32>, QUADS * QUADS * 4u>;
    let x = thread % SIDE;
    let y = thread / SIDE;

    for (var step = 0u; step < p.split_depth; step += TILE_DEPTH) {
        for (var i = 0u; i < LOADS; i++) {
            let at = thread / WIDTH + i * (THREADS / WIDTH);
            let k = tile.k + step + at;
            a_tile[at * WIDTH + thread % WIDTH] = load_a_rows(a_rows, a_depth(k));
            b_tile[at * WIDTH + thread % WIDTH] = load_b(k, tile.column + quad);
        }
        workgroupBarrier();
        for (var k = 0u; k < TILE_DEPTH; k++) {
            for (var r = 0u; r < QUADS; r++) {
                let a = a_tile[k * WIDTH + y + r * SIDE];
                for (var v = 0u; v < QUADS; v++) {
                    let b = b_tile[k * WIDTH + x + v * SIDE];
                    let at = (r * QUADS + v) * 4u;
                    sums[at] += a.x * b;
                    sums[at + 1u] += a.y * b;
                    sums[at + 2u] += a.z * b;
                    sums[at + 3u] += a.w * b;
                }
            }
        }
        workgroupBarrier();
    }

    if tile.k >= p.depth { return; }
    for (var r = 0u; r < QUADS; r++) {
        for (var v = 0u; v < QUADS; v++) {
            let at = (r * QUADS + v) * 4u;
            store_rows(
                tile.split, tile.row + (y + r * SIDE) * 4u, tile.column + (x + v * SIDE) * 4u,
                sums[at], sums[at + 1u], sums[at + 2u], sums[at + 3u],
            );
        }
    }
}
