// swap: the two inner axes of a tensor in each other's place, y[n, j, i] = x[n, i, j].
//
// Shapes   x [batch, rows, columns], y [batch, columns, rows]
// Mapping  one thread per element of y. It is for weights, which are small: a large tensor would go through workgroup
//          memory, to read neighbours too.

struct Params { batch: u32, rows: u32, columns: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn swap(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = linear_index(id, groups);
    if index >= p.batch * p.rows * p.columns { return; }
    let i = index % p.rows;
    let j = index / p.rows % p.columns;
    let n = index / p.rows / p.columns;
    y[index] = x[(n * p.rows + i) * p.columns + j];
}
