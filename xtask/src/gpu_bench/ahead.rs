//! What PyTorch compiles ahead: each work in a process of its own, a few at a time, until the time is up.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};

use super::process::{Peers, prepare, pytorch};
use super::work::{COMPILE, Work};
use crate::bench_peers::process::Process;

/// Processes that compile at the same time; each has many threads.
const AT_ONCE: usize = 3;

pub struct Ahead {
    threads: Vec<JoinHandle<Done>>,
}

/// What has been compiled, and why the rest has not.
pub struct Compiled(Done);

type Done = Vec<(Work, Result<Process>)>;

impl Ahead {
    pub fn start(peers: &Peers, works: &[Work], folder: &Path, time: Duration) -> Self {
        let wanted = works.iter().filter(|work| work.peers().contains(&COMPILE));
        let wanted: VecDeque<Work> = wanted.copied().collect();
        let queue = Arc::new(Mutex::new(wanted));
        let end = Instant::now() + time;
        let threads = match peers.have_pytorch() {
            true => AT_ONCE,
            false => 0,
        };
        let threads = (0..threads).map(|_| {
            let queue = Arc::clone(&queue);
            let scripts = peers.folder().map(Path::to_path_buf);
            let folder = folder.to_path_buf();
            thread::spawn(move || {
                let mut done = Vec::new();
                while let Some(work) = next(&queue) {
                    done.push((work, compiled(scripts.as_ref(), &work, &folder, end)));
                }
                done
            })
        });
        Self {
            threads: threads.collect(),
        }
    }

    /// Waits for what is being compiled.
    pub fn finish(self) -> Compiled {
        let done = self
            .threads
            .into_iter()
            .filter_map(|thread| thread.join().ok());
        Compiled(done.flatten().collect())
    }
}

impl Compiled {
    /// The process that has compiled a work.
    pub fn take(&mut self, work: &Work) -> Result<Process> {
        match self.0.iter().position(|(other, _)| other == work) {
            Some(position) => self.0.swap_remove(position).1,
            None => bail!("it was not compiled"),
        }
    }
}

fn next(queue: &Mutex<VecDeque<Work>>) -> Option<Work> {
    queue
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .pop_front()
}

fn compiled(
    scripts: Option<&PathBuf>,
    work: &Work,
    folder: &Path,
    end: Instant,
) -> Result<Process> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() {
        bail!("there was no time left to compile it");
    }
    let until = (SystemTime::now() + left).duration_since(UNIX_EPOCH)?;
    let name = name_of(work);
    let mut process = pytorch(
        scripts.map(PathBuf::as_path),
        &name,
        Some(until.as_secs_f64()),
    )?;
    prepare(
        &mut process,
        work.command(),
        work.batch,
        &folder.join(work.network),
    )?;
    Ok(process)
}

/// Its results go into a file of that name.
pub fn name_of(work: &Work) -> String {
    format!("{COMPILE}-{}-{}", work.command(), work.batch)
}
