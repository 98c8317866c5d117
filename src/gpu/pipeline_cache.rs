//! Compiled pipelines, kept in a file from one run to the next.
//!
//! A file belongs to an adapter, its driver and this version of the crate, which its name and its first bytes tell. It is
//! written whole or not at all. One that is damaged or belongs to something else is as good as none.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::Hasher;
use std::path::{Path, PathBuf};

use super::trouble::scoped;
use crate::formats::atomic::write_atomically;

/// What wgpu makes pipelines with, and the file that it came from.
#[derive(Debug)]
pub(super) struct PipelineCache {
    cache: wgpu::PipelineCache,
    path: PathBuf,
    owner: String,
    /// What the file held when it was read.
    loaded: Option<Vec<u8>>,
}

impl PipelineCache {
    /// The cache of `device` in `folder`, filled from the file there. None where the backend has no such caches.
    pub fn open(device: &wgpu::Device, adapter: &wgpu::AdapterInfo, folder: &Path) -> Option<PipelineCache> {
        if !device.features().contains(wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        let key = wgpu::util::pipeline_cache_key(adapter)?;
        let wgpu::AdapterInfo { name, driver, driver_info, .. } = adapter;
        let owner = format!("lookalike {} {key} {name} {driver} {driver_info}", env!("CARGO_PKG_VERSION"));
        let path = folder.join(format!("{key}-{:016x}", hash(owner.as_bytes())));
        let stored = fs::read(&path).ok();
        let loaded = stored.and_then(|bytes| unwrap(&owner, &bytes).map(<[u8]>::to_vec));
        let filled = loaded.as_deref().and_then(|data| create(device, Some(data)));
        let (cache, loaded) = match filled {
            Some(cache) => (cache, loaded),
            None => (create(device, None)?, None),
        };
        Some(PipelineCache { cache, path, owner, loaded })
    }

    /// What a pipeline is made with.
    pub fn raw(&self) -> &wgpu::PipelineCache {
        &self.cache
    }

    /// Writes the file, if there is anything new to write. A folder that cannot be written to costs the next run some
    /// time, and no run fails for that.
    pub fn save(&self) {
        let Some(data) = self.cache.get_data().filter(|data| self.loaded.as_ref() != Some(data)) else {
            return;
        };
        if let Some(folder) = self.path.parent() {
            let _ = fs::create_dir_all(folder);
        }
        let _ = write_atomically(&self.path, |out| out.write_all(&wrap(&self.owner, &data)));
    }
}

/// A cache with this content; none if wgpu refuses it.
fn create(device: &wgpu::Device, data: Option<&[u8]>) -> Option<wgpu::PipelineCache> {
    let descriptor = wgpu::PipelineCacheDescriptor { label: Some("lookalike"), data, fallback: false };
    // SAFETY: `data` must be what `get_data` once returned for such a device: the checksum of the file shows that it is
    // what we wrote, its owner that the adapter, the driver and wgpu (by our version) are the same.
    let make = || unsafe { device.create_pipeline_cache(&descriptor) };
    let (cache, refused) = scoped(device, wgpu::ErrorFilter::Validation, make);
    refused.is_none().then_some(cache)
}

/// Length of a length and of a checksum.
const NUMBER: usize = 8;

/// The bytes of a file: its checksum; the length of its owner's name, and the name; the data.
fn wrap(owner: &str, data: &[u8]) -> Vec<u8> {
    let length = (owner.len() as u64).to_le_bytes();
    let rest = [&length[..], owner.as_bytes(), data].concat();
    [&hash(&rest).to_le_bytes()[..], &rest].concat()
}

/// The data of a file; none if it is damaged or somebody else's.
fn unwrap<'a>(owner: &str, bytes: &'a [u8]) -> Option<&'a [u8]> {
    let (checksum, rest) = bytes.split_first_chunk::<NUMBER>()?;
    if u64::from_le_bytes(*checksum) != hash(rest) {
        return None;
    }
    let (length, rest) = rest.split_first_chunk::<NUMBER>()?;
    if u64::from_le_bytes(*length) != owner.len() as u64 {
        return None;
    }
    rest.strip_prefix(owner.as_bytes())
}

