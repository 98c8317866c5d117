//! Every operator against its reference, on every device.

mod activation;
mod builtin;
mod dropout;
mod random;
mod softmax_cross_entropy;
