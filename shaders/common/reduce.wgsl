// reduce: sums in a fixed order, in pieces: each thread adds a few rows, then a tree adds the threads.
//
// A workgroup works on `width` columns (a power of two): thread t holds a value of column t % width, and is
// number t / width of the WORKGROUP / width threads of that column. With width 1 all threads share one column.
// All threads must call these functions. Always the same bits: the order of the sums is fixed, and as it is a tree
// their error grows with log2(WORKGROUP), not with WORKGROUP.

var<workgroup> reduce_tile: array<f32, WORKGROUP>;

// The sum of `value` over the threads of this thread's column.
fn tree_sum(local: u32, value: f32, width: u32) -> f32 {
    workgroupBarrier(); // the tile may still be read by an earlier call
    reduce_tile[local] = value;
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half >= width; half /= 2u) {
        if local < half {
            reduce_tile[local] += reduce_tile[local + half];
        }
        workgroupBarrier();
    }
    return reduce_tile[local % width];
}

// The maximum likewise.
fn tree_max(local: u32, value: f32, width: u32) -> f32 {
    workgroupBarrier();
    reduce_tile[local] = value;
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half >= width; half /= 2u) {
        if local < half {
            reduce_tile[local] = max(reduce_tile[local], reduce_tile[local + half]);
        }
        workgroupBarrier();
    }
    return reduce_tile[local % width];
}

// How a matrix [rows, channels] is summed by columns: a workgroup takes `chunk` rows of `width` columns.
// The result is [chunks, channels].
struct Columns { rows: u32, channels: u32, chunk: u32, width: u32 }

// A thread's share of that: rows first, first + step, ... below end of a column.
struct Share {
    column: u32,
    first: u32,
    end: u32,
    step: u32,
    out: u32,     // index of the result
    stores: bool, // whether this thread stores it
}

fn share_of(columns: Columns, group: u32, local: u32) -> Share {
    let tiles = (columns.channels + columns.width - 1u) / columns.width;
    let column = group % tiles * columns.width + local % columns.width;
    let chunk = group / tiles;
    let start = chunk * columns.chunk;
    let inside = column < columns.channels && start < columns.rows;
    return Share(
        column,
        start + local / columns.width,
        select(0u, min(start + columns.chunk, columns.rows), inside),
        WORKGROUP / columns.width,
        chunk * columns.channels + column,
        inside && local < columns.width,
    );
}
