//! Ours against other frameworks, on the same machine in the same run: `cargo xtask bench-peers [--quick]`.
//!
//! Each framework is a process of its own, with the same network, weights, inputs and number of threads. All of them are
//! asked in turn, a run each, so that what disturbs the machine disturbs all alike. Before a time counts, the results
//! must agree. The table goes to `docs/benchmarks.md`; `--quick` measures less and leaves the document alone.

mod network;
mod process;
mod worker;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::bench_compile::measure::median;
use crate::section;
use process::{Answer, Process};

/// The environment variable that names a Python with the peers in it.
const PYTHON: &str = "XDNN_PEERS_PYTHON";
/// What is installed for the peers where no Python is named.
const PACKAGES: [&str; 6] = [
    "torch==2.15.0",
    "jax==0.10.2",
    "onnxruntime==1.32.0",
    "onnx==1.23.2",
    "safetensors==0.8.0",
    "numpy==2.4.6",
];
/// The peers, as `assets/peers.py` knows them.
const PEERS: [&str; 5] = [
    "pytorch",
    "pytorch-channels-last",
    "pytorch-compile",
    "jax",
    "onnxruntime",
];
/// Between runs, so that threads of one framework that wait for work are asleep when the next one runs.
const REST: Duration = Duration::from_millis(250);
/// A peer that is so many times slower than ours after the first few runs gets no more of them.
const FEW: usize = 3;
const FAR: f64 = 3.0;
/// How far results may be apart, as a part of the largest: a few hundred roundings of `f32`.
const TOLERANCE: f64 = 1e-4;
/// How far attributions may be apart, in the Euclidean norm. Where a ReLU or a pool is close to deciding otherwise an
/// attribution has a jump, so that roundings move it more than its sum: X-VGG16's is 0.7 % from that in `f64` in PyTorch.
const DISTANCE: f64 = 0.02;

/// Measure speed against other frameworks
#[derive(Args)]
pub struct BenchPeers {
    /// Only the smallest work, a few runs, and not the document
    #[arg(long)]
    quick: bool,
    /// How often each framework runs
    #[arg(long, default_value_t = 15, value_parser = at_least_one)]
    rounds: usize,
    /// Serve runs of our own to another process
    #[arg(long, hide = true)]
    worker: bool,
}

fn at_least_one(text: &str) -> Result<usize> {
    let rounds = text.parse()?;
    ensure!(rounds > 0, "one round is the least");
    Ok(rounds)
}

/// What is done, and how many times as fast as the best peer it should be.
struct Work {
    network: &'static str,
    task: &'static str,
    batch: usize,
    goal: f64,
}

const fn work(network: &'static str, task: &'static str, batch: usize, goal: f64) -> Work {
    Work {
        network,
        task,
        batch,
        goal,
    }
}

const WORKS: [Work; 9] = [
    work("XAlexNet", "attribute", 1, 2.5),
    work("XAlexNet", "attribute", 8, 1.5),
    work("XVgg16", "attribute", 1, 2.0),
    work("XVgg16", "attribute", 4, 1.8),
    work("XResNet50", "attribute", 1, 1.6),
    work("XResNet50", "attribute", 8, 1.4),
    work("XAlexNet", "forward", 1, 1.2),
    work("XVgg16", "forward", 1, 1.2),
    work("XResNet50", "forward", 1, 1.2),
];

/// One line of the table.
struct Row<'w> {
    work: &'w Work,
    threads: usize,
    /// Milliseconds of ours and of each peer; `None` where it cannot do the work.
    times: Vec<Option<f64>>,
    /// The middle half of our times, as a part of their median.
    spread: f64,
}

impl BenchPeers {
    pub fn run(self) -> Result<ExitCode> {
        if self.worker {
            worker::serve()?;
            return Ok(ExitCode::SUCCESS);
        }
        let folder = crate::target_directory().join("bench-peers");
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let python = python(&folder)?;
        let works = if self.quick { &WORKS[..1] } else { &WORKS };
        let rounds = if self.quick { 5 } else { self.rounds };
        for work in works {
            network::write(&folder.join(work.network), work.network)?;
        }
        let (mut rows, mut versions) = (Vec::new(), Vec::new());
        for threads in 1..=thread::available_parallelism()?.get().min(2) {
            let mut processes = processes(&python, threads)?;
            versions = processes
                .iter_mut()
                .map(|process| process.ask("version"))
                .collect::<Result<_>>()?;
            for work in works {
                rows.push(measure(work, threads, rounds, &folder, &mut processes)?);
                eprintln!("{}", rows.last().map(Row::line).unwrap_or_default());
            }
        }
        versions.dedup(); // some peers are one framework in several ways
        let ratios: Vec<f64> = rows.iter().filter_map(Row::ratio).collect();
        let worst = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let mean = ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len().max(1) as f64;
        let table = table(&rows, &versions);
        if !self.quick {
            section::write(
                "bench-peers",
                &format!("{}\n\n{table}", section::machine()?),
            )?;
        }
        println!(
            "{table}\nbench-peers: worst_ratio={worst:.2} geomean={:.2}",
            mean.exp()
        );
        let met = rows
            .iter()
            .all(|row| row.ratio().is_some_and(|ratio| ratio >= row.work.goal));
        Ok(ExitCode::from(u8::from(!met)))
    }
}

