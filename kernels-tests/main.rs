//! Every operator against its reference, on every device.

mod activation;
mod builtin;
mod random;
