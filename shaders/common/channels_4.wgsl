// channels_4: as channels_1.wgsl, where a thread takes four channels.

alias Number = vec4<f32>;
