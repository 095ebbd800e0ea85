//! The time of a work in all processes, in turns.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::agree::agree;
use super::network;
use super::peers::{OURS, Peers};
use super::process::Answer;
use super::row::{Row, Unit};
use super::work::Work;
use crate::bench_compile::measure::median;

/// Between runs, so that threads of one framework that wait for work are asleep when the next one runs.
pub const REST: Duration = Duration::from_millis(250);
/// A peer that is so many times slower than ours after the first few runs gets no more of them,
const FEW: usize = 3;
const FAR: f64 = 3.0;
/// and one that is so many times slower from the start has one.
const VERY_FAR: f64 = 10.0;
/// Milliseconds of a run that need not be repeated to know that.
const LONG: f64 = 5000.0;

/// One who takes part.
struct Lane {
    name: &'static str,
    /// Milliseconds.
    times: Vec<f64>,
    retired: bool,
}

pub fn time(work: &'static Work, rounds: usize, folder: &Path, peers: &mut Peers) -> Result<Row> {
    let mut lanes = prepare(work, &folder.join(work.network), peers)?;
    warm_up(&mut lanes, peers)?;
    for round in 0..rounds {
        for i in 0..lanes.len() {
            let behind = round >= FEW
                && median(lanes[i].times.clone()) > FAR * median(lanes[0].times.clone());
            if !lanes[i].retired && !behind {
                let milliseconds = run(peers, lanes[i].name)?;
                lanes[i].times.push(milliseconds);
            }
        }
    }
    let spread = lanes.iter().find(|lane| lane.name == OURS);
    let spread = spread.map(|lane| spread_of(lane.times.clone()));
    let medians = lanes.into_iter();
    let medians = medians.map(|lane| (lane.name, median(lane.times)));
    let mut row = Row::new(work, peers.threads, Unit::Milliseconds, medians.collect());
    row.spread = spread;
    Ok(row)
}

/// Those that can do the work, ours first; their results agree with ours.
fn prepare(work: &Work, folder: &Path, peers: &mut Peers) -> Result<Vec<Lane>> {
    // The folder comes last: it may contain spaces.
    let command = format!(
        "prepare {} {} {}",
        work.task.command(),
        work.batch,
        folder.display()
    );
    let (mut lanes, mut expected) = (Vec::new(), None);
    for &name in [OURS].iter().chain(work.peers) {
        if peers.get(name)?.answer(&command)? == Answer::Unable {
            continue;
        }
        let results = network::read(&folder.join(format!("{name}.f32")))?;
        match &expected {
            None => expected = Some(results),
            Some(expected) => agree(work.task, expected, &results)
                .with_context(|| format!("{} by {name}", work.name()))?,
        }
        lanes.push(Lane {
            name,
            times: Vec::new(),
            retired: false,
        });
    }
    Ok(lanes)
}

fn warm_up(lanes: &mut [Lane], peers: &mut Peers) -> Result<()> {
    let mut ours = None;
    for lane in lanes {
        let first = run(peers, lane.name)?;
        let limit = VERY_FAR * *ours.get_or_insert(first);
        // A short one may have been disturbed.
        let warm = if first > limit.max(LONG) {
            first
        } else {
            run(peers, lane.name)?
        };
        if warm > limit {
            lane.times.push(warm);
            lane.retired = true;
        }
    }
    Ok(())
}

fn run(peers: &mut Peers, name: &str) -> Result<f64> {
    thread::sleep(REST);
    let seconds: f64 = peers.get(name)?.ask("run")?.parse()?;
    Ok(1e3 * seconds)
}

/// The middle half, as a part of the median.
pub fn spread_of(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    let quarters = [1, 3].map(|quarter| times.get(times.len() * quarter / 4).copied());
    match quarters {
        [Some(low), Some(high)] => (high - low) / median(times),
        _ => 0.0,
    }
}
