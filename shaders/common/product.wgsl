// product: what all ways to compute c[row, column] = sum over k of a[row, k] * b[k, column] share.
//
// The operator's file says what the matrices are; they need not exist in memory:
//
//   a_row(row)              what load_a wants to know of a row; decoded once, before the loop over k
//   a_depth(k)              what load_a wants to know of k; decoded once a step
//   load_a(row, depth)      a at a row, k, k+1, k+2 and k+3; zeros outside
//   load_a_rows(row, depth) a at k, a row and the three below it; zeros outside
//   load_b(k, column)       b at k and four columns from `column` on; zeros outside
//
// A kernel needs one of the two load_a. Both factors are read through left_*.wgsl and right_*.wgsl, and what becomes of c
// is the business of end_*.wgsl.
//
// Shapes   a [rows, depth], b [depth, columns], c [rows, columns]: fields of `p`, which has `split_depth` too
// Splits   Where c has few tiles, the depth is cut into pieces of `split_depth`. Each piece writes a c of its own,
//          one below the other, and column_sum.wgsl adds them up. Where k stands for (product, its own k), the
//          pieces are products in their own right: that is how winograd.wgsl multiplies a batch.
// Pooling  If `pooled` is 1, four rows from a multiple of four on are the pixels of a window of 2 x 2, and c has
//          one row for them, their maximum. The activation grows with its argument, so it may come after. A NaN
//          wins, as in max_pool2d.wgsl.

// What a workgroup computes: the tile of c from (row, column) on, over the piece of the depth from k on.
struct Tile { row: u32, column: u32, split: u32, k: u32 }

// Groups that a folded grid has too many start behind the depth: they load zeros and store nothing.
fn tile_of(group: u32, rows: u32, columns: u32) -> Tile {
    let across = (p.columns + columns - 1u) / columns;
    let down = (p.rows + rows - 1u) / rows;
    let split = group / across / down;
    return Tile(group / across % down * rows, group % across * columns, split, split * p.split_depth);
}

fn store_rows(split: u32, row: u32, column: u32, s0: vec4<f32>, s1: vec4<f32>, s2: vec4<f32>, s3: vec4<f32>) {
    if column >= p.columns || row >= p.rows { return; }
    if p.pooled == 1u {
        store_window(row / 4u, column, s0, s1, s2, s3);
        return;
    }
    let to = split * p.rows + row;
    store(to, column, s0);
    if row + 1u < p.rows { store(to + 1u, column, s1); }
    if row + 2u < p.rows { store(to + 2u, column, s2); }
    if row + 3u < p.rows { store(to + 3u, column, s3); }
}
