//! From folders of photos to a dataset that is split honestly: people, crops, groups of near-duplicates, files.

pub mod crops;
pub mod dataset;
pub mod duplicates;
pub mod people;
pub mod split;
