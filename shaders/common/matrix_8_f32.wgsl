// matrix_8_f32: matrices for common/gemm_matrix.wgsl of 8 x 8, all in f32, by 32 lanes: Apple.

const FRAGMENT = 8u;
const LANES = 32u;
alias Factor = f32;
alias Left = coop_mat8x8<f32, A>;
alias Right = coop_mat8x8<f32, B>;
alias Sums = coop_mat8x8<f32, C>;
