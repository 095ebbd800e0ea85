//! The memory of a process that loads a network and attributes a batch three times.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::agree::agree;
use super::network;
use super::peers::{OURS, Programs};
use super::process::Answer;
use super::row::{Row, Unit};
use super::work::Work;

/// `prepare` does the work once.
const MORE_RUNS: usize = 2;

/// Two rows: the peak, and how much it is above what the process held before it loaded the network.
pub fn peak(
    work: &'static Work,
    threads: usize,
    folder: &Path,
    programs: &Programs,
) -> Result<Vec<Row>> {
    let folder = folder.join(work.network);
    let command = format!(
        "prepare {} {} {}",
        work.task.command(),
        work.batch,
        folder.display()
    );
    let (mut peaks, mut above, mut expected) = (Vec::new(), Vec::new(), None);
    for &name in [OURS].iter().chain(work.peers) {
        let mut process = programs.start(name, threads)?;
        ensure!(process.answer(&command)? == Answer::Ready, "{name} is not");
        for _ in 0..MORE_RUNS {
            process.ask("run")?;
        }
        let answer = process.ask("memory")?;
        let (start, peak) = answer.split_once(' ').context("no two numbers")?;
        let (start, peak): (f64, f64) = (start.parse()?, peak.parse()?);
        let results = network::read(&folder.join(format!("{name}.f32")))?;
        match &expected {
            None => expected = Some(results),
            Some(expected) => agree(work.task, expected, &results)?,
        }
        peaks.push((name, peak));
        above.push((name, peak - start));
    }
    let mut above = Row::new(work, threads, Unit::Bytes, above);
    above.name += ", less that at the start";
    above.goal = None;
    Ok(vec![Row::new(work, threads, Unit::Bytes, peaks), above])
}

/// Bytes of this process that are in memory now (`VmRSS`), or have been at most (`VmHWM`).
pub fn resident(which: &str) -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status").context("only Linux tells")?;
    let line = status.lines().find_map(|line| line.strip_prefix(which));
    let line = line.with_context(|| format!("no {which}"))?;
    let kibibytes = line.split_whitespace().nth(1).context("no number")?;
    Ok(1024 * kibibytes.parse::<u64>()?)
}
