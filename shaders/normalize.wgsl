// normalize: pixels to floats, as a network wants them.
//
//   y[n,h,w,c] = x[n,h,w,c'] * scale[c] + offset[c],   c' = c, or channels - 1 - c if reversed
//
// Shapes   x  [batch, height, width, channels], bytes; `len` of them
//          y  [batch, height, width, channels]
// Mapping  one thread per element
// Source   keras.applications.imagenet_utils.preprocess_input (its modes caffe and torch)

struct Params {
    scale_0: f32, scale_1: f32, scale_2: f32, scale_3: f32,
    offset_0: f32, offset_1: f32, offset_2: f32, offset_3: f32,
    len: u32, channels: u32, reverse: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    if i >= p.len { return; }
    let c = i % p.channels;
    let source = i - c + source_channel(c, p.channels, p.reverse);
    var scale = vec4(p.scale_0, p.scale_1, p.scale_2, p.scale_3);
    var offset = vec4(p.offset_0, p.offset_1, p.offset_2, p.offset_3);
    y[i] = f32(byte_of(x[source / 4u], source)) * scale[c] + offset[c];
}
