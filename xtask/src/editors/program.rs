//! The rust-analyzer to ask: `RUST_ANALYZER`, one in the path, or one that cargo builds once.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// A release of rust-analyzer as a crate; this one is of the time of the toolchain, and compiles with it.
const VERSION: &str = "0.0.330";

pub fn find() -> Result<PathBuf> {
    if let Some(program) = env::var_os("RUST_ANALYZER") {
        return Ok(program.into());
    }
    // The program of this name that rustup installs says that there is none.
    let in_path = Path::new("rust-analyzer");
    if works(in_path) {
        return Ok(in_path.into());
    }
    let root = crate::target_directory()
        .join("rust-analyzer")
        .join(VERSION);
    let program = root.join("bin/rust-analyzer");
    if !works(&program) {
        eprintln!("building rust-analyzer {VERSION} once; this takes minutes");
        let status = Command::new("cargo")
            .args(["install", "--quiet", "--locked", "ra_ap_rust-analyzer"])
            .arg("--version")
            .arg(format!("={VERSION}"))
            .arg("--root")
            .arg(&root)
            .env("CARGO_TARGET_DIR", root.join("target"))
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .status()
            .context("cannot run `cargo install`")?;
        ensure!(
            status.success(),
            "`cargo install ra_ap_rust-analyzer` failed ({status})"
        );
    }
    Ok(program)
}

fn works(program: &Path) -> bool {
    let mut command = Command::new(program);
    command
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
