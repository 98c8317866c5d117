// half_out: as common/half.wgsl, where only what is written are 16-bit floats.

enable f16;

alias In = f32;
alias In4 = vec4<f32>;
alias Out = f16;
alias Out4 = vec4<f16>;

const LARGEST = 65504.0;

fn to_out(x: f32) -> Out {
    let nan = (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
    return f16(select(clamp(x, -LARGEST, LARGEST), x, nan));
}

fn to_out4(x: vec4<f32>) -> Out4 {
    let nan = (bitcast<vec4<u32>>(x) & vec4(0x7fffffffu)) > vec4(0x7f800000u);
    return vec4<f16>(select(clamp(x, vec4(-LARGEST), vec4(LARGEST)), x, nan));
}
