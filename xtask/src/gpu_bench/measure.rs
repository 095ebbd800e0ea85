//! The times of a work on all sides, in turns.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::ahead::{Compiled, name_of};
use super::process::{Peers, prepare};
use super::work::{COMPILE, EAGER, EAGER_LAST, Task, Work};
use crate::bench_compile::measure::median;
use crate::bench_peers::agree::{agree, apart};
use crate::bench_peers::measure::spread_of;
use crate::bench_peers::network;
use crate::bench_peers::peers::OURS;
use crate::bench_peers::process::Process;
use crate::bench_peers::work;

pub struct Measure<'a> {
    peers: &'a mut Peers,
    compiled: Compiled,
    folder: PathBuf,
    rounds: usize,
    pub versions: Vec<String>,
}

/// One who takes part in a work.
struct Lane {
    name: &'static str,
    /// What is asked for a time.
    command: &'static str,
    /// The one that has compiled this work; others go from one work to the next.
    process: Option<Process>,
    /// Milliseconds.
    times: Vec<f64>,
    /// Why there are no more.
    failed: Option<String>,
}

impl Lane {
    fn new(name: &'static str, command: &'static str) -> Self {
        Self {
            name,
            command,
            process: None,
            times: Vec::new(),
            failed: None,
        }
    }
}

impl<'a> Measure<'a> {
    pub fn new(peers: &'a mut Peers, compiled: Compiled, folder: &Path, rounds: usize) -> Self {
        Self {
            peers,
            compiled,
            folder: folder.to_path_buf(),
            rounds,
            versions: Vec::new(),
        }
    }

    /// Whether ours and PyTorch compute the same where neither rounds to TF32.
    pub fn agreement(&mut self, name: &'static str, batch: usize) -> Value {
        if !self.peers.have_pytorch() {
            return json!({ "network": name });
        }
        let found = self.agree(name, batch);
        // They go on in TF32, whatever has come of it.
        for peer in [OURS, EAGER] {
            let back = self.ask(peer, "precision tf32");
            if back.is_err() {
                self.peers.end(peer);
            }
        }
        match found {
            Ok(apart) => json!({ "network": name, "agrees": true, "apart": apart }),
            Err(error) => {
                json!({ "network": name, "agrees": false, "error": format!("{error:#}") })
            }
        }
    }

    fn agree(&mut self, name: &'static str, batch: usize) -> Result<f64> {
        let folder = self.folder.join(name);
        let mut results = Vec::new();
        for peer in [OURS, EAGER] {
            self.ask(peer, "precision strict")?;
            let version = self.ask(peer, "version")?;
            if !self.versions.contains(&version) {
                self.versions.push(version);
            }
            prepare(self.peers.get(peer)?, "attribute", batch, &folder)?;
            results.push(network::read(&folder.join(format!("{peer}.f32")))?);
        }
        let [ours, theirs] = results.as_slice() else {
            return Ok(0.0);
        };
        agree(work::Task::Attribute, ours, theirs)?;
        Ok(apart(ours, theirs))
    }

    fn ask(&mut self, peer: &'static str, command: &str) -> Result<String> {
        self.peers.get(peer)?.ask(command)
    }

    /// What a work has come to.
    pub fn row(&mut self, work: &Work) -> Value {
        let folder = self.folder.join(work.network);
        let (task, on_the_device) = work.ours();
        let mut lanes = vec![Lane::new(OURS, if on_the_device { "time" } else { "run" })];
        if self.peers.have_pytorch() {
            lanes.extend(work.peers().iter().map(|name| Lane::new(name, "run")));
        }
        let (mut apart_by, mut memory, mut expected) = (Map::new(), Map::new(), None);
        for lane in &mut lanes {
            let command = if lane.name == OURS {
                task
            } else {
                work.command()
            };
            let ready = self.ready(lane, work, command, &folder);
            let results = ready.and_then(|file| network::read(&folder.join(file)));
            match (results, &expected) {
                (Err(error), _) => self.fail(lane, &error),
                (Ok(results), None) => expected = Some(results),
                (Ok(results), Some(expected)) => {
                    if results.len() == expected.len() && work.task != Task::Expected {
                        apart_by.insert(lane.name.to_owned(), json!(apart(expected, &results)));
                    }
                }
            }
        }
        for _ in 0..self.rounds {
            for lane in lanes.iter_mut().filter(|lane| lane.failed.is_none()) {
                match self.time(lane) {
                    Ok(milliseconds) => lane.times.push(milliseconds),
                    Err(error) => self.fail(lane, &error),
                }
            }
        }
        if !matches!(work.task, Task::Host | Task::Integrate) {
            let asked = [OURS, EAGER, EAGER_LAST];
            let lanes = lanes.iter().filter(|lane| asked.contains(&lane.name));
            for lane in lanes.filter(|lane| lane.failed.is_none()) {
                if let Ok(bytes) = self.ask(lane.name, "peak")
                    && let Ok(bytes) = bytes.parse::<f64>()
                {
                    memory.insert(lane.name.to_owned(), json!(bytes));
                }
            }
        }
        row(lanes, apart_by, memory)
    }

    /// The file with the results of one who is ready.
    fn ready(
        &mut self,
        lane: &mut Lane,
        work: &Work,
        command: &str,
        folder: &Path,
    ) -> Result<String> {
        if lane.name == COMPILE {
            lane.process = Some(self.compiled.take(work)?);
            return Ok(format!("{}.f32", name_of(work)));
        }
        prepare(self.peers.get(lane.name)?, command, work.batch, folder)?;
        Ok(format!("{}.f32", lane.name))
    }

    fn time(&mut self, lane: &mut Lane) -> Result<f64> {
        let process = match &mut lane.process {
            Some(process) => process,
            None => self.peers.get(lane.name)?,
        };
        let seconds: f64 = process.ask(lane.command)?.parse().context("no time")?;
        Ok(1e3 * seconds)
    }

    /// One that has failed may be in any state.
    fn fail(&mut self, lane: &mut Lane, error: &anyhow::Error) {
        eprintln!("{}: {error:#}", lane.name);
        lane.failed = Some(format!("{error:#}"));
        lane.process = None;
        self.peers.end(lane.name);
    }
}

fn row(lanes: Vec<Lane>, apart: Map<String, Value>, memory: Map<String, Value>) -> Value {
    let (mut milliseconds, mut spread, mut skipped) = (Map::new(), Map::new(), Map::new());
    for lane in lanes {
        match lane.failed {
            Some(reason) => {
                skipped.insert(lane.name.to_owned(), json!(reason));
            }
            None => {
                spread.insert(lane.name.to_owned(), json!(spread_of(lane.times.clone())));
                milliseconds.insert(lane.name.to_owned(), json!(median(lane.times)));
            }
        }
    }
    json!({
        "milliseconds": milliseconds,
        "spread": spread,
        "skipped": skipped,
        "apart": apart,
        "memory": memory,
    })
}
