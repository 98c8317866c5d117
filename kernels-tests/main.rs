//! Every operator against its reference, on every device.

mod activation;
mod builtin;
mod correct;
mod dropout;
mod l2_penalty;
mod random;
mod record;
mod softmax_cross_entropy;
mod update;
