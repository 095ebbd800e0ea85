//! Ours against other frameworks, on the same machine in the same run: `cargo xtask bench-peers [--quick] [--only PATTERN]`.
//!
//! Each framework is a process of its own, with the same network, weights, inputs and number of threads. All of them are
//! asked in turn, a run each, so that what disturbs the machine disturbs all alike. Before a time counts, the results
//! must agree. The tables go to `docs/benchmarks.md`; `--quick` and `--only` measure less and leave the document alone.

pub mod agree;
mod ceiling;
mod first;
pub mod floor;
pub mod measure;
mod memory;
pub mod network;
pub mod peers;
pub mod process;
mod row;
pub mod work;
mod worker;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use xdnn::Device;

use crate::section;
use ceiling::Ceiling;
use peers::{Peers, Programs};
use row::Row;
use work::{Task, WORKS, Work};

/// Measure speed against other frameworks
#[derive(Args)]
pub struct BenchPeers {
    /// Only the first work unless `--only` names others, a few runs, and not the document
    #[arg(long)]
    quick: bool,
    /// Only works with this in their name, and not the document
    #[arg(long, value_name = "PATTERN")]
    only: Option<String>,
    /// How often each framework runs
    #[arg(long, default_value_t = 15, value_parser = at_least_one)]
    rounds: usize,
    /// Be one of our own processes that are measured
    #[arg(long, hide = true)]
    role: Option<Role>,
    /// Let that process work on a GPU
    #[arg(long, hide = true, requires = "role")]
    gpu: bool,
    /// Let it work on what stands in for one in tests
    #[arg(long, hide = true, requires = "gpu")]
    stand_in: bool,
    /// What that process works on
    #[arg(hide = true, requires = "role")]
    folder: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Role {
    Worker,
    First,
}

fn at_least_one(text: &str) -> Result<usize> {
    let rounds = text.parse()?;
    ensure!(rounds > 0, "one round is the least");
    Ok(rounds)
}

/// Starting processes takes long and varies little.
const FEWER_ROUNDS: usize = 7;

impl BenchPeers {
    pub fn run(self) -> Result<ExitCode> {
        match self.role {
            Some(Role::Worker) => {
                if self.stand_in {
                    xdnn_cuda_mock::install().map_err(anyhow::Error::msg)?;
                }
                let gpu = self.gpu.then_some(Device::Cuda(0));
                worker::serve(gpu.unwrap_or(Device::Cpu))?;
            }
            Some(Role::First) => first::attribute(&self.folder.context("no folder")?)?,
            None => return self.measure(),
        }
        Ok(ExitCode::SUCCESS)
    }

    fn measure(&self) -> Result<ExitCode> {
        let works = self.works()?;
        let rounds = if self.quick { 5 } else { self.rounds };
        let folder = crate::target_directory().join("bench-peers");
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let probes = works.iter().any(|work| work.is_alike());
        let mut names: Vec<_> = works.iter().flat_map(|work| work.peers).copied().collect();
        if probes {
            names.extend(ceiling::PRODUCTS.map(|product| product.0));
        }
        let programs = Programs::ready(&folder, &names)?;
        write_networks(&works, &folder)?;
        let (mut rows, mut ceilings, mut versions) = (Vec::new(), Vec::new(), Vec::new());
        for threads in 1..=thread::available_parallelism()?.get().min(2) {
            let mut peers = Peers::new(&programs, threads);
            for work in works.iter().filter(|work| work.wants(threads)) {
                let new = match work.task {
                    Task::First => {
                        let rounds = rounds.min(FEWER_ROUNDS);
                        vec![first::time(work, threads, rounds, &folder, &programs)?]
                    }
                    Task::Memory => memory::peak(work, threads, &folder, &programs)?,
                    _ => vec![measure::time(work, rounds, &folder, &mut peers)?],
                };
                for row in &new {
                    eprintln!("{}", row.report());
                }
                rows.extend(new);
            }
            if probes {
                ceilings.push(Ceiling::measure(&mut peers)?);
            }
            versions.extend(peers.versions()?);
        }
        let text = text(&rows, &ceilings, versions)?;
        if !self.quick && self.only.is_none() {
            section::write("bench-peers", &format!("{}\n\n{text}", section::machine()?))?;
        }
        let (worst, mean) = row::summary(&rows);
        println!("{text}\nbench-peers: worst_ratio={worst:.2} geomean={mean:.2}");
        Ok(ExitCode::from(u8::from(!rows.iter().all(Row::is_met))))
    }

    fn works(&self) -> Result<Vec<&'static Work>> {
        let works = match &self.only {
            Some(pattern) => work::named(pattern),
            None if self.quick => WORKS.iter().take(1).collect(),
            None => WORKS.iter().collect(),
        };
        ensure!(
            !works.is_empty(),
            "no work has that in its name; there are\n{}",
            WORKS.each_ref().map(Work::name).join("\n")
        );
        Ok(works)
    }
}

fn write_networks(works: &[&Work], folder: &Path) -> Result<()> {
    for work in works {
        let alike = WORKS.iter().filter(|other| other.network == work.network);
        let samples = alike.map(|work| work.batch).max().unwrap_or_default();
        network::write(&folder.join(work.network), work.network, samples)?;
    }
    Ok(())
}

/// The tables of what was measured.
fn text(rows: &[Row], ceilings: &[Ceiling], mut versions: Vec<String>) -> Result<String> {
    let mut parts = Vec::new();
    if rows.iter().any(|row| row.work.is_alike()) {
        parts.push(row::table(rows));
    }
    if rows.iter().any(|row| !row.work.is_alike()) {
        parts.push(row::short_table(rows));
    }
    if !ceilings.is_empty() {
        parts.push(floor::table(rows, ceilings)?);
    }
    // Some peers are one framework in several ways.
    versions.sort_unstable();
    versions.dedup();
    if !versions.is_empty() {
        parts.push(format!("Versions: {}.", versions.join(", ")));
    }
    Ok(parts.join("\n\n"))
}
