pub mod dataset;
pub mod people;
