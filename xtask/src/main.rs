//! Chores of the workspace: `cargo xtask help`.

mod bench_compile;
mod bench_instructions;
mod bench_peers;
mod conformance;
mod cuda_check;
mod editors;
mod gpu_bench;
mod gpu_bundle;
mod onnx;
mod pypi;
mod section;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

/// Chores of the xdnn workspace
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
enum Chore {
    BenchCompile(bench_compile::BenchCompile),
    BenchInstructions(bench_instructions::BenchInstructions),
    BenchPeers(bench_peers::BenchPeers),
    Conformance(conformance::Conformance),
    CudaCheck(cuda_check::CudaCheck),
    Editors(editors::Editors),
    #[command(hide = true)]
    GpuBench(gpu_bench::GpuBench),
    GpuBundle(gpu_bundle::GpuBundle),
}

fn main() -> anyhow::Result<ExitCode> {
    match Chore::parse() {
        Chore::BenchCompile(chore) => chore.run(),
        Chore::BenchInstructions(chore) => chore.run(),
        Chore::BenchPeers(chore) => chore.run(),
        Chore::Conformance(chore) => chore.run(),
        Chore::CudaCheck(chore) => chore.run(),
        Chore::Editors(chore) => chore.run(),
        Chore::GpuBench(chore) => chore.run(),
        Chore::GpuBundle(chore) => chore.run(),
    }
}

/// The root of the repository.
fn workspace() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

fn target_directory() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => directory.into(),
        None => workspace().join("target"),
    }
}
