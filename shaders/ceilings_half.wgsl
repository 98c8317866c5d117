// ceilings_half: multiply_add of ceilings.wgsl, computed in f16.
//
//   y[i] = the sum over 0 <= k < 16 of z[k], where z[k] = x[i] + k * apart at first,
//          and then, 8 * rounds times, z[k] = z[k] * factor + addend
//
// Shapes   x, y   any; `len` elements
// Mapping  as there; what is read, written and summed in the end is f32
// Cost     256 * rounds operations per element

enable f16;

struct Params { len: u32, rounds: u32, factor: f32, addend: f32, apart: f32 }

@group(0) @binding(0) var<uniform> p: Params;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

// Eight steps of four chains, without a loop: its counter would be counted with them.
fn eight_steps(z: vec4<f16>) -> vec4<f16> {
    let factor = vec4<f16>(f16(p.factor));
    let addend = vec4<f16>(f16(p.addend));
    let two = fma(fma(z, factor, addend), factor, addend);
    let four = fma(fma(two, factor, addend), factor, addend);
    let six = fma(fma(four, factor, addend), factor, addend);
    return fma(fma(six, factor, addend), factor, addend);
}

@compute @workgroup_size(WORKGROUP)
fn multiply_add(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    if i >= p.len { return; }
    let apart = f16(p.apart);
    var a = f16(x[i]) + vec4<f16>(0.0, 1.0, 2.0, 3.0) * apart;
    var b = a + 4.0h * apart;
    var c = b + 4.0h * apart;
    var d = c + 4.0h * apart;
    for (var round = 0u; round < p.rounds; round++) {
        a = eight_steps(a);
        b = eight_steps(b);
        c = eight_steps(c);
        d = eight_steps(d);
    }
    let sum = (vec4<f32>(a) + vec4<f32>(b)) + (vec4<f32>(c) + vec4<f32>(d));
    y[i] = (sum.x + sum.y) + (sum.z + sum.w);
}
