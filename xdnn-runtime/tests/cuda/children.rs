//! Tests that need a process of their own: whether there is a driver, and which, is settled once in each.
//!
//! Such a test is called again in a child, which finds `XDNN_TEST_CHILD` in its environment and does the test.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use xdnn_runtime::{Device, Error, Task};

use crate::networks::{BATCH, GPU, alone, image};

const CHILD: &str = "XDNN_TEST_CHILD";
/// The variable that names the folders where libraries are looked for first.
const LIBRARIES: &str = "LD_LIBRARY_PATH";

/// What a child is to do, in a child.
pub fn task() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

/// Runs a test in a child, which is told a path.
#[track_caller]
pub fn run(test: &str, path: &Path, libraries: Option<&Path>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    command.env(CHILD, path);
    if let Some(libraries) = libraries {
        let others = std::env::var_os(LIBRARIES).unwrap_or_default();
        let folders =
            std::iter::once(libraries.to_path_buf()).chain(std::env::split_paths(&others));
        command.env(LIBRARIES, std::env::join_paths(folders).unwrap());
    }
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, errors) = (text(&output.stdout), text(&output.stderr));
    let passed = output.status.success() && out.contains("1 passed");
    assert!(passed, "{}\n{out}\n{errors}", output.status);
}

/// Where a library was loaded from.
fn loaded(name: &str) -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut paths = maps
        .lines()
        .filter_map(|line| line.split_once('/'))
        .map(|(_, path)| format!("/{path}"));
    paths.find(|path| path.ends_with(name)).map(PathBuf::from)
}

/// Makes a library of a function that tells a version.
fn library(folder: &Path, name: &str, text: &str) {
    let source = folder.join("source.cpp");
    std::fs::write(&source, text).unwrap();
    let mut command = Command::new("g++");
    command.args([OsStr::new("-shared"), OsStr::new("-fPIC"), OsStr::new("-o")]);
    let done = command
        .arg(folder.join(name))
        .arg(&source)
        .status()
        .unwrap();
    assert!(done.success());
}

/// In a child, why the GPU cannot be used; in the parent, nothing, after a child has found the libraries that `prepare` puts in a folder.
fn refusal(test: &str, prepare: impl FnOnce(&Path)) -> Option<String> {
    if task().is_none() {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        run(test, folder.path(), Some(folder.path()));
        return None;
    }
    match image(GPU).prepare(Task::Forward, BATCH) {
        Err(Error::Device { cause, .. }) => {
            assert_eq!(Device::best(), Device::Cpu);
            Some(cause.into_owned())
        }
        other => panic!("{other:?}"),
    }
}

/// Whether this machine's own library was found, which says nothing about what happens without.
fn is_real(name: &str) -> bool {
    let folder = task().unwrap_or_default();
    loaded(name).is_some_and(|path| !path.starts_with(folder))
}

#[test]
fn without_a_driver() {
    if let Some(cause) = refusal("children::without_a_driver", |_| {}) {
        let expected = "there is no driver: `libcuda.so` cannot be loaded";
        assert!(cause == expected || is_real("libcuda.so.1"), "{cause}");
    }
}

#[test]
fn with_an_old_driver() {
    let text = "extern \"C\" int cuDriverGetVersion(int* version) { *version = 11080; return 0; }";
    let old = |folder: &Path| library(folder, "libcuda.so", text);
    if let Some(cause) = refusal("children::with_an_old_driver", old) {
        let expected = "the driver is for CUDA 11.8, at least 12.0 is needed; update the driver";
        assert_eq!(cause, expected);
    }
}

/// Puts the stand-in for the driver into a folder.
fn driver(folder: &Path) {
    drop(alone());
    std::fs::copy(loaded("libcuda.so").unwrap(), folder.join("libcuda.so")).unwrap();
}

#[test]
fn without_nvrtc() {
    if let Some(cause) = refusal("children::without_nvrtc", driver) {
        let expected = "there is no compiler: `libnvrtc.so` of CUDA 12 or 13 cannot be loaded";
        assert!(cause == expected || is_real("libnvrtc.so.12"), "{cause}");
    }
}

#[test]
fn with_an_old_nvrtc() {
    let text = "extern \"C\" int nvrtcVersion(int* major, int* minor) { *major = 11; *minor = 8; return 0; }";
    let old = |folder: &Path| {
        driver(folder);
        library(folder, "libnvrtc.so", text);
    };
    if let Some(cause) = refusal("children::with_an_old_nvrtc", old) {
        assert_eq!(cause, "NVRTC is that of CUDA 11.8, at least 12.0 is needed");
    }
}
