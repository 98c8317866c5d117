// matrix_8: matrices for common/gemm_matrix.wgsl of 8 x 8, factors in f16, sums in f32, by 8 lanes: Mesa's software
// driver, on which the kernels are tested.

const FRAGMENT = 8u;
const LANES = 8u;
alias Factor = f16;
alias Left = coop_mat8x8<f16, A>;
alias Right = coop_mat8x8<f16, B>;
alias Sums = coop_mat8x8<f32, C>;
