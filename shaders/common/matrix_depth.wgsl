// matrix_depth: brings a's tile for common/gemm_matrix.wgsl into workgroup memory, where a is read along the depth.

const A_WIDTH = TILE_DEPTH / 4u;

var<private> a_rows: array<vec3<u32>, LOADS>;

fn prepare_a(first_row: u32, thread: u32) {
    for (var i = 0u; i < LOADS; i++) {
        a_rows[i] = a_row(first_row + thread / A_WIDTH + i * (THREADS / A_WIDTH));
    }
}

fn stage_a(first_k: u32, thread: u32) {
    let k = thread % A_WIDTH * 4u;
    let depth = a_depth(first_k + k);
    for (var i = 0u; i < LOADS; i++) {
        let a = load_a(a_rows[i], depth);
        let at = (thread / A_WIDTH + i * (THREADS / A_WIDTH)) * A_PITCH + k;
        a_tile[at] = Factor(a.x);
        a_tile[at + 1u] = Factor(a.y);
        a_tile[at + 2u] = Factor(a.z);
        a_tile[at + 3u] = Factor(a.w);
    }
}
