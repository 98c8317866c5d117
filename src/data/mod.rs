
pub mod dataset;
pub mod duplicates;
pub mod people;
pub mod split;
