//! The ecosystem's own path: graphs in luminal's primitives, executed by luminal.
//!
//! Every graph is lowered ([`LowerToPrimitives`](crate::passes::LowerToPrimitives)) and then run by luminal's interpreter, or
//! by what a compiler of someone else has made of it. luminal's graphs do not move between threads, so that each program has a
//! thread of its own, which builds the graph, keeps it, and does one run after the other.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use luminal::prelude::{NodeIndex, Tensor};
use xdnn_ir::{NetworkSpec, Shape};

use super::{Interface, Program};
use crate::Device;
use crate::error::{Error, Result, invalid};
use crate::graph::{Graph, Task};
use crate::ops::Leaf;

#[cfg(feature = "luminal-cuda")]
mod cuda;
#[cfg(not(feature = "luminal-cuda"))]
#[path = "without_cuda.rs"]
mod cuda;

#[cfg(test)]
mod tests;

/// The program of a task on a device that runs primitives.
pub(super) fn compile(
    device: Device,
    spec: &Arc<NetworkSpec>,
    task: Task,
    batch: usize,
) -> Result<Arc<dyn Program<f32>>> {
    if let Device::LuminalCuda(number) = device {
        cuda::probe(number).map_err(|cause| unusable(device, cause))?;
    }
    let spec = Arc::clone(spec);
    let build = move || {
        let mut graph = Graph::build(&spec, task, batch)?;
        graph.lower()?;
        if let Device::LuminalCuda(_) = device {
            cuda::compile(&mut graph)?;
        }
        Ok(graph)
    };
    Ok(Arc::new(LuminalProgram::new(device, build)?))
}

/// Executes a graph in primitives with luminal, whatever its operators are by now; the leaves are given in the order of
/// [`Graph::leaves`].
///
/// # Errors
///
/// [`Error::Graph`] where the graph is not lowered, where leaves are missing or of another size, and where an output has not
/// been computed, or not as numbers that the processor reads.
pub fn execute(graph: &mut Graph, leaves: &[&[f32]]) -> Result<Vec<Vec<f32>>> {
    if !graph.nodes()?.is_empty() {
        return Err(invalid("it is not lowered to primitives".to_owned()));
    }
    let known = graph.leaves();
    let sizes = known.iter().map(|(_, value)| value.shape().elements());
    if !sizes.eq(leaves.iter().map(|leaf| leaf.len())) {
        return Err(invalid("its leaves have other sizes".to_owned()));
    }
    let values: Vec<NodeIndex> = known.iter().map(|(_, value)| value.id()).collect();
    let outputs: Vec<NodeIndex> = graph.outputs().iter().map(|output| output.id()).collect();
    let luminal = graph.as_luminal_mut();
    // luminal would return the results of the last run.
    luminal.tensors.clear();
    for (id, data) in values.into_iter().zip(leaves) {
        luminal.set_tensor(id, 0, Tensor::new(data.to_vec()));
    }
    luminal.execute();
    let missing = || invalid("luminal did not compute an output".to_owned());
    let result = |id| {
        let data = &luminal.get_tensor_ref(id, 0)?.data;
        data.as_any().downcast_ref::<Vec<f32>>().cloned()
    };
    outputs
        .into_iter()
        .map(|id| result(id).ok_or_else(missing))
        .collect()
}

/// What main threads have: others run their compilers on it.
const STACK: usize = 8 << 20;

/// A graph in primitives, on a thread of its own.
struct LuminalProgram {
    interface: Interface,
    device: Device,
    jobs: Sender<Job>,
}

/// A run, and where its result goes.
struct Job {
    leaves: Vec<Vec<f32>>,
    reply: Sender<Result<Vec<Vec<f32>>>>,
}

impl LuminalProgram {
    fn new(device: Device, build: impl FnOnce() -> Result<Graph> + Send + 'static) -> Result<Self> {
        let (jobs, received) = channel();
        let (ready, built) = channel();
        let work = move || match contained(device, build) {
            Ok(graph) => {
                let interface = Interface::of(&graph);
                if ready.send(Ok(interface)).is_ok() {
                    serve(device, graph, &received);
                }
            }
            Err(error) => drop(ready.send(Err(error))),
        };
        let name = format!("xdnn {device}");
        let spawned = thread::Builder::new()
            .name(name)
            .stack_size(STACK)
            .spawn(work);
        spawned.map_err(|error| unusable(device, format!("it has no thread: {error}")))?;
        let interface = built.recv().map_err(|_| gone(device))??;
        Ok(Self {
            interface,
            device,
            jobs,
        })
    }
}

impl Program<f32> for LuminalProgram {
    fn leaves(&self) -> &[(Leaf, Shape)] {
        &self.interface.leaves
    }

    fn outputs(&self) -> &[Shape] {
        &self.interface.outputs
    }

    fn run(&self, leaves: &[&[f32]], outputs: &mut [&mut [f32]]) -> Result<()> {
        let _span = tracing::trace_span!("run", backend = %self.device).entered();
        self.interface.check(leaves, outputs)?;
        let (reply, results) = channel();
        let leaves = leaves.iter().map(|leaf| leaf.to_vec()).collect();
        let sent = self.jobs.send(Job { leaves, reply });
        sent.map_err(|_| gone(self.device))?;
        let results = results.recv().map_err(|_| gone(self.device))??;
        let same = results
            .iter()
            .map(Vec::len)
            .eq(outputs.iter().map(|output| output.len()));
        if !same {
            return Err(invalid(
                "luminal computed an output of another size".to_owned(),
            ));
        }
        for (result, output) in results.iter().zip(outputs) {
            output.copy_from_slice(result);
        }
        Ok(())
    }
}

/// Does one run after the other, until the program is dropped.
fn serve(device: Device, mut graph: Graph, jobs: &Receiver<Job>) {
    for Job { leaves, reply } in jobs {
        let leaves: Vec<&[f32]> = leaves.iter().map(Vec::as_slice).collect();
        let result = contained(device, || execute(&mut graph, &leaves));
        // Nobody waits for it where the thread that asked has gone.
        drop(reply.send(result));
    }
}

/// What `work` returns. luminal and its compilers panic where memory or a device fails them.
fn contained<T>(device: Device, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let message = message(payload.as_ref());
        Err(unusable(device, format!("luminal gave up: {message}")))
    })
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("it does not say why")
}

fn gone(device: Device) -> Error {
    unusable(device, "its thread has ended".to_owned())
}

fn unusable(device: Device, cause: String) -> Error {
    Error::Device {
        device: device.to_string().into(),
        cause: cause.into(),
    }
}
