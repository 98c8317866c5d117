// matrix_16: matrices for common/gemm_matrix.wgsl of 16 x 16, factors in f16, sums in f32, by 32 lanes: NVIDIA's tensor
// cores.

const FRAGMENT = 16u;
const LANES = 32u;
alias Factor = f16;
alias Left = coop_mat16x16<f16, A>;
alias Right = coop_mat16x16<f16, B>;
alias Sums = coop_mat16x16<f32, C>;
