// random: Philox 4x32-10, a counter-based generator: the same counter and key give the same words anywhere.
//
// Source   Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011
// Twin     src/ops/random.rs, bit for bit

// The 64-bit product of two words, (low, high), from 16-bit halves: WGSL has no 64-bit integers.
fn multiply_wide(a: u32, b: u32) -> vec2<u32> {
    let a_low = a & 0xffffu;
    let a_high = a >> 16u;
    let b_low = b & 0xffffu;
    let b_high = b >> 16u;
    let low = a_low * b_low;
    let cross = a_high * b_low;
    let other_cross = a_low * b_high;
    let middle = (low >> 16u) + (cross & 0xffffu) + (other_cross & 0xffffu); // below 3 * 2^16
    let high = a_high * b_high + (cross >> 16u) + (other_cross >> 16u) + (middle >> 16u);
    return vec2(a * b, high);
}

fn philox(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    var c = counter;
    var k = key;
    for (var round = 0u; round < 10u; round++) {
        let first = multiply_wide(0xd2511f53u, c.x);
        let second = multiply_wide(0xcd9e8d57u, c.z);
        c = vec4(second.y ^ c.y ^ k.x, second.x, first.y ^ c.w ^ k.y, first.x);
        k += vec2(0x9e3779b9u, 0xbb67ae85u);
    }
    return c;
}

// The words of elements 4 * block to 4 * block + 3 of a stream.
fn random_block(seed: u32, stream: u32, step: u32, block: u32) -> vec4<u32> {
    return philox(vec4(block, step, 0u, 0u), vec2(seed, stream));
}
