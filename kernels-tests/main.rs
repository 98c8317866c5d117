//! Every operator against its reference, on every device.

mod activation;
mod builtin;
mod column_sum;
mod conv2d;
mod dense;
mod matmul;
