//! A process from its start to its first attribution.

use std::path::Path;
use std::time::Instant;
use std::{env, thread};

use anyhow::{Context, Result, ensure};
use xdnn::ndarray::Array;
use xdnn::prelude::*;
use xdnn::zoo::XAlexNet;

use super::agree::agree;
use super::measure::{REST, spread_of};
use super::network;
use super::peers::{CAPTUM, OURS, Programs, script};
use super::process::succeed;
use super::row::{Row, Unit};
use super::work::Work;
use crate::bench_compile::measure::median;

/// The process, as a user writes it.
pub fn attribute(folder: &Path) -> Result<()> {
    let model = XAlexNet::load(folder.join("weights.safetensors"))?.compile(Device::Cpu)?;
    let mut image = network::read(&folder.join("input.f32"))?;
    image.truncate(3 * 224 * 224);
    let image = Array::from_shape_vec((1, 3, 224, 224), image)?;
    let attribution = model.attribute(&image, Target::Predicted)?;
    network::put(
        &folder.join(result_of(OURS)),
        attribution.values().iter().copied(),
    )
}

fn result_of(name: &str) -> String {
    format!("first-{name}.f32")
}

/// Ours and PyTorch with Captum, in turns.
pub fn time(
    work: &'static Work,
    threads: usize,
    rounds: usize,
    folder: &Path,
    programs: &Programs,
) -> Result<Row> {
    let folder = folder.join(work.network);
    let ours = || {
        succeed(&env::current_exe()?, |command| {
            command
                .args(["bench-peers", "--role", "first"])
                .arg(&folder)
                .env("RAYON_NUM_THREADS", threads.to_string())
        })
    };
    let theirs = || {
        succeed(&programs.python, |command| {
            command
                .arg(script("first.py"))
                .arg(&folder)
                .arg(threads.to_string())
                .env("OMP_NUM_THREADS", threads.to_string())
                .env("PYTHONDONTWRITEBYTECODE", "1")
        })
    };
    let mut times = [Vec::new(), Vec::new()];
    // The first round reads files that the others find in memory.
    for round in 0..=rounds {
        let [first, second] = &mut times;
        let both: [(&dyn Fn() -> Result<()>, _); 2] = [(&ours, first), (&theirs, second)];
        for (run, times) in both {
            thread::sleep(REST);
            let start = Instant::now();
            run()?;
            if round > 0 {
                times.push(1e3 * start.elapsed().as_secs_f64());
            }
        }
    }
    let read = |name| network::read(&folder.join(result_of(name)));
    agree(work.task, &read(OURS)?, &read(CAPTUM)?).with_context(|| work.name())?;
    let spread = spread_of(times[0].clone());
    let [ours, theirs] = times.map(median);
    ensure!(ours > 0.0, "a process that takes no time");
    let mut row = Row::new(
        work,
        threads,
        Unit::Milliseconds,
        vec![(OURS, ours), (CAPTUM, theirs)],
    );
    row.spread = Some(spread);
    Ok(row)
}
