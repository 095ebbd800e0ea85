//! A folder for a machine with a GPU: `cargo xtask gpu-bundle`.
//!
//! It holds the tests of the CUDA backend as programs, their data, the benchmark, and `run.sh`, which runs all of it there with no more
//! than a driver and NVRTC; PyTorch, if it is to be compared with, is that of the machine. `--report FOLDER` puts the results into
//! `docs/benchmarks.md`.

mod programs;

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::Value;
use zip::{ZipArchive, ZipWriter};

use crate::{conformance, gpu_bench, onnx, section};
use programs::Program;

/// Make a folder that is tested and measured on another machine's GPU
#[derive(Args)]
pub struct GpuBundle {
    /// The folder, which is made anew
    #[arg(long)]
    output: Option<PathBuf>,
    /// Leave out ONNX's operator tests, which are downloaded
    #[arg(long)]
    no_conformance: bool,
    /// Write the results in a folder to the document, and make nothing
    #[arg(long, value_name = "FOLDER")]
    report: Option<PathBuf>,
}

/// What the folder may hold at most.
const LIMIT: u64 = 60 << 20;

const RUN: &str = include_str!("../assets/gpu/run.sh");
const PYTHON: [(&str, &str); 4] = [
    (
        "in_torch.py",
        include_str!("../assets/peers/python/in_torch.py"),
    ),
    (
        "in_torch_cuda.py",
        include_str!("../assets/peers/python/in_torch_cuda.py"),
    ),
    ("peer.py", include_str!("../assets/peers/python/peer.py")),
    (
        "problem.py",
        include_str!("../assets/peers/python/problem.py"),
    ),
];

impl GpuBundle {
    pub fn run(self) -> Result<ExitCode> {
        if let Some(folder) = &self.report {
            report(folder)?;
            return Ok(ExitCode::SUCCESS);
        }
        let folder = self.output.clone();
        let folder = folder.unwrap_or_else(|| crate::target_directory().join("gpu-bundle"));
        if folder.exists() {
            let ours = folder.join("run.sh").is_file();
            ensure!(ours, "`{}` is there, and is no bundle", folder.display());
            fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
        }
        let programs = self.fill(&folder)?;
        let mut files = Vec::new();
        list(&folder, &mut files)?;
        let size: u64 = files.iter().map(|file| file.1).sum();
        for (path, size) in &files {
            let path = path.strip_prefix(&folder).unwrap_or(path);
            println!("{:>12} {}", size, path.display());
        }
        let glibc = programs.iter().filter_map(|program| program.glibc).max();
        let glibc = glibc.map_or_else(String::new, |minor| format!(" glibc=2.{minor}"));
        println!(
            "gpu-bundle: files={} bytes={size}{glibc} folder={}",
            files.len(),
            folder.display()
        );
        ensure!(size <= LIMIT, "it is larger than {LIMIT} bytes");
        Ok(ExitCode::SUCCESS)
    }

    fn fill(&self, folder: &Path) -> Result<Vec<Program>> {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        write(&folder.join("run.sh"), RUN)?;
        programs::executable(&folder.join("run.sh"))?;
        for (name, text) in PYTHON {
            write(&folder.join("python").join(name), text)?;
        }
        write(&folder.join("commit"), &commit()?)?;
        let tests = crate::workspace().join("tests");
        copy_all(
            &tests.join("goldens"),
            &folder.join("tests/goldens"),
            |name| name.ends_with(".safetensors"),
        )?;
        copy_all(
            &tests.join("snapshots"),
            &folder.join("tests/snapshots"),
            |name| name.starts_with("cuda"),
        )?;
        if !self.no_conformance {
            operator_tests(&conformance::wheel()?, &folder.join("onnx.zip"))?;
        }
        let mut programs = programs::build(&folder.join("bin"))?;
        let own = env::current_exe()?;
        programs.push(Program::place(&own, &folder.join("bin/xtask"))?);
        Ok(programs)
    }
}

fn report(folder: &Path) -> Result<()> {
    let path = folder.join("results.json");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let results: Value = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
    ensure!(
        results["rows"].is_array(),
        "`{}` has no results",
        path.display()
    );
    section::write("gpu", &gpu_bench::report::markdown(&results))
}

/// The commit, and whether something has changed since.
fn commit() -> Result<String> {
    let git = |arguments: &[&str]| -> Result<String> {
        let mut command = Command::new("git");
        let output = command
            .current_dir(crate::workspace())
            .args(arguments)
            .output()?;
        ensure!(output.status.success(), "{command:?} failed");
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changed = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Ok(format!(
        "{commit}{}",
        if changed { " with changes" } else { "" }
    ))
}

/// The operator tests out of ONNX's wheel, as they are packed there.
fn operator_tests(wheel: &Path, path: &Path) -> Result<()> {
    let mut wheel = ZipArchive::new(File::open(wheel)?)?;
    let mut tests = ZipWriter::new(File::create(path)?);
    for i in 0..wheel.len() {
        let file = wheel.by_index_raw(i)?;
        if onnx::is_of_a_test(&file.name()?) {
            tests.raw_copy_file(file)?;
        }
    }
    tests.finish()?;
    Ok(())
}

fn copy_all(from: &Path, to: &Path, wanted: impl Fn(&str) -> bool) -> Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for file in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let file = file?;
        if wanted(&file.file_name().to_string_lossy()) {
            fs::copy(file.path(), to.join(file.file_name()))?;
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    fs::write(path, text).with_context(|| path.display().to_string())
}

/// All files of a folder, with their sizes.
fn list(folder: &Path, files: &mut Vec<(PathBuf, u64)>) -> Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        match entry.file_type()?.is_dir() {
            true => list(&entry.path(), files)?,
            false => files.push((entry.path(), entry.metadata()?.len())),
        }
    }
    Ok(())
}
