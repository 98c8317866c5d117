// rows: how a matrix [rows, length] is worked on row by row; a kernel adds the threads of a row with common/reduce.wgsl.
//
// Mapping  a workgroup takes `width` rows (a power of two); thread t works on row t % width, and is number t / width of
//          the WORKGROUP / width threads that share it: 256 rows of 1, or one row of 256 and more

struct Params { rows: u32, length: u32, width: u32 }

@group(0) @binding(0) var<uniform> p: Params;

// A thread's elements: first, first + step, ... below end.
struct Elements { first: u32, end: u32, step: u32 }

fn elements_of(group: u32, local: u32) -> Elements {
    let row = group * p.width + local % p.width;
    let start = row * p.length;
    return Elements(start + local / p.width, select(0u, start + p.length, row < p.rows), WORKGROUP / p.width);
}
