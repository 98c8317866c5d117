// gemm: a tiled matrix product, c[row, column] = sum over k of a[row, k] * b[k, column].
//
// The operator's file says what the matrices are; they need not exist in memory:
//
//   a_row(row)              what load_a wants to know of a row; decoded once, before the loop over k
//   a_depth(k)              what load_a wants to know of k, k+1, k+2, k+3; decoded once a step
//   load_a(row, depth)      these four elements of a; zeros outside
//   load_b(k, column)       b at k and four columns from `column` on; zeros outside
//   store(row, column, sums)  takes four elements of c; those right of the last column are to be dropped
//
// Shapes   a [rows, depth], b [depth, columns]: fields of `p`, with `split_depth`, a multiple of TILE_DEPTH.
// Splits   Where c has few tiles, the depth is cut into pieces of `split_depth`. Each piece writes a c of its own,
//          one below the other: row counts over all of them. column_sum.wgsl adds them up.
// Mapping  one workgroup of 8 x 8 threads per tile of TILE x TILE sums. A thread owns the rows y, y+8, ... and
//          the groups of four columns x, x+8, ...: neighbours read neighbouring words of workgroup memory.
// Memory   8.5 KiB (TILE 32) or 9 KiB (TILE 64) of workgroup memory. Rows of a's tile are padded by one vec4,
//          so that rows fall into different banks.
// Source   the tiling of ONNX Runtime's WebGPU matmul: vec4 along k in a, along columns in b.

const SIDE = 8u;
const THREADS = SIDE * SIDE;
const ROWS = TILE / SIDE;
const VECTORS = TILE / SIDE / 4u;
const LOADS = TILE * TILE_DEPTH / 4u / THREADS;

const A_WIDTH = TILE_DEPTH / 4u;
const A_PITCH = A_WIDTH + 1u;
const B_WIDTH = TILE / 4u;

var<workgroup> a_tile: array<vec4<f32>, TILE * A_PITCH>;
var<workgroup> b_tile: array<vec4<f32>, TILE_DEPTH * B_WIDTH>;

fn gemm(group: u32, thread: u32) {
    let tile_columns = (p.columns + TILE - 1u) / TILE;
    let tile_rows = (p.rows + TILE - 1u) / TILE;
    let first_column = group % tile_columns * TILE;
    let first_row = group / tile_columns % tile_rows * TILE;
    let split = group / tile_columns / tile_rows;
    // Groups that a folded grid has too many start behind the depth: they load zeros and store nothing.
    let first_k = split * p.split_depth;

    var rows: array<vec3<u32>, LOADS>;
    for (var i = 0u; i < LOADS; i++) {
        rows[i] = a_row(first_row + thread / A_WIDTH + i * (THREADS / A_WIDTH));
    }
    var sums: array<vec4<f32>, ROWS * VECTORS>;
    let x = thread % SIDE;
    let y = thread / SIDE;

    for (var step = 0u; step < p.split_depth; step += TILE_DEPTH) {
        let k = first_k + step;
        let depth = a_depth(k + thread % A_WIDTH * 4u);
        for (var i = 0u; i < LOADS; i++) {
            let row = thread / A_WIDTH + i * (THREADS / A_WIDTH);
            a_tile[row * A_PITCH + thread % A_WIDTH] = load_a(rows[i], depth);
        }
        for (var i = 0u; i < LOADS; i++) {
            let row = thread / B_WIDTH + i * (THREADS / B_WIDTH);
            b_tile[row * B_WIDTH + thread % B_WIDTH] = load_b(k + row, first_column + thread % B_WIDTH * 4u);
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

    if first_k >= p.depth { return; }
    for (var r = 0u; r < ROWS; r++) {
        let row = first_row + y + r * SIDE;
        for (var v = 0u; v < VECTORS; v++) {
            let column = first_column + (x + v * SIDE) * 4u;
            if row < p.rows && column < p.columns {
                store(split * p.rows + row, column, sums[r * VECTORS + v]);
            }
        }
    }
}
