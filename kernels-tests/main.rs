//! Every operator against its reference, on every device.

mod activation;
mod builtin;
mod column_sum;
mod dense;
mod matmul;
