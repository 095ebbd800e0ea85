//! From a network, a task and a device to a program.

use std::sync::Arc;

use xdnn_ir::{Degree, NetworkSpec};

use super::{Program, cpu, reference};
use crate::graph::{Graph, Task};
use crate::ops::Real;
use crate::passes::UseWinograd;
use crate::{Device, Error, Result};

/// A number that networks can run with: `f32` on every device, `f64` on the reference backend.
pub trait Element: Real {
    /// The program that does `task` for a batch of `batch` samples of the network.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] where the device does not compute with such numbers.
    fn compile(
        device: Device,
        spec: &Arc<NetworkSpec>,
        task: Task,
        batch: usize,
    ) -> Result<Arc<dyn Program<Self>>>;
}

impl Element for f32 {
    fn compile(
        device: Device,
        spec: &Arc<NetworkSpec>,
        task: Task,
        batch: usize,
    ) -> Result<Arc<dyn Program<Self>>> {
        let _span =
            tracing::info_span!("compile", %device, ?task, batch, network = %spec.name).entered();
        match device {
            Device::Cpu => {
                let mut graph = Graph::build(spec, task, batch)?;
                // Training changes the weights from run to run. And what is no constant and has degree 0 or less jumps at 0,
                // so that it matters whether a sum of zeros is 0.
                let degrees = spec.nodes.iter().filter_map(|node| node.degree);
                let continuous = degrees.into_iter().all(Degree::is_positive);
                if continuous && !task.trains() {
                    graph.compile_with(UseWinograd)?;
                }
                Ok(Arc::new(cpu::compile(&graph)?))
            }
            Device::Reference => interpreter(spec, task, batch),
        }
    }
}

impl Element for f64 {
    fn compile(
        device: Device,
        spec: &Arc<NetworkSpec>,
        task: Task,
        batch: usize,
    ) -> Result<Arc<dyn Program<Self>>> {
        match device {
            Device::Reference => interpreter(spec, task, batch),
            Device::Cpu => Err(Error::Device {
                device: device.to_string().into(),
                cause: "it computes in `f32`; use `Device::Reference` for `f64`".into(),
            }),
        }
    }
}

fn interpreter<T: Real>(
    spec: &Arc<NetworkSpec>,
    task: Task,
    batch: usize,
) -> Result<Arc<dyn Program<T>>> {
    let spec = Arc::clone(spec);
    Ok(Arc::new(reference::Interpreter::new(move || {
        Graph::build(&spec, task, batch)
    })?))
}