/// SipHash with the standard library's fixed keys. Another compiler's library may have another hash: its files are as
/// good as none, too.
fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::gpu::{AdapterInfo, Gpu, GpuOptions, Kernel, Piece, Shader};

    const SHADER: Shader = Shader::new("nothing").and(Piece {
        file: "nothing",
        text: "@group(0) @binding(1) var<storage, read_write> y: array<u32>;
            @compute @workgroup_size(1) fn main() { y[0] = 1u; }",
    });
    const KERNEL: Kernel = SHADER.kernel("main").writes(1);

    /// The adapter of the tests with its cache in `folder`, after a pipeline was compiled.
    fn gpu(folder: &Path) -> Arc<Gpu> {
        let wanted = std::env::var("LOOKALIKE_ADAPTER").unwrap_or_else(|_| "llvmpipe".into());
        let is_wanted = |adapter: &AdapterInfo| adapter.name.to_lowercase().contains(&wanted);
        let index =
            Gpu::adapters().iter().position(is_wanted).expect("the adapter that scripts/test installs");
        let options =
            GpuOptions { default_limits: true, cache: Some(folder.to_path_buf()), ..GpuOptions::default() };
        let gpu = Gpu::open(index, &options).expect("it opens");
        gpu.compile(&[KERNEL]).expect("it compiles");
        gpu.wait().expect("no error was reported");
        gpu
    }

    fn is_filled(gpu: &Gpu) -> bool {
        gpu.pipeline_cache.as_ref().expect("Vulkan has pipeline caches").loaded.is_some()
    }

    /// The one file of a folder.
    fn file(folder: &Path) -> PathBuf {
        let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        let [file] = &files[..] else { panic!("one file: {files:?}") };
        file.clone()
    }

    #[test]
    fn a_cache_is_made_and_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("not/there/yet");
        assert!(!is_filled(&gpu(&folder)), "the first run finds nothing");
        let written = fs::read(file(&folder)).unwrap();
        assert!(is_filled(&gpu(&folder)), "the second finds what the first left");
        assert_eq!(fs::read(file(&folder)).unwrap(), written);
    }

    #[test]
    fn damaged_and_foreign_files_are_as_good_as_none() {
        let folder = tempfile::tempdir().unwrap();
        drop(gpu(folder.path()));
        let path = file(folder.path());
        let good = fs::read(&path).unwrap();
        let mut flipped = good.clone();
        *flipped.last_mut().unwrap() ^= 1;
        let owner = gpu(folder.path()).pipeline_cache.as_ref().unwrap().owner.clone();
        let other_version = owner.replacen("lookalike ", "lookalike 9", 1);
        let data = unwrap(&owner, &good).unwrap();
        let damaged = [
            vec![],
            good[..good.len() / 2].to_vec(),
            good[..good.len() - 1].to_vec(),
            [&good[..], b"more"].concat(),
            flipped,
            (0..5000u32).map(|i| (i * i % 251) as u8).collect(),
            wrap(&other_version, data),
            // Whole, but nothing that wgpu knows.
            wrap(&owner, b"no cache of wgpu"),
            wrap(&owner, &data[..data.len() / 2]),
            wrap(&owner, &[]),
        ];
        for bytes in damaged {
            fs::write(&path, &bytes).unwrap();
            let opened = gpu(folder.path());
            let length = bytes.len();
            assert!(!is_filled(&opened), "{length} bytes were taken");
            drop(opened);
            assert!(is_filled(&gpu(folder.path())), "{length} bytes were replaced by a good file");
        }
    }

    #[test]
    fn nothing_fails_where_nothing_can_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let blocked = folder.path().join("a file");
        fs::write(&blocked, "in the way").unwrap();
        // Nobody can make a folder under a file, not even root, whom permissions do not stop.
        assert!(!is_filled(&gpu(&blocked.join("cache"))));
        assert!(!is_filled(&gpu(&blocked)));
        assert_eq!(fs::read_to_string(&blocked).unwrap(), "in the way");
        // A folder where the file should be.
        let cache = folder.path().join("cache");
        drop(gpu(&cache));
        let path = file(&cache);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(!is_filled(&gpu(&cache)));
        assert!(path.is_dir());
    }

    #[cfg(unix)]
    #[test]
    fn a_read_only_folder_is_read() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        drop(gpu(folder.path()));
        let set = |mode| fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
        set(0o555);
        let filled = is_filled(&gpu(folder.path()));
        set(0o755);
        assert!(filled);
    }
}
