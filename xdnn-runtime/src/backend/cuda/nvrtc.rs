//! NVRTC: texts to images and to PTX.

#![expect(unsafe_code, reason = "NVRTC is a C library")]

use std::ffi::{CStr, CString, c_char, c_int};

use cudarc::nvrtc::{result, sys};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

/// The oldest version of CUDA whose NVRTC will do.
const OLDEST: c_int = 12;

/// NVRTC for GPUs of one architecture.
pub(super) struct Nvrtc {
    options: Vec<String>,
    pub version: (i32, i32),
}

impl Nvrtc {
    pub(super) fn new(capability: (i32, i32)) -> Result<Self, String> {
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

    /// Compiles a text to an image that the driver loads.
    pub(super) fn image(&self, text: &str) -> Result<Vec<u8>, String> {
        nvrtc(text, &self.options)
    }

    /// What the image of a text is known by.
    pub(super) fn key(&self, text: &str) -> String {
        key(&format!("{:?} {:?}", self.version, self.options), text)
    }
}

/// What becomes of a text is known by a hash of the text and of what it is compiled for.
pub(super) fn key(target: &str, text: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(target);
    hash.update("\n");
    hash.update(text);
    let bytes = hash.finalize();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
pub(super) fn own((major, minor): (i32, i32)) -> String {
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
}
