//! The benchmark on a GPU, which a bundle carries there: `xtask gpu-bench`.
//!
//! Ours and PyTorch in several forms are processes that answer commands, as in `bench-peers`; all are asked in turn. Both multiply in
//! TF32; first they have to agree where neither does. What takes PyTorch's compiler long is begun at once, while tests still run; then
//! standard input ends, and what is measured has the GPU for itself. Results are written after each work, so that none is lost
//! where the time is up.

mod ahead;
mod measure;
mod process;
pub mod report;
mod work;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};

use crate::bench_peers::network;
use ahead::Ahead;
use measure::Measure;
use process::Peers;
use work::{QUICK, SMALL, Task, WORKS, Work};

/// Measure speed on a GPU
#[derive(Args)]
pub struct GpuBench {
    /// Where results are written
    #[arg(long, default_value = "out")]
    output: PathBuf,
    /// Few works, and few runs
    #[arg(long)]
    quick: bool,
    /// A folder with the programs of PyTorch; without, only ours is measured
    #[arg(long)]
    peers: Option<PathBuf>,
    /// Compile, and measure when standard input ends
    #[arg(long)]
    after_input: bool,
    /// Seconds that PyTorch's compiler has
    #[arg(long, default_value_t = 150)]
    compile_seconds: u64,
    /// Seconds after which no work begins
    #[arg(long, default_value_t = 330)]
    seconds: u64,
    /// TFLOP/s of dense products in TF32. An H200's, by NVIDIA's data sheet: 989 with sparsity
    #[arg(long, default_value_t = 494.7)]
    tflops: f64,
    /// TB/s of the memory. An H200's, by NVIDIA's data sheet
    #[arg(long, default_value_t = 4.8)]
    terabytes: f64,
    /// The commit of what is measured
    #[arg(long, default_value = "unknown")]
    commit: String,
    /// Measure small works on what stands in for a GPU in tests
    #[arg(long, hide = true)]
    stand_in: bool,
}

/// Samples on which both sides have to agree.
const STRICT_SAMPLES: usize = 4;
const QUICK_COMPILE_SECONDS: u64 = 60;

impl GpuBench {
    pub fn run(self) -> Result<ExitCode> {
        let start = Instant::now();
        fs::create_dir_all(&self.output).with_context(|| self.output.display().to_string())?;
        let works = self.works();
        let folder = tempfile::tempdir()?;
        write_networks(works, folder.path())?;
        let mut peers = Peers::new(self.peers.as_deref(), self.stand_in);
        let most = if self.quick {
            QUICK_COMPILE_SECONDS
        } else {
            u64::MAX
        };
        let until = Duration::from_secs(self.compile_seconds.min(most));
        let ahead = Ahead::start(&peers, works, folder.path(), until);
        peers.start();
        if self.after_input {
            io::copy(&mut io::stdin().lock(), &mut io::sink())?;
        }
        let compiled = ahead.finish();
        let mut results = json!({
            "date": said("date", &["-u", "+%F"]),
            "commit": self.commit,
            "gpu": self.gpu(),
            "peak": { "tflops": self.tflops, "terabytes": self.terabytes },
            "quick": self.quick,
            "tests": tests(&self.output),
        });
        let rounds = if self.quick || self.stand_in { 3 } else { 9 };
        let mut measure = Measure::new(&mut peers, compiled, folder.path(), rounds);
        let mut agreements = Vec::new();
        for name in networks(works) {
            agreements.push(measure.agreement(name, STRICT_SAMPLES));
        }
        let agree = agreements
            .iter()
            .all(|agreement| agreement["agrees"] != json!(false));
        results["agreement"] = json!(agreements);
        let (mut rows, mut ours) = (Vec::new(), true);
        for work in works {
            let late = start.elapsed() > Duration::from_secs(self.seconds);
            let mut row = match late {
                true => json!({ "skipped": { "xdnn": "the time was up" } }),
                false => measure.row(work),
            };
            ours &= late || row["milliseconds"]["xdnn"].is_number();
            self.describe(work, &mut row)?;
            eprintln!("{}: {}", work.name(), row["milliseconds"]);
            rows.push(row);
            results["rows"] = json!(rows);
            results["versions"] = json!(measure.versions);
            results["seconds"] = json!(start.elapsed().as_secs());
            self.save(&results)?;
        }
        println!("{}", report::markdown(&results));
        Ok(ExitCode::from(u8::from(!agree || !ours)))
    }

    fn works(&self) -> &'static [Work] {
        match (self.stand_in, self.quick) {
            (true, _) => &SMALL,
            (_, true) => &QUICK,
            _ => &WORKS,
        }
    }

    /// What a work is, and how long it would take at least.
    fn describe(&self, work: &Work, row: &mut Value) -> Result<()> {
        use crate::bench_peers::{floor, work};
        let task = match work.task {
            Task::Step | Task::Expected => work::Task::Step,
            _ => work::Task::Attribute,
        };
        let passes = floor::passes(network::spec(work.network)?, task, work.batch);
        let seconds = passes.iter().map(|pass| {
            let computing = pass.flop / (1e12 * self.tflops);
            computing.max(pass.bytes / (1e12 * self.terabytes))
        });
        row["name"] = json!(work.name());
        row["task"] = json!(work.command());
        row["network"] = json!(work.network);
        row["batch"] = json!(work.batch);
        row["gflop"] = json!(1e-9 * passes.iter().map(|pass| pass.flop).sum::<f64>());
        row["megabytes"] = json!(1e-6 * passes.iter().map(|pass| pass.bytes).sum::<f64>());
        row["floor"] = json!(1e3 * seconds.sum::<f64>());
        Ok(())
    }

    fn save(&self, results: &Value) -> Result<()> {
        let write = |name: &str, text: String| {
            let path = self.output.join(name);
            fs::write(&path, text).with_context(|| path.display().to_string())
        };
        write("results.json", serde_json::to_string_pretty(results)?)?;
        write("results.md", report::markdown(results))
    }

    fn gpu(&self) -> String {
        if self.stand_in {
            return "no GPU but what stands in for one".to_owned();
        }
        let query = "--query-gpu=name,driver_version,memory.total,power.limit,clocks.max.sm";
        let gpu = said("nvidia-smi", &[query, "--format=csv,noheader", "--id=0"]);
        gpu.unwrap_or_else(|| "an unknown GPU".to_owned())
    }
}

/// The networks of works, each once.
fn networks(works: &[Work]) -> Vec<&'static str> {
    let mut networks: Vec<_> = works.iter().map(|work| work.network).collect();
    networks.sort_unstable();
    networks.dedup();
    networks
}

fn write_networks(works: &[Work], folder: &Path) -> Result<()> {
    for name in networks(works) {
        let alike = works.iter().filter(|work| work.network == name);
        let samples = alike.map(|work| work.batch).max().unwrap_or_default();
        network::write(&folder.join(name), name, samples.max(STRICT_SAMPLES))?;
    }
    Ok(())
}

/// What the tests came to, a line each: `name result seconds`.
fn tests(output: &Path) -> Vec<String> {
    let lines = fs::read_to_string(output.join("tests.txt")).unwrap_or_default();
    lines.lines().map(str::to_owned).collect()
}

fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
