use std::collections::BTreeMap;
use std::fs::File;

use anyhow::{Context, Result};
use clap::Args;

use crate::onnx::Archive;
use crate::pypi::Wheel;

/// The release after this one no longer ships the data of its operator tests.
const ONNX: Wheel = Wheel {
    package: "onnx",
    version: "1.22.0",
    python: "3.12",
    platform: "manylinux_2_28_x86_64",
};

/// List the operator tests of ONNX that can be read
#[derive(Args)]
pub struct Conformance {
    /// Only tests whose path contains this, as in `node/test_maxpool`
    #[arg(default_value = "")]
    filter: String,
}

impl Conformance {
    pub fn run(self) -> Result<()> {
        let wheel = ONNX.fetch()?;
        let file = File::open(&wheel).with_context(|| wheel.display().to_string())?;
        let mut archive = Archive::open(file)?;
        let mut unreadable = BTreeMap::<String, usize>::new();
        let mut read = 0;
        for path in archive.cases()? {
            if !path.contains(&self.filter) {
                continue;
            }
            match archive.case(&path)? {
                Ok(case) => {
                    read += 1;
                    println!("{case}");
                }
                Err(reason) => *unreadable.entry(reason.to_string()).or_default() += 1,
            }
        }
        println!("\n{read} read");
        for (reason, count) in unreadable {
            println!("{count:>4} not: {reason}");
        }
        Ok(())
    }
}
