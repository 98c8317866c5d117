//! Every operator against its reference, on every device.

mod activation;
mod avg_pool2d;
mod batch_norm;
mod batch_norm_inference;
mod adam;
mod builtin;
mod concat;
mod global_avg_pool2d;
mod max_pool2d;
mod moving_average;
mod multiply;
mod prelu;
mod reshape;
mod correct;
mod dropout;
mod l2_penalty;
mod random;
mod record;
mod sgd;
mod softmax_cross_entropy;
mod update;
mod softmax;
