// tile_32: the tile of common/gemm*.wgsl that suits every GPU: 4 x 4 sums a thread.

const TILE = 32u;
const TILE_DEPTH = 32u;
const SIDE = 8u;
