//! From texts to what a GPU executes: NVRTC, and a cache on the disk.

#![expect(unsafe_code, reason = "NVRTC is a C library")]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int};
use std::io::Write;
use std::path::{Path, PathBuf};

use cudarc::nvrtc::{result, sys};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::ahead;
use super::kernel::{Kernel, module};

/// The kernels of a module: enough that their common part is not compiled too often, and few enough that threads share the work.
const KERNELS: usize = 16;
/// The variable that names the folder of the cache; where it is empty, nothing is kept.
const CACHE: &str = "XDNN_CUDA_CACHE";

/// The oldest version of CUDA whose NVRTC will do.
const OLDEST: c_int = 12;

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

/// NVRTC for GPUs of one architecture.
struct Nvrtc {
    options: Vec<String>,
    version: (i32, i32),
}

impl Nvrtc {
    fn new(capability: (i32, i32)) -> Result<Self, String> {
        present()?;
        let (mut major, mut minor) = (0, 0);
        // SAFETY: both are places to write a number to.
        let known = unsafe { sys::nvrtcVersion(&raw mut major, &raw mut minor) };
        known
            .result()
            .map_err(|error| format!("NVRTC does not tell its version: {:?}", error.0))?;
        // An older one lacks functions that are called.
        if major < OLDEST {
            return Err(format!(
                "NVRTC is that of CUDA {major}.{minor}, at least {OLDEST}.0 is needed"
            ));
        }
        Ok(Self {
            options: options(&architecture(capability, &supported()?)?),
            version: (major, minor),
        })
    }

    /// The name of the file that keeps the image of a text.
    fn key(&self, text: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(format!("{:?} {:?}\n", self.version, self.options));
        hash.update(text);
        hex(&hash.finalize())
    }
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

    /// The images of texts for an architecture.
    pub(super) fn images(texts: &[String], architecture: &str) -> Result<Vec<Vec<u8>>, String> {
        present()?;
        let options = options(architecture);
        let texts = texts.par_iter();
        texts.map(|text| nvrtc(text, &options)).collect()
    }

    /// The PTX of a text for an architecture.
    pub(super) fn ptx(text: &str, architecture: &str) -> Result<String, String> {
        present()?;
        let ptx = nvrtc(text, &options(architecture))?;
        Ok(String::from_utf8_lossy(&ptx)
            .trim_end_matches('\0')
            .to_owned())
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
        let image = nvrtc(text, &compiler.options)?;
        if let Some(path) = known
            && let Err(error) = write(&path, &image)
        {
            tracing::warn!(path = %path.display(), %error, "a compiled kernel could not be kept");
        }
        Ok(image)
    }
}

/// Whether there is a compiler.
fn present() -> Result<(), String> {
    // SAFETY: loading NVRTC runs its initialisers, which is what it is there for.
    match unsafe { sys::is_culib_present() } {
        true => Ok(()),
        false => {
            Err("there is no compiler: `libnvrtc.so` of CUDA 12 or 13 cannot be loaded".to_owned())
        }
    }
}

fn options(architecture: &str) -> Vec<String> {
    vec![
        format!("--gpu-architecture={architecture}"),
        "--std=c++17".to_owned(),
    ]
}

/// What to compile for: the GPU's own architecture, or else the newest that its driver can translate from.
fn architecture((major, minor): (i32, i32), supported: &[i32]) -> Result<String, String> {
    let number = major * 10 + minor;
    if supported.contains(&number) {
        return Ok(own((major, minor)));
    }
    let older = supported
        .iter()
        .filter(|known| (80..number).contains(*known))
        .max();
    let older = older.map(|older| format!("compute_{older}"));
    older.ok_or_else(|| format!("NVRTC does not compile for compute capability {major}.{minor}"))
}

/// The architecture of GPUs of a compute capability.
fn own((major, minor): (i32, i32)) -> String {
    let suffix = if (major, minor) == (9, 0) { "a" } else { "" };
    format!("sm_{major}{minor}{suffix}")
}

/// The architectures that NVRTC compiles for.
fn supported() -> Result<Vec<i32>, String> {
    let failed = |error: result::NvrtcError| {
        format!("NVRTC does not tell what it compiles for: {:?}", error.0)
    };
    let mut count: c_int = 0;
    // SAFETY: it is a place to write a number to.
    unsafe { sys::nvrtcGetNumSupportedArchs(&raw mut count) }
        .result()
        .map_err(failed)?;
    let mut all: Vec<c_int> = vec![0; usize::try_from(count).unwrap_or_default()];
    // SAFETY: there is room for as many numbers as NVRTC has said.
    unsafe { sys::nvrtcGetSupportedArchs(all.as_mut_ptr()) }
        .result()
        .map_err(failed)?;
    Ok(all)
}

/// A text of NVRTC that is being compiled.
struct Source(sys::nvrtcProgram);

impl Drop for Source {
    fn drop(&mut self) {
        // SAFETY: NVRTC has made it, and nothing uses it any more.
        let _ = unsafe { result::destroy_program(self.0) };
    }
}

/// Compiles a text to an image that the driver loads.
fn nvrtc(text: &str, options: &[String]) -> Result<Vec<u8>, String> {
    let text = CString::new(text).map_err(|error| error.to_string())?;
    let failed = |what: &str, error: result::NvrtcError| format!("NVRTC {what}: {:?}", error.0);
    let source = result::create_program(&text, Some(c"xdnn.cu"));
    let source = Source(source.map_err(|error| failed("takes no text", error))?);
    // SAFETY: the program is NVRTC's own, and lives until the end of this function, as `text` does.
    if let Err(error) = unsafe { result::compile_program(source.0, options) } {
        // SAFETY: as before.
        let log = unsafe { result::get_program_log(source.0) };
        let log = log.map(|log| words(&log)).unwrap_or_default();
        return Err(failed("refuses a kernel", error) + "\n" + &log);
    }
    let own = options.iter().any(|option| option.contains("=sm_"));
    if !own {
        // SAFETY: as before.
        let ptx = unsafe { result::get_ptx(source.0) };
        let ptx = ptx.map_err(|error| failed("gives no PTX", error))?;
        return Ok(ptx.into_iter().map(|byte| byte as u8).collect());
    }
    let mut size = 0;
    // SAFETY: it is a place to write a number to.
    let known = unsafe { sys::nvrtcGetCUBINSize(source.0, &raw mut size) };
    known
        .result()
        .map_err(|error| failed("gives no image", error))?;
    let mut image = vec![0_u8; size];
    // SAFETY: there is room for as many bytes as NVRTC has said.
    let given = unsafe { sys::nvrtcGetCUBIN(source.0, image.as_mut_ptr().cast()) };
    given
        .result()
        .map_err(|error| failed("gives no image", error))?;
    Ok(image)
}

/// The text of a log, which ends with a zero.
fn words(log: &[c_char]) -> String {
    let bytes: Vec<u8> = log.iter().map(|byte| *byte as u8).collect();
    let text = CStr::from_bytes_until_nul(&bytes);
    text.map(|text| text.to_string_lossy().into_owned())
        .unwrap_or_default()
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

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_architecture_that_fits() {
        let supported = [75, 80, 86, 90, 100];
        assert_eq!(architecture((9, 0), &supported).unwrap(), "sm_90a");
        assert_eq!(architecture((8, 0), &supported).unwrap(), "sm_80");
        assert_eq!(architecture((8, 9), &supported).unwrap(), "compute_86");
        assert_eq!(architecture((12, 0), &supported).unwrap(), "compute_100");
        assert!(architecture((8, 6), &[90, 100]).is_err());
    }

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
