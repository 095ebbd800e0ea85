//! Ours and those of PyTorch, each a process.

use std::collections::HashMap;
use std::env;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, bail};

use super::work::{EAGER, EAGER_LAST, GRAPH, GRAPH_LAST};
use crate::bench_peers::peers::OURS;
use crate::bench_peers::process::Process;

/// The environment variable that names a Python with PyTorch.
const PYTHON: &str = "XDNN_PEERS_PYTHON";
/// The one that tells PyTorch when compiling ends, as seconds since 1970.
pub const UNTIL: &str = "XDNN_PEERS_UNTIL";

pub struct Peers {
    /// The folder of PyTorch's programs, where it takes part.
    folder: Option<PathBuf>,
    stand_in: bool,
    started: HashMap<&'static str, Process>,
}

impl Peers {
    pub fn new(folder: Option<&Path>, stand_in: bool) -> Self {
        Self {
            folder: folder.map(Path::to_path_buf),
            stand_in,
            started: HashMap::new(),
        }
    }

    /// Whether PyTorch takes part.
    pub fn have_pytorch(&self) -> bool {
        self.folder.is_some()
    }

    /// Starts those that run from one work to the next: importing takes a while.
    pub fn start(&mut self) {
        if self.have_pytorch() {
            for name in [EAGER, EAGER_LAST, GRAPH, GRAPH_LAST] {
                // One that cannot start fails when it is asked.
                if let Ok(process) = self.pytorch(name, None) {
                    self.started.insert(name, process);
                }
            }
        }
    }

    pub fn get(&mut self, name: &'static str) -> Result<&mut Process> {
        if !self.started.contains_key(name) {
            let process = match name {
                OURS => self.ours()?,
                _ => self.pytorch(name, None)?,
            };
            self.started.insert(name, process);
        }
        self.started.get_mut(name).context("no process")
    }

    /// Ends one, which starts anew when it is asked.
    pub fn end(&mut self, name: &str) {
        self.started.remove(name);
    }

    fn ours(&self) -> Result<Process> {
        Process::start(OURS, &env::current_exe()?, threads(), |command| {
            command.args(["bench-peers", "--role", "worker", "--gpu"]);
            if self.stand_in {
                command.arg("--stand-in");
            }
            command
        })
    }

    /// `until` is when compiling ends.
    pub fn pytorch(&self, name: &str, until: Option<f64>) -> Result<Process> {
        pytorch(self.folder.as_deref(), name, until)
    }

    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }
}

pub fn pytorch(folder: Option<&Path>, name: &str, until: Option<f64>) -> Result<Process> {
    let folder = folder.context("PyTorch takes no part")?;
    let python = env::var_os(PYTHON).unwrap_or_else(|| "python3".into());
    Process::start(name, Path::new(&python), threads(), |command| {
        command.arg(folder.join("peer.py")).arg(name);
        command.arg(threads().to_string());
        if let Some(until) = until {
            command.env(UNTIL, until.to_string());
        }
        command
    })
}

/// Lets a process prepare; why it cannot, where it cannot.
pub fn prepare(process: &mut Process, task: &str, batch: usize, folder: &Path) -> Result<()> {
    // The folder comes last: it may contain spaces.
    let answer = process.ask(&format!("prepare {task} {batch} {}", folder.display()))?;
    match answer.split_once(' ') {
        None if answer == "ready" => Ok(()),
        Some(("skip", reason)) => bail!("{reason}"),
        _ => bail!("it answers `{answer}`"),
    }
}

fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
