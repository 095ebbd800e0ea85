//! Where CUDA is.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use libloading::Library;

/// A library of CUDA, and the names that its releases go by, the newest first.
pub(crate) struct Shared {
    pub names: &'static [&'static str],
    loaded: LazyLock<Option<Library>>,
}

/// The driver.
pub(crate) static CUDA: Shared = Shared {
    names: &["libcuda.so.1"],
    loaded: LazyLock::new(|| load(CUDA.names)),
};

/// The compiler of kernels.
pub(crate) static NVRTC: Shared = Shared {
    names: &["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2"],
    loaded: LazyLock::new(|| load(NVRTC.names)),
};

/// Products of matrices.
pub(crate) static CUBLAS: Shared = Shared {
    names: &["libcublas.so.13", "libcublas.so.12", "libcublas.so.11"],
    loaded: LazyLock::new(|| load(CUBLAS.names)),
};

/// Where toolkits are if no variable says so; `luminal_cuda` knows no other place.
pub(crate) const TOOLKIT: &str = "/usr/local/cuda";

/// What every kernel of `luminal_cuda` includes.
pub(crate) const HEADER: &str = "cuda_fp16.h";

impl Shared {
    /// The library, unless it cannot be loaded.
    pub fn get(&self) -> Option<&Library> {
        self.loaded.as_ref()
    }
}

/// The folder of the headers, unless there is none.
pub(crate) fn headers() -> Option<PathBuf> {
    let folders = toolkits().map(|toolkit| toolkit.join("include"));
    folders
        .into_iter()
        .find(|folder| folder.join(HEADER).is_file())
}

fn toolkits() -> impl Iterator<Item = PathBuf> {
    let named = ["CUDA_HOME", "CUDA_PATH"]
        .into_iter()
        .filter_map(env::var_os);
    named.map(PathBuf::from).chain([PathBuf::from(TOOLKIT)])
}

/// The first of these that is there: where the system looks for libraries, then in the toolkits.
fn load(names: &[&str]) -> Option<Library> {
    let folders = toolkits().map(|toolkit| toolkit.join("lib64"));
    let folders: Vec<PathBuf> = [PathBuf::new()].into_iter().chain(folders).collect();
    let paths = folders
        .iter()
        .flat_map(|folder| names.iter().map(|name| Path::join(folder, name)));
    let open = |path| {
        // SAFETY: these are libraries of CUDA, whose initialisation any thread may run at any time. They are never unloaded.
        unsafe { Library::new(path) }.ok()
    };
    paths.into_iter().find_map(open)
}
