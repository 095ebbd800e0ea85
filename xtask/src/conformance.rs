//! Conformance with ONNX: `cargo xtask conformance [FILTER] [--verbose]`.
//!
//! The wheel of `onnx` on PyPI carries operator tests: small models with inputs and the outputs that they must give.
//! Every test that one of our layers, or a combination of them, can compute becomes a network, and runs on every backend.
//! All others are skipped, each for a reason that the report counts. The command fails where a result is wrong.
//!
//! The wheel is downloaded by `pip`, never installed, and kept below the target directory. A test is mapped by its
//! operator, attributes and operands, never by its name. Where the two worlds differ, it is rewritten by an identity: the
//! bias is subtracted from the expected output, asymmetric padding becomes a layer, a whole tensor becomes one sample; each
//! mapping says what it does. What a rule of the language refuses is a skip in the rule's own words.

mod activation;
mod combine;
mod convolution;
mod function;
mod graph;
mod image;
mod linear;
mod mapping;
mod operator;
mod pool;
mod skip;
mod trial;
mod view;
mod window;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Args;
use xdnn_runtime::{Device, Error};

use crate::onnx::Archive;
use crate::pypi::Wheel;
use skip::Skip;
use trial::Trial;

/// The release after this one no longer ships the data of its operator tests.
const ONNX: Wheel = Wheel {
    package: "onnx",
    version: "1.22.0",
    python: "3.12",
    platform: "manylinux_2_28_x86_64",
};

/// Where every network runs.
const BACKENDS: [Backend; 4] = [
    Backend(Device::Reference, Precision::F32),
    Backend(Device::Reference, Precision::F64),
    Backend(Device::Cpu, Precision::F32),
    Backend(Device::Luminal, Precision::F32),
];

#[derive(Clone, Copy)]
struct Backend(Device, Precision);

#[derive(Clone, Copy)]
enum Precision {
    F32,
    F64,
}

/// Run the operator tests of ONNX on every backend
#[derive(Args)]
pub struct Conformance {
    /// Only tests whose path contains this, as in `node/test_maxpool`
    #[arg(default_value = "")]
    filter: String,
    /// Also list each test with its network, or with the reason why it is skipped
    #[arg(short, long)]
    verbose: bool,
}

/// What came of the tests. All counts but those of `tests` and `run` are of tests × backends.
#[derive(Default)]
struct Report {
    tests: usize,
    run: usize,
    passed: usize,
    failed: usize,
    skipped: usize,
    reasons: BTreeMap<String, usize>,
}

impl Conformance {
    pub fn run(self) -> Result<ExitCode> {
        let wheel = ONNX.fetch()?;
        let damaged = || {
            format!(
                "cannot read `{}`; delete it, and it is downloaded again",
                wheel.display()
            )
        };
        let mut archive =
            Archive::open(File::open(&wheel).with_context(damaged)?).with_context(damaged)?;
        let mut report = Report::default();
        for path in archive.cases().with_context(damaged)? {
            if !path.contains(&self.filter) {
                continue;
            }
            let trial = match archive.case(&path).with_context(damaged)? {
                Ok(case) => mapping::trial(&graph::simplified(case)),
                Err(unreadable) => Err(Skip::new(unreadable.to_string())),
            };
            if self.verbose {
                match &trial {
                    Ok(trial) => println!("{path}: {}", network(trial)),
                    Err(skip) => println!("{path}: skipped: {skip}"),
                }
            }
            report.test(&path, trial);
        }
        ensure!(
            report.tests > 0,
            "no test has a path that contains `{}`",
            self.filter
        );
        println!("{report}");
        Ok(ExitCode::from(u8::from(report.failed > 0)))
    }
}

impl Report {
    fn test(&mut self, path: &str, trial: Result<Trial, Skip>) {
        self.tests += 1;
        let trial = match trial {
            Ok(trial) => trial,
            Err(skip) => return self.skip(skip.reason, BACKENDS.len()),
        };
        self.run += 1;
        for backend in BACKENDS {
            // A panic is a failure of one test, and must not hide the others.
            let result = catch_unwind(AssertUnwindSafe(|| backend.run(&trial)));
            let wrong = match result {
                Ok(Ok(Ok(()))) => {
                    self.passed += 1;
                    continue;
                }
                // luminal's primitives select windows by matrices, which it cannot count for the longest axes.
                Ok(Err(error @ Error::OutOfMemory { .. })) if backend.0 == Device::Luminal => {
                    self.skip(error.to_string(), 1);
                    continue;
                }
                Ok(Err(error @ Error::Device { .. })) => {
                    self.skip(error.to_string(), 1);
                    continue;
                }
                Ok(Ok(Err(wrong))) => wrong,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "it panics".to_owned(),
            };
            self.failed += 1;
            println!("FAILED {path} on {backend}: {}: {wrong}", network(&trial));
        }
    }

    fn skip(&mut self, reason: String, count: usize) {
        self.skipped += count;
        *self.reasons.entry(reason).or_default() += count;
    }
}

impl Backend {
    fn run(self, trial: &Trial) -> Result<Result<(), String>, Error> {
        match self.1 {
            Precision::F32 => trial.run::<f32>(self.0),
            Precision::F64 => trial.run::<f64>(self.0),
        }
    }
}

/// The operations of a network, in order.
fn network(trial: &Trial) -> String {
    let operations = trial
        .spec
        .nodes()
        .iter()
        .map(|node| node.operation.to_string());
    operations.collect::<Vec<_>>().join(" -> ")
}

/// `reference f32`
impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precision = match self.1 {
            Precision::F32 => "f32",
            Precision::F64 => "f64",
        };
        write!(f, "{} {precision}", self.0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.skipped > 0 {
            writeln!(f, "skipped, tests x backends:")?;
        }
        let mut reasons: Vec<_> = self.reasons.iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (reason, count) in reasons {
            writeln!(f, "{count:>6}  {reason}")?;
        }
        let backends = BACKENDS.map(|backend| backend.to_string()).join(", ");
        writeln!(
            f,
            "{} of {} tests run, each on {} backends: {backends}",
            self.run,
            self.tests,
            BACKENDS.len()
        )?;
        write!(
            f,
            "conformance: passed={} failed={} skipped={}",
            self.passed, self.failed, self.skipped
        )
    }
}
