//! Kernels that are compiled ahead of time, so that a driver alone suffices where they run.

use std::collections::BTreeMap;
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::Outline;
use super::nvrtc::{images, key};
use crate::error::{Error, Result, invalid};

/// Images by their keys.
type Images = BTreeMap<String, Vec<u8>>;

fn embedded() -> &'static RwLock<Images> {
    static EMBEDDED: OnceLock<RwLock<Images>> = OnceLock::new();
    EMBEDDED.get_or_init(RwLock::default)
}

fn read() -> RwLockReadGuard<'static, Images> {
    embedded().read().unwrap_or_else(PoisonError::into_inner)
}

/// Compiles the kernels of programs for an architecture, such as `sm_90a`, by the NVRTC of this machine, which needs no GPU. What
/// comes back is for [`embed`]: a safetensors file with an image for each module.
///
/// # Errors
///
/// [`Error::Device`] where there is no NVRTC, or where it refuses a kernel, with its log.
pub fn compile_ahead(outlines: &[Outline], architecture: &str) -> Result<Vec<u8>> {
    let mut texts: Vec<String> = outlines.iter().flat_map(Outline::texts).collect();
    texts.sort_unstable();
    texts.dedup();
    let images = images(&texts, architecture);
    let images = images.map_err(|cause| Error::Device {
        device: architecture.to_owned().into(),
        cause: cause.into(),
    })?;
    let keys = texts.iter().map(|text| key(architecture, text));
    let views = keys.zip(&images).map(|(key, image)| {
        let view = TensorView::new(Dtype::U8, vec![image.len()], image);
        view.map(|view| (key, view))
    });
    let views: std::result::Result<Vec<_>, _> = views.collect();
    let archive = views.and_then(|views| safetensors::serialize(views, None));
    archive.map_err(|error| invalid(error.to_string()))
}

/// Lets programs of this process find kernels that [`compile_ahead`] has compiled, such as those of a file that is part of the
/// executable (`include_bytes!`). Programs of other networks, batches or precisions are compiled as ever. Returns the number of modules.
///
/// # Errors
///
/// [`Error::Graph`] where the archive is damaged.
pub fn embed(archive: &[u8]) -> Result<usize> {
    let damaged = |error| invalid(format!("an archive of kernels is damaged: {error}"));
    let archive = SafeTensors::deserialize(archive).map_err(damaged)?;
    let mut images = embedded().write().unwrap_or_else(PoisonError::into_inner);
    images.extend(
        archive
            .iter()
            .map(|(key, image)| (key.to_owned(), image.data().to_vec())),
    );
    Ok(archive.len())
}

/// The image of a text that was compiled ahead of time.
pub(super) fn find(text: &str, architecture: &str) -> Option<Vec<u8>> {
    match read() {
        images if images.is_empty() => None,
        images => images.get(&key(architecture, text)).cloned(),
    }
}

/// Whether there are any.
pub(super) fn any() -> bool {
    !read().is_empty()
}
