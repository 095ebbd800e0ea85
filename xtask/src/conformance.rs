//! Conformance with ONNX: `cargo xtask conformance [FILTER] [--verbose] [--gpu]`.
//!
//! The wheel of `onnx` on PyPI carries operator tests: small models with inputs and the outputs that they must give.
//! Every test that one of our layers, or a combination of them, can compute becomes a network, and runs on every backend.
//! All others are skipped, each for a reason that the report counts. The command fails where a result is wrong. `--gpu` runs them on the GPU of this machine instead.
//! `--declare FILE` writes the networks of all tests, for `xdnn-runtime/tests/conformance.rs` to run without the archive.
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

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Args;
use rayon::prelude::*;
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

/// Where every network runs,
const BACKENDS: &[Backend] = &[
    Backend(Device::Reference, Precision::F32),
    Backend(Device::Reference, Precision::F64),
    Backend(Device::Cpu, Precision::F32),
    Backend(Device::Luminal, Precision::F32),
];
/// or, where that is asked for, on a GPU.
const GPU: &[Backend] = &[Backend(Device::Cuda(0), Precision::F32)];

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
    /// Run them on the GPU of this machine, and nowhere else
    #[arg(long)]
    gpu: bool,
    /// Take what stands in for one in tests
    #[arg(long, hide = true, requires = "gpu")]
    stand_in: bool,
    /// Declare the networks of the tests in this file, and run nothing
    #[arg(long, value_name = "FILE")]
    declare: Option<PathBuf>,
    /// An archive with the tests, which is not downloaded then
    #[arg(long, value_name = "FILE")]
    archive: Option<PathBuf>,
}

/// What came of the tests. All counts but those of `tests` and `run` are of tests × backends.
struct Report {
    backends: &'static [Backend],
    tests: usize,
    run: usize,
    passed: usize,
    failed: usize,
    skipped: usize,
    reasons: BTreeMap<String, usize>,
}

impl Conformance {
    pub fn run(self) -> Result<ExitCode> {
        if self.stand_in {
            xdnn_cuda_mock::install().map_err(anyhow::Error::msg)?;
        }
        let wheel = match &self.archive {
            Some(archive) => archive.clone(),
            None => wheel()?,
        };
        let damaged = || {
            format!(
                "cannot read `{}`; delete it, and it is downloaded again",
                wheel.display()
            )
        };
        let mut archive =
            Archive::open(File::open(&wheel).with_context(damaged)?).with_context(damaged)?;
        let mut trials = Vec::new();
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
            trials.push((path, trial));
        }
        ensure!(
            !trials.is_empty(),
            "no test has a path that contains `{}`",
            self.filter
        );
        if let Some(file) = &self.declare {
            let networks = declarations(&trials);
            fs::write(file, networks)
                .with_context(|| format!("cannot write `{}`", file.display()))?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut report = Report::on(if self.gpu { GPU } else { BACKENDS });
        let outcomes: Vec<Vec<Outcome>> = match self.gpu {
            // The compiler takes longer than the GPU.
            true => trials
                .par_iter()
                .map(|(_, trial)| report.outcomes(trial))
                .collect(),
            false => trials
                .iter()
                .map(|(_, trial)| report.outcomes(trial))
                .collect(),
        };
        for ((path, trial), outcomes) in trials.iter().zip(outcomes) {
            report.test(path, trial, outcomes);
        }
        println!("{report}");
        Ok(ExitCode::from(u8::from(report.failed > 0)))
    }
}

/// The networks of all tests that run, each once, as the language declares them; above each the test that it is of, and the samples of
/// that. Those that the language cannot declare are named at the end.
fn declarations(trials: &[(String, Result<Trial, Skip>)]) -> String {
    let mut known = BTreeSet::new();
    let (mut declared, mut others) = (String::new(), String::new());
    for (path, trial) in trials {
        let Ok(trial) = trial else { continue };
        match trial.declaration() {
            Some(text) => {
                let samples = trial.samples();
                if known.insert((samples, text.clone())) {
                    declared += &format!("// {path}, samples: {samples}\n{text}\n");
                }
            }
            None => others += &format!("// {path} is not declared: {}\n", network(trial)),
        }
    }
    declared + &others
}

/// What came of a test on a backend.
enum Outcome {
    Passed,
    Skipped(String),
    Failed(String),
}

impl Report {
    fn on(backends: &'static [Backend]) -> Self {
        Self {
            backends,
            tests: 0,
            run: 0,
            passed: 0,
            failed: 0,
            skipped: 0,
            reasons: BTreeMap::new(),
        }
    }

    /// What comes of a test on each backend; nothing, where it is skipped.
    fn outcomes(&self, trial: &Result<Trial, Skip>) -> Vec<Outcome> {
        let backends = self.backends.iter();
        let outcomes = trial
            .iter()
            .flat_map(|trial| backends.clone().map(|on| on.outcome(trial)));
        outcomes.collect()
    }

    fn test(&mut self, path: &str, trial: &Result<Trial, Skip>, outcomes: Vec<Outcome>) {
        self.tests += 1;
        let trial = match trial {
            Ok(trial) => trial,
            Err(skip) => return self.skip(skip.reason.clone(), self.backends.len()),
        };
        self.run += 1;
        for (backend, outcome) in self.backends.iter().zip(outcomes) {
            match outcome {
                Outcome::Passed => self.passed += 1,
                Outcome::Skipped(reason) => self.skip(reason, 1),
                Outcome::Failed(wrong) => {
                    self.failed += 1;
                    println!("FAILED {path} on {backend}: {}: {wrong}", network(trial));
                }
            }
        }
    }

    fn skip(&mut self, reason: String, count: usize) {
        self.skipped += count;
        *self.reasons.entry(reason).or_default() += count;
    }
}

impl Backend {
    fn outcome(self, trial: &Trial) -> Outcome {
        // A panic is a failure of one test, and must not hide the others.
        let result = catch_unwind(AssertUnwindSafe(|| match self.1 {
            Precision::F32 => trial.run::<f32>(self.0),
            Precision::F64 => trial.run::<f64>(self.0),
        }));
        match result {
            Ok(Ok(Ok(()))) => Outcome::Passed,
            Ok(Ok(Err(wrong))) => Outcome::Failed(wrong),
            // luminal's primitives select windows by matrices, which it cannot count for the longest axes.
            Ok(Err(error @ Error::OutOfMemory { .. })) if self.0 == Device::Luminal => {
                Outcome::Skipped(error.to_string())
            }
            // Whoever asks for a GPU has one.
            Ok(Err(error @ Error::Device { .. })) if !matches!(self.0, Device::Cuda(_)) => {
                Outcome::Skipped(error.to_string())
            }
            Ok(Err(error)) => Outcome::Failed(error.to_string()),
            Err(_) => Outcome::Failed("it panics".to_owned()),
        }
    }
}

/// The wheel with the tests.
pub fn wheel() -> Result<PathBuf> {
    ONNX.fetch()
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
        let backends: Vec<String> = self.backends.iter().map(Backend::to_string).collect();
        writeln!(
            f,
            "{} of {} tests run, each on {} backends: {}",
            self.run,
            self.tests,
            backends.len(),
            backends.join(", ")
        )?;
        write!(
            f,
            "conformance: passed={} failed={} skipped={}",
            self.passed, self.failed, self.skipped
        )
    }
}
