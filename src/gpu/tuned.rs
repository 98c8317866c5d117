//! Which kernel variant was measured to be the fastest for which problem, and which failed their check, kept in a file from
//! one run to the next.
//!
//! A file belongs to an adapter, its driver and this version of the crate, which it tells. It is written whole or not at
//! all. One that is damaged or belongs to something else is as good as none.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use serde_json::{Value, json};

use crate::Result;
use crate::formats::atomic::write_atomically;

/// What is known of an adapter's kernel variants.
#[derive(Debug)]
pub(crate) struct Tuned {
    known: Mutex<Known>,
    owner: Value,
    path: Option<PathBuf>,
}

#[derive(Debug, Default)]
struct Known {
    fastest: BTreeMap<String, String>,
    /// Variants that failed, and how.
    barred: BTreeMap<String, String>,
    measured: usize,
    is_kept: bool,
}

/// What is known of a GPU's kernel variants by measuring them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Problems that were measured since the GPU was opened.
    pub measured: usize,
    /// Problems whose fastest variant is known: these and earlier ones.
    pub known: usize,
    /// Where they are kept for later runs; `None` if the GPU was opened without a cache or it cannot be written to.
    pub file: Option<PathBuf>,
}

impl fmt::Display for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tuning { measured, known, file } = self;
        let problems = |count: usize| if count == 1 { "problem" } else { "problems" };
        match measured {
            0 => write!(f, "nothing new to measure, {known} {} known", problems(*known))?,
            _ => write!(f, "{measured} {} measured, {known} known", problems(*measured))?,
        }
        match file {
            Some(path) => write!(f, ", kept in {}", path.display()),
            None => f.write_str(", kept for this run only: there is no cache folder to write to"),
        }
    }
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
        let known = path.as_deref().and_then(|path| read(path, &owner)).unwrap_or_default();
        Tuned { known: Mutex::new(known), owner, path }
    }

    /// The fastest variant for a problem, if it was measured.
    pub fn get(&self, problem: &str) -> Option<String> {
        self.lock().fastest.get(problem).cloned()
    }

    /// Takes `variant` for a problem from now on, and writes the file. A folder that cannot be written to costs the next
    /// run the measuring, and no run fails for that.
    pub fn remember(&self, problem: &str, variant: &str) {
        let mut known = self.lock();
        known.fastest.insert(problem.into(), variant.into());
        known.measured += 1;
        self.keep(&mut known);
    }

    /// Whether a variant failed its last check.
    pub fn bars(&self, variant: &str) -> bool {
        self.lock().barred.contains_key(variant)
    }

    /// Bars these variants, each with what was wrong, and no others; returns the file that keeps this, if it could be
    /// written.
    #[cfg(feature = "check")]
    pub fn bar(&self, barred: BTreeMap<String, String>) -> Option<PathBuf> {
        let mut known = self.lock();
        known.barred = barred;
        self.keep(&mut known);
        self.path.clone().filter(|_| known.is_kept)
    }

    /// How much is known.
    pub fn report(&self) -> Tuning {
        let known = self.lock();
        let file = self.path.clone().filter(|_| known.is_kept);
        Tuning { measured: known.measured, known: known.fastest.len(), file }
    }

    fn keep(&self, known: &mut Known) {
        known.is_kept = self.path.as_deref().is_some_and(|path| self.write(path, known).is_ok());
    }

    fn write(&self, path: &Path, known: &Known) -> Result<()> {
        if let Some(folder) = path.parent() {
            // Where it fails, so does writing.
            let _ = fs::create_dir_all(folder);
        }
        let document = json!({ "owner": self.owner, "fastest": known.fastest, "barred": known.barred });
        write_atomically(path, |out| out.write_all(format!("{document:#}\n").as_bytes()))
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("nothing panics while it is held")
    }
}

fn read(path: &Path, owner: &Value) -> Option<Known> {
    let document: Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    if document.get("owner") != Some(owner) {
        return None;
    }
    let part = |name: &str| serde_json::from_value(document.get(name)?.clone()).ok();
    Some(Known { fastest: part("fastest")?, barred: part("barred")?, measured: 0, is_kept: true })
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
        let file = first.report().file;
        assert_eq!(file, None, "nothing is kept yet");
        first.remember("conv2d", "tile-64");
        first.remember("conv2d", "tile-128");
        first.remember("dense", "narrow");
        let again = Tuned::open(&adapter("GPU 1"), Some(folder.path()));
        assert_eq!(again.get("conv2d").as_deref(), Some("tile-128"));
        let told = |tuned: &Tuned| tuned.report().to_string();
        assert!(told(&first).starts_with("3 problems measured, 2 known, kept in "), "{}", told(&first));
        assert!(told(&again).starts_with("nothing new to measure, 2 problems known, kept in "));
        // The names of both files are the same, as they keep letters and digits only.
        assert_eq!(Tuned::open(&adapter("GPU/1"), Some(folder.path())).get("conv2d"), None);
        assert_eq!(Tuned::open(&adapter("GPU 2"), Some(folder.path())).get("conv2d"), None);

        let path = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        for damaged in ["", "{}", "{\"owner\": 1", "null"] {
            fs::write(&path, damaged).unwrap();
            assert_eq!(Tuned::open(&adapter("GPU 1"), Some(folder.path())).get("conv2d"), None, "{damaged}");
        }
    }

    #[cfg(feature = "check")]
    #[test]
    fn what_failed_is_barred_until_it_passes() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Tuned::open(&adapter("GPU 1"), Some(folder.path()));
        let failed = |name: &str| BTreeMap::from([(name.to_string(), "element 3 is off".to_string())]);
        assert!(open().bar(failed("subgroup")).is_some());
        open().remember("conv2d", "tile-64");
        assert!(open().bars("subgroup") && !open().bars("tile-64"));
        open().bar(failed("narrow"));
        assert!(!open().bars("subgroup") && open().bars("narrow"));
        assert_eq!(open().get("conv2d").as_deref(), Some("tile-64"));
        open().bar(BTreeMap::new());
        assert!(!open().bars("narrow"));
        let unkept = Tuned::open(&adapter("GPU 1"), None);
        assert_eq!(unkept.bar(failed("narrow")), None);
        assert!(unkept.bars("narrow"));
    }

    #[test]
    fn without_a_folder_nothing_is_written() {
        let tuned = Tuned::open(&adapter("GPU 1"), None);
        tuned.remember("conv2d", "tile-64");
        assert_eq!(tuned.get("conv2d").as_deref(), Some("tile-64"));
        let told =
            "1 problem measured, 1 known, kept for this run only: there is no cache folder to write to";
        assert_eq!(tuned.report().to_string(), told);
    }
}
