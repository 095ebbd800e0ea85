//! What NVIDIA's compilers make of the kernels of a small network, where their wheels are: `cargo xtask cuda-check` downloads them.
#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]

use std::io::{Write, stderr};
use std::process::Command;

#[test]
fn kernels_of_every_kind() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let output = command.args(["cuda-check", "--sample", "--offline"]);
    let output = output.output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{table}\n{errors}");
    let result = table.lines().last().unwrap_or_default();
    if result.starts_with("cuda-check: skipped") {
        // Not by a macro, whose words are shown of tests that fail only.
        writeln!(stderr(), "{result}").unwrap();
        return;
    }
    for kind in ["blocked", "head", "pointwise", "product", "rows", "sum"] {
        for architecture in ["80", "90a", "100"] {
            let line = format!("| {kind} | {architecture} | ");
            assert!(table.contains(&line), "{line} is not in\n{table}");
        }
    }
}
