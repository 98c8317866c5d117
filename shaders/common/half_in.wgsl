// half_in: as common/float.wgsl, where only what is read are 16-bit floats.

enable f16;

alias In = f16;
alias In4 = vec4<f16>;
alias Out = f32;
alias Out4 = vec4<f32>;

fn to_out(x: f32) -> Out { return x; }

fn to_out4(x: vec4<f32>) -> Out4 { return x; }
