//! Which kernel variant was measured to be the fastest for which problem, kept in a file from one run to the next.
//!
//! A file belongs to an adapter, its driver and this version of the crate, which it tells. It is written whole or not at
//! all. One that is damaged or belongs to something else is as good as none.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::formats::atomic::write_atomically;

/// The fastest variants that are known of an adapter.
#[derive(Debug)]
pub(crate) struct Tuned {
    fastest: Mutex<BTreeMap<String, String>>,
    owner: Value,
    path: Option<PathBuf>,
}

impl Tuned {
    /// What the file for an adapter in `folder` says.
    pub(super) fn open(adapter: &wgpu::AdapterInfo, folder: Option<&Path>) -> Tuned {
        let wgpu::AdapterInfo { name, driver, driver_info, backend, .. } = adapter;
        let driver = format!("{driver} {driver_info}").trim().to_string();
        let owner = json!({
            "adapter": name,
            "backend": backend.to_string(),
            "driver": driver,
            "lookalike": env!("CARGO_PKG_VERSION"),
        });
        let plain = |text: &str| text.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let path = folder.map(|folder| folder.join(format!("tuned-{}-{}.json", plain(name), plain(&driver))));
        let fastest = path.as_deref().and_then(|path| read(path, &owner)).unwrap_or_default();
        Tuned { fastest: Mutex::new(fastest), owner, path }
    }

    /// The fastest variant for a problem, if it was measured.
    pub fn get(&self, problem: &str) -> Option<String> {
        self.fastest.lock().expect("the variants' lock").get(problem).cloned()
    }

    /// Takes `variant` for a problem from now on.
    pub fn remember(&self, problem: &str, variant: &str) {
        self.fastest.lock().expect("the variants' lock").insert(problem.into(), variant.into());
    }

    /// Writes the file. A folder that cannot be written to costs the next run the measuring, and no run fails for that.
    pub fn save(&self) {
        let Some(path) = &self.path else { return };
        if let Some(folder) = path.parent() {
            let _ = fs::create_dir_all(folder);
        }
        let fastest = self.fastest.lock().expect("the variants' lock");
        let document = json!({ "owner": self.owner, "fastest": *fastest });
        let _ = write_atomically(path, |out| out.write_all(format!("{document:#}\n").as_bytes()));
    }
}

fn read(path: &Path, owner: &Value) -> Option<BTreeMap<String, String>> {
    let document: Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let fastest = document.get("fastest").filter(|_| document.get("owner") == Some(owner))?;
    serde_json::from_value(fastest.clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(name: &str) -> wgpu::AdapterInfo {
        let mut info = wgpu::AdapterInfo::new(wgpu::DeviceType::DiscreteGpu, wgpu::Backend::Vulkan);
        info.name = name.into();
        info.driver = "driver/1".into();
        info
    }

    #[test]
    fn a_file_serves_its_own_adapter_only() {
        let folder = tempfile::tempdir().unwrap();
        let first = Tuned::open(&adapter("GPU 1"), Some(folder.path()));
        assert_eq!(first.get("conv2d"), None);
        first.remember("conv2d", "tile-64");
        first.save();
        let again = Tuned::open(&adapter("GPU 1"), Some(folder.path()));
        assert_eq!(again.get("conv2d").as_deref(), Some("tile-64"));
        // The names of both files are the same, as they keep letters and digits only.
        assert_eq!(Tuned::open(&adapter("GPU/1"), Some(folder.path())).get("conv2d"), None);
        assert_eq!(Tuned::open(&adapter("GPU 2"), Some(folder.path())).get("conv2d"), None);

        let path = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        for damaged in ["", "{}", "{\"owner\": 1", "null"] {
            fs::write(&path, damaged).unwrap();
            assert_eq!(Tuned::open(&adapter("GPU 1"), Some(folder.path())).get("conv2d"), None, "{damaged}");
        }
    }

    #[test]
    fn without_a_folder_nothing_is_written() {
        let tuned = Tuned::open(&adapter("GPU 1"), None);
        tuned.remember("conv2d", "tile-64");
        tuned.save();
        assert_eq!(tuned.get("conv2d").as_deref(), Some("tile-64"));
    }
}
