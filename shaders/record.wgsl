// record: writes one scalar into a ring of the last steps.
//
//   ring[step % slots, column] = value
//
// Shapes   ring   [slots, columns]
//          step   [1]
//          value  [] or [1]
// Mapping  one thread

struct Params { slots: u32, columns: u32, column: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> step: array<u32>;
@group(0) @binding(2) var<storage, read> value: array<f32>;
@group(0) @binding(3) var<storage, read_write> ring: array<f32>;

@compute @workgroup_size(1)
fn forward() {
    ring[step[0] % p.slots * p.columns + p.column] = value[0];
}
