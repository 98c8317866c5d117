// correct: the number of rows in which logits and targets have their maximum at the same class.
//
//   y = number of n with argmax z[n] = argmax t[n]
//
// Shapes   z, t  [rows, classes]
//          y     []
// Ties     the first class in order wins.
// Mapping  one workgroup; each thread takes whole rows
// Cost     2 * classes reads in a row per thread: meant for the few classes of a recogniser

struct Params { rows: u32, classes: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read> t: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(local_invocation_index) thread: u32) {
    var agreeing = 0.0;
    for (var row = thread; row < p.rows; row += WORKGROUP) {
        let first = row * p.classes;
        var predicted = 0u;
        var wanted = 0u;
        for (var c = 1u; c < p.classes; c++) {
            if z[first + c] > z[first + predicted] { predicted = c; }
            if t[first + c] > t[first + wanted] { wanted = c; }
        }
        if predicted == wanted { agreeing += 1.0; }
    }
    let total = tree_sum(thread, agreeing, 1u);
    if thread == 0u { y[0] = total; }
}
