// tile_128: the tile of common/gemm*.wgsl for large NVIDIA: 8 x 8 sums a thread, 256 threads.

const TILE = 128u;
const TILE_DEPTH = 8u;
const SIDE = 16u;
