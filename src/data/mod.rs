//! From folders of photos to a dataset that is split honestly: people, crops, groups of near-duplicates, files.

mod aside;
mod choose;
mod crop_options;
pub mod crops;
mod cut;
mod dataset;
pub mod duplicates;
mod expand;
pub mod features;
mod journal;
mod masks;
pub mod people;
mod placed;
mod review;
mod split;
#[cfg(test)]
mod testing;

pub use aside::{Aside, write_sheets};
pub use choose::{Embed, Why};
pub use cut::FaceCrop;
pub(crate) use dataset::one_hot;
pub use dataset::{CutStyle, Dataset};
pub use expand::{Changer, expand, with_masks};
pub use journal::remove_journal;
pub use review::Review;
pub use split::{Split, split_by_group, split_folds, split_leaky};
