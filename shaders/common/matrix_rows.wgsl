// matrix_rows: brings a's tile for common/gemm_matrix.wgsl into workgroup memory, where a is read along its rows.

const A_QUADS = TILE / 4u;

var<private> a_quad: vec3<u32>;

fn prepare_a(first_row: u32, thread: u32) { a_quad = a_row(first_row + thread % A_QUADS * 4u); }

fn stage_a(first_k: u32, thread: u32) {
    for (var i = 0u; i < LOADS; i++) {
        let k = thread / A_QUADS + i * (THREADS / A_QUADS);
        let a = load_a_rows(a_quad, a_depth(first_k + k));
        let at = thread % A_QUADS * 4u * A_PITCH + k;
        a_tile[at] = Factor(a.x);
        a_tile[at + A_PITCH] = Factor(a.y);
        a_tile[at + 2u * A_PITCH] = Factor(a.z);
        a_tile[at + 3u * A_PITCH] = Factor(a.w);
    }
}
