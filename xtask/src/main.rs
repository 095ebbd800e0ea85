//! Chores of the workspace: `cargo xtask help`.

mod conformance;
mod onnx;
mod pypi;

use std::process::ExitCode;

use clap::Parser;

/// Chores of the xdnn workspace
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
enum Chore {
    Conformance(conformance::Conformance),
}

fn main() -> anyhow::Result<ExitCode> {
    match Chore::parse() {
        Chore::Conformance(chore) => chore.run(),
    }
}
