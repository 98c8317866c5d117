// tile_64: the tile of common/gemm.wgsl for large GPUs: 8 x 8 sums a thread.

const TILE = 64u;
const TILE_DEPTH = 16u;
