//! Builds the libraries with g++, once for each text of them and each compiler.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, process};

const COMPILER: &str = "g++";

const ASSETS: [(&str, &str); 16] = [
    ("abi.h", include_str!("../assets/abi.h")),
    ("calls_device.h", include_str!("../assets/calls_device.h")),
    ("calls_memory.h", include_str!("../assets/calls_memory.h")),
    ("calls_module.h", include_str!("../assets/calls_module.h")),
    ("calls_stream.h", include_str!("../assets/calls_stream.h")),
    ("calls_test.h", include_str!("../assets/calls_test.h")),
    ("cuda_host.h", include_str!("../assets/cuda_host.h")),
    ("driver.h", include_str!("../assets/driver.h")),
    (
        "include/cuda_fp16.h",
        include_str!("../assets/include/cuda_fp16.h"),
    ),
    ("memory.h", include_str!("../assets/memory.h")),
    ("mock_cublas.cpp", include_str!("../assets/mock_cublas.cpp")),
    ("mock_cuda.cpp", include_str!("../assets/mock_cuda.cpp")),
    ("mock_nvrtc.cpp", include_str!("../assets/mock_nvrtc.cpp")),
    ("module.h", include_str!("../assets/module.h")),
    ("scheduler.h", include_str!("../assets/scheduler.h")),
    ("work.h", include_str!("../assets/work.h")),
];

const FLAGS: [&str; 5] = [
    "-std=c++17",
    "-O2",
    "-fPIC",
    "-shared",
    "-fvisibility=hidden",
];

/// Where the parts lie.
pub(crate) struct Built {
    pub(crate) compiler: &'static str,
    /// The folder of everything, which looks like that of a toolkit to those who want its `include`.
    pub(crate) folder: PathBuf,
    pub(crate) kernels: PathBuf,
    pub(crate) cuda: PathBuf,
    pub(crate) nvrtc: PathBuf,
    /// cuBLAS, and the names of releases by which others look for the driver and NVRTC.
    pub(crate) others: [PathBuf; 3],
    /// Stands for compiler and headers.
    pub(crate) salt: String,
}

pub(crate) fn build() -> Result<Built, String> {
    let version = Command::new(COMPILER).arg("--version").output().map_err(|error| {
        format!("the stand-in for CUDA needs `{COMPILER}`, which cannot be run ({error}): install it, on Debian by `apt-get install g++`")
    })?;
    let mut hasher = DefaultHasher::new();
    (ASSETS, FLAGS, &version.stdout).hash(&mut hasher);
    let salt = format!("{:016x}", hasher.finish());

    let folder = cache().join(&salt);
    let kernels = folder.join("kernels");
    for folder in [&kernels, &folder.join("include")] {
        fs::create_dir_all(folder)
            .map_err(|error| format!("cannot create `{}`: {error}", folder.display()))?;
    }
    for (name, text) in ASSETS {
        write(&folder.join(name), text)?;
    }
    let library = |of: &str, name| library(&folder, &folder.join(of), name);
    let cuda = library("mock_cuda.cpp", "libcuda.so")?;
    let nvrtc = library("mock_nvrtc.cpp", "libnvrtc.so")?;
    let others = [
        library("mock_cublas.cpp", "libcublas.so.13")?,
        library("libcuda.so", "libcuda.so.1")?,
        library("libnvrtc.so", "libnvrtc.so.13")?,
    ];
    Ok(Built {
        compiler: COMPILER,
        cuda,
        nvrtc,
        others,
        folder,
        kernels,
        salt,
    })
}

/// A folder of cargo's target directory, in which the running test lies, or of the system's temporary one.
fn cache() -> PathBuf {
    let executable = env::current_exe().unwrap_or_default();
    let target = executable
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").is_file());
    target
        .map_or_else(env::temp_dir, Path::to_path_buf)
        .join("xdnn-cuda-mock")
}

/// The name beside `path` under which this process makes a file before it moves it there.
fn scratch(path: &Path) -> PathBuf {
    path.with_extension(format!("{}.new", process::id()))
}

fn publish(made: &Path, path: &Path) -> Result<(), String> {
    fs::rename(made, path).map_err(|error| format!("cannot write `{}`: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    if path.is_file() {
        return Ok(());
    }
    let made = scratch(path);
    fs::write(&made, text)
        .map_err(|error| format!("cannot write `{}`: {error}", made.display()))?;
    publish(&made, path)
}

/// The library of this name, of a source, or of another library, which it then hands on.
fn library(folder: &Path, of: &Path, name: &str) -> Result<PathBuf, String> {
    let path = folder.join(name);
    if path.is_file() {
        return Ok(path);
    }
    let made = scratch(&path);
    let output = Command::new(COMPILER)
        .args(FLAGS)
        .arg(format!("-Wl,-soname,{name}"))
        .arg("-o")
        .arg(&made)
        .arg("-Wl,--no-as-needed")
        .arg(of)
        .args(["-ldl", "-lpthread"])
        .output()
        .map_err(|error| format!("cannot run `{COMPILER}`: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "`{COMPILER}` cannot build {name}:\n{}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    publish(&made, &path)?;
    Ok(path)
}
