//! Every operator against its reference, on every device.

mod activation;
mod adam;
mod area_resize;
mod augment;
mod avg_pool2d;
mod batch_norm;
mod batch_norm_inference;
mod builtin;
mod cast;
mod ceilings;
mod clip;
mod column_sum;
mod concat;
mod constants;
mod conv2d;
mod conv2d_max_pool2d;
mod correct;
mod dense;
mod depthwise_conv2d;
mod dropout;
mod face;
#[cfg(feature = "train")]
mod fit;
mod global_avg_pool2d;
mod golden;
#[cfg(feature = "vision")]
mod grad_cam;
mod l2_normalize;
mod l2_penalty;
mod matmul;
mod max_pool2d;
mod max_pool2d_winners;
mod mixup;
mod moving_average;
#[cfg(feature = "vision")]
mod mtcnn;
mod multiply;
mod normalize;
mod precision;
mod prelu;
mod profile;
mod random;
#[cfg(feature = "vision")]
mod recognize;
mod record;
mod reshape;
mod residual_add;
mod scratch_cnn;
mod separable_block;
#[cfg(feature = "sface-weights")]
mod sface;
mod sgd;
mod shaders;
mod softmax;
mod softmax_cross_entropy;
mod training;
mod trials;
mod update;
mod verify;
#[cfg(feature = "train")]
mod vgg16;
mod waiting;
mod winograd;
