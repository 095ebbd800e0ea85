//! The CUDA backend: one program of generated kernels for the whole graph.
//!
//! [`compile`] groups operators into kernels (`group`), writes the text of each (`kernel`), plans one piece of the device's memory for
//! everything that a run needs, has the kernels compiled by NVRTC, which a cache on the disk remembers (`module`), and records what a
//! run does as one CUDA graph (`session`). The driver and NVRTC are looked for when the program runs, so that nothing of CUDA is needed
//! to build.
//!
//! What the driver or NVRTC does not do is an error of whatever needed it, and leaves nothing behind; the next run starts afresh. There
//! are three limits. What the driver refuses to take back stays with it (`driver`). After a kernel has failed, as for a broken device,
//! the driver refuses every call of the process. And a driver or an NVRTC that answers with a number which cudarc does not know as an
//! error, or lacks a function that those of CUDA 12.0 have, breaks what cudarc assumes.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use xdnn_ir::Shape;

use super::plan::{Place, Weights};
use super::{Given, Kept, Program};
use crate::error::{Result, invalid};
use crate::graph::Graph;
use crate::ops::Leaf;
use crate::{Device, Precision};

mod ahead;
mod driver;
mod gpu;
mod group;
mod kernel;
mod module;
mod nvrtc;
mod outline;
mod session;
mod slice;

#[cfg(test)]
mod tests;

pub use ahead::{compile_ahead, embed};
use driver::{Function, Memory};
use gpu::Gpu;
pub use outline::Outline;
use session::Session;
pub use slice::{Buffer, Slice, SliceMut};

/// A graph compiled for a GPU. Its [`Display`](fmt::Display) lists its kernels, and what each reads and writes.
pub struct CudaProgram {
    outline: Outline,
    gpu: Arc<Gpu>,
    /// The function of each step.
    functions: Vec<Function>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// For each leaf what stays on the device, where that is known.
    kept: Vec<Option<Arc<Memory>>>,
    /// How often this has changed.
    version: usize,
    /// The sessions that no run is using; all of them read what is kept.
    sessions: Vec<Session>,
}

/// Compiles a graph for the GPU of this number.
///
/// # Errors
///
/// [`Error::Device`](crate::Error::Device) where there is no driver, no such GPU, none that is new enough, or no NVRTC, or where NVRTC
/// refuses a kernel, with its log; [`Error::OutOfMemory`](crate::Error::OutOfMemory) where the device has no room for the kernels.
pub fn compile(
    graph: &Graph,
    weights: Weights,
    ordinal: usize,
    precision: Precision,
) -> Result<CudaProgram> {
    let _span = tracing::debug_span!("compile", backend = "cuda").entered();
    let gpu = Gpu::open(ordinal)?;
    let outline = Outline::of_graph(graph, weights, precision)?;
    tracing::debug!(
        kernels = outline.kernels(),
        arena_bytes = outline.plan.arena * size_of::<f32>(),
        "planned"
    );
    let functions = gpu.functions(&outline.launched())?;
    let state = State {
        kept: vec![None; outline.interface.leaves.len()],
        ..State::default()
    };
    Ok(CudaProgram {
        outline,
        gpu,
        functions,
        state: Mutex::new(state),
    })
}

/// The PTX of a module's text for an architecture, such as `compute_90a`, by the NVRTC of this machine.
///
/// # Errors
///
/// What NVRTC has to say, with its log.
pub fn ptx(text: &str, architecture: &str) -> std::result::Result<String, String> {
    nvrtc::ptx(text, architecture)
}

/// Whether there is a GPU that programs can run on.
pub(crate) fn is_there() -> bool {
    Gpu::is_there()
}

/// A session that a run has taken, and the version of what was kept then.
struct Run {
    session: Session,
    version: usize,
}

