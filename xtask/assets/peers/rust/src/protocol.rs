//! Commands of `bench-peers` and their answers, a line each; `peers.py` says which there are.

use std::fs;
use std::hint::black_box;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::network::Problem;

/// What runs take together at least: a short one is repeated.
const LEAST: Duration = Duration::from_millis(50);

/// Does a work, and returns what reads its results.
pub type Run = Box<dyn Fn() -> Result<Values>>;
pub type Values = Box<dyn FnOnce() -> Result<Vec<f32>>>;

/// A framework.
pub trait Peer {
    const NAME: &str;
    const VERSION: &str;

    /// The work, or why it cannot be done.
    fn prepare(&self, problem: Problem, task: &str) -> Result<Result<Run, String>>;

    /// The most GFLOP/s that its product of square matrices reaches.
    fn product_rate(&self) -> Result<f64>;
}

/// Answers commands until there are no more.
pub fn serve<P: Peer>(peer: &P) -> Result<()> {
    let start = resident("VmRSS")?;
    let mut run: Option<Run> = None;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        let answer = match words.as_slice() {
            ["version"] => P::VERSION.to_owned(),
            ["memory"] => format!("{start} {}", resident("VmHWM")?),
            ["product"] => peer.product_rate()?.to_string(),
            ["prepare", task, batch, folder] => {
                drop(run.take()); // before there are two
                let folder = Path::new(folder);
                let problem = Problem::read(folder, batch.parse()?)?;
                match peer.prepare(problem, task)? {
                    Ok(prepared) => {
                        let values = prepared()?()?;
                        let bytes: Vec<u8> =
                            values.into_iter().flat_map(f32::to_le_bytes).collect();
                        fs::write(folder.join(format!("{}.f32", P::NAME)), bytes)?;
                        run = Some(prepared);
                        "ready".to_owned()
                    }
                    Err(reason) => format!("skip {reason}"),
                }
            }
            ["run"] => seconds(run.as_ref().context("nothing is prepared")?)?.to_string(),
            _ => bail!("unknown command `{line}`"),
        };
        println!("{answer}");
        io::stdout().flush()?;
    }
    Ok(())
}

/// Seconds of a run.
fn seconds(run: &Run) -> Result<f64> {
    let (start, mut runs) = (Instant::now(), 0);
    while runs == 0 || start.elapsed() < LEAST {
        let _ = black_box(run()?);
        runs += 1;
    }
    Ok(start.elapsed().as_secs_f64() / f64::from(runs))
}

/// Bytes of this process that are in memory now (`VmRSS`), or have been at most (`VmHWM`).
fn resident(which: &str) -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(which))
        .context("no such line")?;
    let kibibytes = line.split_whitespace().nth(1).context("no number")?;
    Ok(1024 * kibibytes.parse::<u64>()?)
}
