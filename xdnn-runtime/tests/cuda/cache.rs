//! The cache of compiled kernels on the disk.

#![expect(
    unsafe_code,
    reason = "it changes the environment of a process of its own"
)]

use std::path::{Path, PathBuf};

use xdnn_cuda_mock::Mock;
use xdnn_runtime::Task;
use xdnn_runtime::backend::cuda::{self, Outline};

use crate::children;
use crate::networks::{BATCH, GPU, alone, forward, image};

/// Compiles a model, runs it and says how often NVRTC was called. No other model lives, so the folder is looked up anew.
fn compiled(mock: &Mock, folder: &Path) -> u64 {
    // SAFETY: the process does this test and nothing else.
    unsafe { std::env::set_var("XDNN_CUDA_CACHE", folder) };
    mock.reset();
    forward(&image(GPU), BATCH).unwrap();
    mock.calls("nvrtcCompileProgram")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn kernels_are_compiled_once() {
    let Some(path) = children::task() else {
        let folder = tempfile::tempdir().unwrap();
        return children::run("cache::kernels_are_compiled_once", folder.path(), None);
    };
    let mock = alone();
    let folder = path.join("of").join("kernels");
    let modules = compiled(&mock, &folder);
    assert!(modules > 0);
    let kept = files(&folder);
    assert_eq!(kept.len() as u64, modules);
    assert_eq!(compiled(&mock, &folder), 0);

    // What is damaged, cut off or empty is compiled anew, and kept again. It need not be the same bytes: another process may have built
    // the stand-in's object meanwhile.
    let whole = std::fs::read(&kept[0]).unwrap();
    let mut damaged = whole.clone();
    *damaged.last_mut().unwrap() ^= 1;
    for bytes in [&damaged[..], &whole[..whole.len() / 2], &whole[..32], &[]] {
        std::fs::write(&kept[0], bytes).unwrap();
        assert_eq!(compiled(&mock, &folder), 1);
        assert!(std::fs::read(&kept[0]).unwrap() != bytes);
        assert_eq!(compiled(&mock, &folder), 0);
    }
    assert_eq!(files(&folder), kept);

    // Where nothing can be kept, everything still works; and so where nothing shall be.
    let file = path.join("file");
    std::fs::write(&file, "").unwrap();
    for folder in [&file.join("kernels"), Path::new("")] {
        assert_eq!(compiled(&mock, folder), modules);
        assert_eq!(compiled(&mock, folder), modules);
    }
    // A folder that another one's file has taken the place of is no folder.
    assert_eq!(compiled(&mock, &file), modules);
    assert_eq!(std::fs::read(&file).unwrap(), b"");
}

#[test]
fn what_was_compiled_ahead_needs_no_compiler() {
    if children::task().is_none() {
        let folder = tempfile::tempdir().unwrap();
        let name = "cache::what_was_compiled_ahead_needs_no_compiler";
        return children::run(name, folder.path(), None);
    }
    let mock = alone();
    let model = image(GPU);
    let outline = Outline::of(model.spec(), Task::Forward, BATCH, model.precision()).unwrap();
    let modules = outline.texts().len();
    let archive = cuda::compile_ahead(&[outline], "sm_90a").unwrap();
    assert!(cuda::embed(&archive[..archive.len() - 1]).is_err());
    assert_eq!(cuda::embed(&archive).unwrap(), modules);
    mock.reset();
    forward(&model, BATCH).unwrap();
    assert_eq!(mock.calls("nvrtcCompileProgram"), 0);
    // Another batch is another program.
    forward(&model, BATCH + 1).unwrap();
    assert!(mock.calls("nvrtcCompileProgram") > 0);
}
