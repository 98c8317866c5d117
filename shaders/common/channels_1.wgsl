// channels_1: a thread takes one channel. Of channels_1.wgsl and channels_4.wgsl one stands first in a module that leaves
// open how many a Number holds; its sizes, strides and indices along the channels count Numbers.

alias Number = f32;
