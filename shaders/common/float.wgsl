// float: how a kernel keeps the tensors whose type it leaves open, here as 32-bit floats.
//
//   In, In4      an element that is read, and four of them; f32(…) and vec4<f32>(…) give their value
//   Out, Out4    an element that is written; to_out and to_out4 make it
//
// Of float.wgsl, half.wgsl, half_in.wgsl and half_out.wgsl one stands first in the module.

alias In = f32;
alias In4 = vec4<f32>;
alias Out = f32;
alias Out4 = vec4<f32>;

fn to_out(x: f32) -> Out { return x; }

fn to_out4(x: vec4<f32>) -> Out4 { return x; }
