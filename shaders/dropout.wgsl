// dropout: sets a random share of the elements to zero. The gradient is the same operator applied to dy.
//
//   y[i] = word(offset + i) >= threshold ? x[i] * scale : 0
//
//   threshold = rate * 2^32, scale = 1 / (1 - rate)
//
// Shapes   x, y  any; `len` elements, of which the first is element `offset` of the whole batch
//          step  [1]
// Mapping  one thread per block of four random words, counted over the whole batch
// Cost     no mask is kept: ten rounds of Philox per four elements, forward and backward
// Source   Srivastava et al., JMLR 2014; common/random.wgsl holds the generator

struct Params { len: u32, seed: u32, stream: u32, offset: u32, threshold: u32, scale: f32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> step: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let block = p.offset / 4u + linear_index(id, groups);
    var words = random_block(p.seed, p.stream, step[0], block);
    for (var k = 0u; k < 4u; k++) {
        // The first block may begin before x: then i wraps around to a huge number.
        let i = block * 4u + k - p.offset;
        if i < p.len { y[i] = select(0.0, x[i] * p.scale, words[k] >= p.threshold); }
    }
}
