//! Every operator against its reference, on every device.

mod activation;
mod adam;
mod augment;
mod builtin;
mod correct;
mod dropout;
mod l2_penalty;
mod normalize;
mod random;
mod record;
mod sgd;
mod softmax_cross_entropy;
mod training;
mod update;
