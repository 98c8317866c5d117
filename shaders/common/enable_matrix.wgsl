// enable_matrix: what a module with cooperative matrices begins with.

enable f16;
enable wgpu_cooperative_matrix;
