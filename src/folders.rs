//! Where the program keeps what it can make or fetch again, and what is the user's.

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

/// The folder for what the user made within the program: `lookalike` in the user's data folder (`~/.local/share` on Linux,
/// `~/Library/Application Support` on macOS, `%APPDATA%` on Windows). It may not exist yet.
///
/// # Errors
/// [`Error::Input`] if the system knows no such folder.
pub fn data_folder() -> Result<PathBuf> {
    dirs::data_dir()
        .map(|folder| folder.join("lookalike"))
        .ok_or_else(|| Error::Input("there is no home folder to keep files in; name one (--folder)".into()))
}
