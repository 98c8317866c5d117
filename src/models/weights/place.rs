//! Where downloaded weights are kept.

use std::path::{Path, PathBuf};

use super::KerasFile;
use crate::folders::cache_folder;
use crate::{Error, Result};

impl KerasFile {
    /// Where the file is kept in the folder for downloads, there or not.
    pub fn place(&self, cache: &Path) -> PathBuf {
        cache.join("weights").join(self.name)
    }
}

/// The downloaded file, if it is there: the program puts it there whole and verified.
///
/// # Errors
/// [`Error::Input`] if the system knows no folder for downloads.
pub fn downloaded(file: &KerasFile) -> Result<Option<PathBuf>> {
    Ok(Some(file.place(&cache_folder()?)).filter(|path| path.is_file()))
}

/// That there are no weights for the network `network`, and both ways to have some.
pub fn none_given(network: &str) -> Error {
    Error::Input(format!(
        "there are no pretrained weights for {network}; download them with 'lookalike weights get {network}', or name a \
         file with --weights FILE"
    ))
}
