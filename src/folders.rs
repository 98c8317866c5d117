//! Where the program keeps what it can make or fetch again.

use std::path::PathBuf;

use crate::{Error, Result};

/// Environment variable that names the folder instead.
const VARIABLE: &str = "LOOKALIKE_CACHE";

/// The folder for downloaded weights and cached features: `LOOKALIKE_CACHE`, else `lookalike` in the user's cache folder
/// (`~/.cache` on Linux, `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows). It may not exist yet.
///
/// # Errors
/// [`Error::Input`] if the system knows no such folder.
pub fn cache_folder() -> Result<PathBuf> {
    let named = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    named.or_else(|| dirs::cache_dir().map(|folder| folder.join("lookalike"))).ok_or_else(|| {
        Error::Input(format!("there is no home folder to keep files in; name a folder in {VARIABLE}"))
    })
}
