// random: the words of a stream of random numbers.
//
//   y[e] = component e % 4 of philox(counter = (e / 4, step, 0, 0), key = (seed, stream))
//
// Shapes   y     any; `len` elements
//          step  [1]
// Mapping  one thread per block of four words
// Source   common/random.wgsl holds the generator

struct Params { len: u32, seed: u32, stream: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> step: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(WORKGROUP)
fn words(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let block = linear_index(id, groups);
    var words = random_block(p.seed, p.stream, step[0], block);
    for (var k = 0u; k < 4u; k++) {
        let i = block * 4u + k;
        if i < p.len { y[i] = words[k]; }
    }
}
