// tile_64: the tile of common/gemm*.wgsl for Apple, AMD and middling NVIDIA: 8 x 8 sums a thread.

const TILE = 64u;
const TILE_DEPTH = 16u;
const SIDE = 8u;
