//! From a network, a task and a device to a program.

use std::sync::Arc;

use ndarray::{ArcArray, IxDyn};
use xdnn_ir::{Degree, NetworkSpec};

use super::optimise::{optimise, pass};
use super::{Program, ToProgram, Weights, luminal as primitives, reference};
use crate::graph::{Graph, Task};
use crate::ops::Real;
use crate::passes::UseWinograd;
use crate::{Device, Error, Precision, Result};

/// A number that networks can run with: `f32` on every device, `f64` on the reference backend.
pub trait Element: Real {
    /// The program that does `task` for a batch of `batch` samples of the network, multiplying as exactly as `precision` says where the
    /// device can choose.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] where the device does not compute with such numbers.
    fn compile(
        device: Device,
        precision: Precision,
        spec: &Arc<NetworkSpec>,
        task: Task,
        batch: usize,
    ) -> Result<Arc<dyn Program<Self>>>;

    /// Numbers in single precision as such numbers; shared where they are the same.
    #[doc(hidden)]
    fn of_single(numbers: ArcArray<f32, IxDyn>) -> ArcArray<Self, IxDyn>;
}

impl Element for f32 {
    fn compile(
        device: Device,
        precision: Precision,
        spec: &Arc<NetworkSpec>,
        task: Task,
        batch: usize,
    ) -> Result<Arc<dyn Program<Self>>> {
        let _span =
            tracing::info_span!("compile", %device, ?task, batch, network = %spec.name).entered();
        match device {
            Device::Cpu | Device::Cuda(_) => {
                let mut graph = Graph::build(spec, task, batch)?;
                let weights = Weights::of(task);
                // What is no constant and has degree 0 or less jumps at 0, so that it matters whether a sum of zeros is 0.
                let degrees = spec.nodes.iter().filter_map(|node| node.degree);
                let continuous = degrees.into_iter().all(Degree::is_positive);
                if device == Device::Cpu && weights == Weights::Constant && continuous {
                    pass(&mut graph, UseWinograd)?;
                }
                optimise(&mut graph, weights)?;
                graph.compile_to(ToProgram {
                    device,
                    weights,
                    precision,
                })
            }
            Device::Reference => interpreter(spec, task, batch),
            Device::Luminal | Device::LuminalCuda(_) => {
                primitives::compile(device, spec, task, batch)
            }
        }
    }

    fn of_single(numbers: ArcArray<f32, IxDyn>) -> ArcArray<f32, IxDyn> {
        numbers
    }
}

impl Element for f64 {
    fn compile(
        device: Device,
        _: Precision,
        spec: &Arc<NetworkSpec>,
        task: Task,
        batch: usize,
    ) -> Result<Arc<dyn Program<Self>>> {
        match device {
            Device::Reference => interpreter(spec, task, batch),
            _ => Err(Error::Device {
                device: device.to_string().into(),
                cause: "it computes in `f32`; use `Device::Reference` for `f64`".into(),
            }),
        }
    }

    fn of_single(numbers: ArcArray<f32, IxDyn>) -> ArcArray<f64, IxDyn> {
        numbers.mapv(f64::from).into_shared()
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
