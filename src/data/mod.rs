//! From folders of photos to a dataset that is split honestly: people, crops, groups of near-duplicates, files.

pub mod crops;
mod dataset;
pub mod duplicates;
mod masks;
pub mod people;
mod split;

pub use dataset::Dataset;
pub use masks::Masks;
pub use split::{Split, split_by_group};
