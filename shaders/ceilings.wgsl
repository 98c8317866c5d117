// ceilings: what a device can do at best, to hold every other kernel against.
//
//   copy           y[i] = x[i]
//   multiply_add   y[i] = the sum over 0 <= k < 16 of z[k], where z[k] = x[i] + k * apart at first,
//                  and then, 8 * rounds times, z[k] = z[k] * factor + addend
//
// Shapes   x, y   any; `len` elements, for copy a multiple of 4
// Mapping  copy: one thread per four neighbours, so that whole cache lines are read and written.
//          multiply_add: one thread per element; its 16 numbers live in registers.
// Cost     copy: 8 bytes per element. multiply_add: 256 * rounds operations per element and as good as no memory;
//          the 16 chains do not depend on each other, so that one hides the latency of the next.

struct Params { len: u32, rounds: u32, factor: f32, addend: f32, apart: f32 }

@group(0) @binding(0) var<uniform> p: Params;

@group(0) @binding(1) var<storage, read> x4: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y4: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn copy(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    if i >= p.len / 4u { return; }
    y4[i] = x4[i];
}

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

// Eight steps of four chains, without a loop: its counter would be counted with them.
fn eight_steps(z: vec4<f32>) -> vec4<f32> {
    let factor = vec4<f32>(p.factor);
    let addend = vec4<f32>(p.addend);
    let two = fma(fma(z, factor, addend), factor, addend);
    let four = fma(fma(two, factor, addend), factor, addend);
    let six = fma(fma(four, factor, addend), factor, addend);
    return fma(fma(six, factor, addend), factor, addend);
}

@compute @workgroup_size(WORKGROUP)
fn multiply_add(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    if i >= p.len { return; }
    var a = x[i] + vec4<f32>(0.0, 1.0, 2.0, 3.0) * p.apart;
    var b = a + 4.0 * p.apart;
    var c = b + 4.0 * p.apart;
    var d = c + 4.0 * p.apart;
    for (var round = 0u; round < p.rounds; round++) {
        a = eight_steps(a);
        b = eight_steps(b);
        c = eight_steps(c);
        d = eight_steps(d);
    }
    let sum = (a + b) + (c + d);
    y[i] = (sum.x + sum.y) + (sum.z + sum.w);
}
