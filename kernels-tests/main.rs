//! Every operator against its reference, on every device.

mod activation;
mod adam;
mod avg_pool2d;
mod batch_norm;
mod batch_norm_inference;
mod augment;
mod builtin;
mod concat;
mod correct;
mod dropout;
mod global_avg_pool2d;
mod l2_penalty;
mod max_pool2d;
mod moving_average;
mod multiply;
mod prelu;
mod normalize;
mod random;
mod record;
mod reshape;
mod sgd;
mod softmax;
mod softmax_cross_entropy;
mod training;
mod update;