/// The Python of an environment with the peers, which is made where none is named.
fn python(folder: &Path) -> Result<PathBuf> {
    if let Some(python) = env::var_os(PYTHON) {
        return Ok(python.into());
    }
    let environment = folder.join("environment");
    let python = environment.join("bin/python");
    if !environment.join("complete").exists() {
        eprintln!("installing {} once", PACKAGES.join(", "));
        process::succeed("python3", |command| {
            command.args(["-m", "venv"]).arg(&environment)
        })?;
        process::succeed(&python, |command| {
            command
                .args(["-m", "pip", "install", "--quiet"])
                .args(PACKAGES)
        })?;
        fs::write(environment.join("complete"), "")?;
    }
    Ok(python)
}

/// Ours, and the peers.
fn processes(python: &Path, threads: usize) -> Result<Vec<Process>> {
    let script = crate::workspace().join("xtask/assets/peers.py");
    let ours = Process::start("xdnn", &env::current_exe()?, threads, |command| {
        command.args(["bench-peers", "--worker"])
    });
    let peers = PEERS.iter().map(|peer| {
        Process::start(peer, python, threads, |command| {
            command.arg(&script).arg(peer).arg(threads.to_string())
        })
    });
    std::iter::once(ours).chain(peers).collect()
}

/// Runs a work in all processes, in turns.
fn measure<'w>(
    work: &'w Work,
    threads: usize,
    rounds: usize,
    folder: &Path,
    processes: &mut [Process],
) -> Result<Row<'w>> {
    let folder = folder.join(work.network);
    // The folder comes last: it may contain spaces.
    let prepare = format!("prepare {} {} {}", work.task, work.batch, folder.display());
    let mut able = Vec::new();
    let mut expected: Vec<f32> = Vec::new();
    for process in processes.iter_mut() {
        let answer = process.answer(&prepare)?;
        if answer == Answer::Ready {
            let results = network::read(&folder.join(format!("{}.f32", process.name)))?;
            if expected.is_empty() {
                expected = results;
            } else {
                agree(work.task, &expected, &results).with_context(|| {
                    format!("{} {} by {}", work.network, work.task, process.name)
                })?;
            }
        }
        able.push(answer == Answer::Ready);
    }
    let mut times = vec![Vec::new(); processes.len()];
    for round in 0..rounds {
        for (i, process) in processes.iter_mut().enumerate() {
            let behind = round >= FEW && median(times[i].clone()) > FAR * median(times[0].clone());
            if able[i] && !behind {
                thread::sleep(REST);
                let seconds: f64 = process.ask("run")?.parse()?;
                times[i].push(1e3 * seconds);
            }
        }
    }
    let mut ours = times[0].clone();
    ours.sort_by(f64::total_cmp);
    let spread = (ours[ours.len() * 3 / 4] - ours[ours.len() / 4]) / median(ours.clone());
    let times = times.into_iter();
    let times = times.map(|times| (!times.is_empty()).then(|| median(times)));
    Ok(Row {
        work,
        threads,
        times: times.collect(),
        spread,
    })
}

fn agree(task: &str, expected: &[f32], found: &[f32]) -> Result<()> {
    ensure!(expected.len() == found.len(), "results of another size");
    let numbers = |values: &[f32]| values.iter().copied().map(f64::from).collect::<Vec<_>>();
    let (expected, found) = (numbers(expected), numbers(found));
    ensure!(
        expected.iter().chain(&found).all(|y| y.is_finite()),
        "results that are not finite"
    );
    let norm = |values: &[f64]| values.iter().map(|y| y * y).sum::<f64>().sqrt();
    let difference: Vec<_> = expected.iter().zip(&found).map(|(a, b)| a - b).collect();
    let largest = |values: &[f64]| values.iter().fold(0.0_f64, |most, y| most.max(y.abs()));
    let (size, apart, limit) = match task {
        "forward" => (largest(&expected), largest(&difference), TOLERANCE),
        _ => {
            let [ours, theirs] = [&expected, &found].map(|values| values.iter().sum::<f64>());
            let gap = (ours - theirs).abs();
            ensure!(
                gap <= TOLERANCE * ours.abs(),
                "attributions that sum up to {ours} and {theirs}"
            );
            (norm(&expected), norm(&difference), DISTANCE)
        }
    };
    ensure!(
        size > 0.0 && apart <= limit * size,
        "results of {size} that are {apart} apart, more than {limit} of that"
    );
    Ok(())
}

impl Row<'_> {
    /// The time of the best peer by ours.
    fn ratio(&self) -> Option<f64> {
        let (ours, peers) = self.times.split_first()?;
        let best = peers.iter().flatten().copied().reduce(f64::min)?;
        Some(best / (*ours)?)
    }

    fn line(&self) -> String {
        let task = match self.work.task {
            "attribute" => "X-Gradient",
            task => task,
        };
        let network = self.work.network.replacen('X', "X-", 1);
        let mut line = format!(
            "| {task}, {network}, batch {} | {} |",
            self.work.batch, self.threads
        );
        for time in &self.times {
            let time = time.map_or(String::new(), |time| format!("{time:.1}"));
            let _ = write!(line, " {time} |");
        }
        let ratio = self.ratio().unwrap_or_default();
        let _ = write!(
            line,
            " {:.0} % | {ratio:.2} | {} |",
            100.0 * self.spread,
            self.work.goal
        );
        line
    }
}

fn table(rows: &[Row], versions: &[String]) -> String {
    let names = ["xdnn"].into_iter().chain(PEERS);
    let mut table = String::from("Medians in milliseconds.\n\n| work | threads |");
    for name in names {
        let _ = write!(table, " {name} |");
    }
    table += " spread | ratio | goal |\n|---|--:|";
    table += &"--:|".repeat(PEERS.len() + 4);
    for row in rows {
        let _ = write!(table, "\n{}", row.line());
    }
    let _ = write!(table, "\n\nVersions: {}.", versions.join(", "));
    table
}