impl CudaProgram {
    /// Checks the sizes of what a run is given, and takes a session for it. One that is not returned by [`CudaProgram::end`] goes.
    fn begin(
        &self,
        leaves: impl Iterator<Item = usize>,
        outputs: impl Iterator<Item = usize>,
    ) -> Result<Run> {
        let (session, version) = {
            let mut state = lock(&self.state);
            let kept = |leaf: usize| state.kept[leaf].is_some();
            self.outline.interface.check_but(kept, leaves, outputs)?;
            let session = state.sessions.pop();
            (session.ok_or_else(|| state.kept.clone()), state.version)
        };
        let session = match session {
            Ok(session) => session,
            Err(kept) => Session::new(self, kept)?,
        };
        Ok(Run { session, version })
    }

    /// Lets another run have the session, unless it reads what is no longer kept.
    fn end(&self, run: Run) {
        let mut state = lock(&self.state);
        if state.version == run.version {
            state.sessions.push(run.session);
        }
    }
}

impl Program<f32> for CudaProgram {
    fn leaves(&self) -> &[(Leaf, Shape)] {
        &self.outline.interface.leaves
    }

    fn outputs(&self) -> &[Shape] {
        &self.outline.interface.outputs
    }

    fn run(&self, leaves: &[&[f32]], outputs: &mut [&mut [f32]]) -> Result<()> {
        let _span = tracing::trace_span!("run", backend = "cuda").entered();
        let mut run = self.begin(
            leaves.iter().map(|data| data.len()),
            outputs.iter().map(|data| data.len()),
        )?;
        run.session.run(leaves, outputs)?;
        self.end(run);
        Ok(())
    }

    fn run_within(&self, leaves: &[Given<'_, f32>], outputs: &mut [SliceMut<'_>]) -> Result<()> {
        let inputs = leaves.iter().filter_map(|leaf| match leaf {
            Given::Host(_) => None,
            Given::Device(slice) => Some(slice.ordinal),
        });
        let mut places = inputs.chain(outputs.iter().map(|output| output.ordinal));
        if let Some(other) = places.find(|ordinal| *ordinal != self.gpu.ordinal) {
            return Err(self.gpu.refused(format!(
                "it does not read or write the memory of `{}`; give it numbers on the device of the model",
                Device::Cuda(other)
            )));
        }
        let _span = tracing::trace_span!("run", backend = "cuda").entered();
        let sizes = leaves.iter().map(|leaf| match leaf {
            Given::Host(data) => data.len(),
            Given::Device(slice) => slice.len(),
        });
        let mut run = self.begin(sizes, outputs.iter().map(SliceMut::len))?;
        run.session.run_within(self, leaves, outputs)?;
        self.end(run);
        Ok(())
    }

    fn memory(&self) -> Option<usize> {
        Some(self.outline.memory())
    }

    fn time(&self, runs: usize) -> Result<Option<f64>> {
        let (session, version) = {
            let mut state = lock(&self.state);
            (state.sessions.pop(), state.version)
        };
        let Some(session) = session else {
            return Ok(None);
        };
        let mut run = Run { session, version };
        let seconds = run.session.time(self, runs)?;
        self.end(run);
        Ok(Some(seconds))
    }

    fn upload(&self, values: &[f32]) -> Result<Option<Kept>> {
        let memory = self.gpu.upload("a weight", values)?;
        Ok(Some(Arc::new(memory)))
    }

    fn keep(&self, leaf: usize, kept: &Kept) -> Result<()> {
        let memory = Arc::clone(kept).downcast::<Memory>();
        let memory = memory.map_err(|_| invalid("a weight was put on another device"))?;
        if !memory.is_of(&self.gpu.context) {
            return Err(invalid("a weight was put on another device"));
        }
        let size = self
            .outline
            .interface
            .leaves
            .get(leaf)
            .map(|(_, shape)| shape.elements());
        let mut state = lock(&self.state);
        match state.kept.get_mut(leaf) {
            Some(kept) if size == Some(memory.len()) => *kept = Some(memory),
            _ => {
                return Err(invalid(
                    "a program was given a weight that it does not read",
                ));
            }
        }
        state.version += 1;
        state.sessions.clear();
        Ok(())
    }
}

/// What a lock guards is whole, whatever panicked elsewhere.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Display for CudaProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outline.fmt(f)
    }
}

impl fmt::Debug for CudaProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
