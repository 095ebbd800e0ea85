//! From kernels to what a GPU executes: modules, and where their images come from.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::ahead;
use super::kernel::{Kernel, module};
use super::nvrtc::{Nvrtc, own};

/// The kernels of a module: enough that their common part is not compiled too often, and few enough that threads share the work.
const KERNELS: usize = 16;
/// The variable that names the folder of the cache; where it is empty, nothing is kept.
const CACHE: &str = "XDNN_CUDA_CACHE";

/// The text of a module, and the names of its functions.
pub(super) struct Module<'a> {
    pub text: String,
    pub names: Vec<&'a str>,
}

/// The modules that hold kernels.
pub(super) fn modules<'a>(kernels: &[&'a Kernel]) -> Vec<Module<'a>> {
    let distinct = kernels.iter().map(|kernel| (kernel.name.as_str(), *kernel));
    let distinct: BTreeMap<&str, &Kernel> = distinct.collect();
    let distinct: Vec<(&str, &Kernel)> = distinct.into_iter().collect();
    let modules = distinct.chunks(KERNELS).map(|kernels| Module {
        text: module(kernels.iter().map(|(_, kernel)| *kernel)),
        names: kernels.iter().map(|(name, _)| *name).collect(),
    });
    modules.collect()
}

/// What makes images for GPUs of one architecture.
pub(super) struct Compiler {
    /// The architecture.
    own: String,
    /// NVRTC, or why there is none: it is not needed for what was compiled ahead of time.
    nvrtc: Result<Nvrtc, String>,
    cache: Option<PathBuf>,
}

impl Compiler {
    /// The compiler for GPUs of a compute capability.
    pub(super) fn new(capability: (i32, i32)) -> Self {
        Self {
            own: own(capability),
            nvrtc: Nvrtc::new(capability),
            cache: cache(),
        }
    }

    /// Whether it can make any image.
    pub(super) fn works(&self) -> bool {
        self.nvrtc.is_ok() || ahead::any()
    }

    /// The version of CUDA that NVRTC is of.
    pub(super) fn version(&self) -> String {
        match &self.nvrtc {
            Ok(Nvrtc { version, .. }) => format!("{}.{}", version.0, version.1),
            Err(_) => "an earlier time".to_owned(),
        }
    }

    /// Compiles texts, each to an image; or the log of the compiler.
    pub(super) fn compile(&self, texts: &[&str]) -> Result<Vec<Vec<u8>>, String> {
        texts
            .par_iter()
            .map(|text| self.compile_one(text))
            .collect()
    }

    fn compile_one(&self, text: &str) -> Result<Vec<u8>, String> {
        if let Some(image) = ahead::find(text, &self.own) {
            return Ok(image);
        }
        let compiler = self.nvrtc.as_ref().map_err(Clone::clone)?;
        let known = self
            .cache
            .as_ref()
            .map(|folder| folder.join(compiler.key(text)));
        if let Some(image) = known.as_deref().and_then(read) {
            return Ok(image);
        }
        let _span = tracing::debug_span!("nvrtc", bytes = text.len()).entered();
        let image = compiler.image(text)?;
        if let Some(path) = known
            && let Err(error) = write(&path, &image)
        {
            tracing::warn!(path = %path.display(), %error, "a compiled kernel could not be kept");
        }
        Ok(image)
    }
}

/// The folder of the cache.
fn cache() -> Option<PathBuf> {
    match std::env::var_os(CACHE) {
        Some(folder) if folder.is_empty() => None,
        Some(folder) => Some(folder.into()),
        None => dirs::cache_dir().map(|folder| folder.join("xdnn").join("cuda")),
    }
}

/// An image that was kept, unless it is damaged.
fn read(path: &Path) -> Option<Vec<u8>> {
    let mut kept = std::fs::read(path).ok()?;
    let image = kept.split_off(size_of::<[u8; 32]>().min(kept.len()));
    (Sha256::digest(&image)[..] == kept[..]).then_some(image)
}

/// Keeps an image, with its digest in front. Whoever reads meanwhile sees all of it or nothing.
fn write(path: &Path, image: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&Sha256::digest(image))?;
    file.write_all(image)?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_kept_and_damaged_ones_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a").join("b");
        assert_eq!(read(&path), None);
        write(&path, b"image").unwrap();
        assert_eq!(read(&path).unwrap(), b"image");
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(read(&path), None);
        std::fs::write(&path, &bytes[..10]).unwrap();
        assert_eq!(read(&path), None);
    }
}
