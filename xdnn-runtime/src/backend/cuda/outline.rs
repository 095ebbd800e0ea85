//! What a program does.

use std::fmt;

use xdnn_ir::{NetworkSpec, Shape};

use super::group;
use super::kernel::Kernel;
use super::module::modules;
use crate::backend::Interface;
use crate::backend::optimise::optimise;
use crate::backend::plan::{Plan, Weights, list};
use crate::graph::{Graph, Task};
use crate::{Precision, Result};

/// What a program does, without a GPU to do it.
pub struct Outline {
    pub(super) interface: Interface,
    pub(super) plan: Plan<Kernel>,
}

impl Outline {
    /// What the program does that does a task for a batch of samples of a network.
    ///
    /// # Errors
    ///
    /// Those of [`Graph::build`].
    pub fn of(spec: &NetworkSpec, task: Task, batch: usize, precision: Precision) -> Result<Self> {
        let mut graph = Graph::build(spec, task, batch)?;
        let weights = Weights::of(task);
        optimise(&mut graph, weights)?;
        Self::of_graph(&graph, weights, precision)
    }

    pub(super) fn of_graph(graph: &Graph, weights: Weights, precision: Precision) -> Result<Self> {
        let mut interface = Interface::of(graph);
        let works = group::works(graph, weights, precision)?;
        let plan = Plan::of(graph, weights, works, group::copy, &mut interface.leaves)?;
        Ok(Self { interface, plan })
    }

    /// The number of kernels that a run launches.
    pub fn kernels(&self) -> usize {
        self.plan.steps.len()
    }

    /// The bytes that a run takes in the memory of the device: leaves, with those that are kept, what is computed, outputs.
    pub fn memory(&self) -> usize {
        let leaves = self.interface.leaves.iter().map(|(_, shape)| shape);
        let numbers = leaves.chain(&self.interface.outputs).map(Shape::elements);
        let constants = self.plan.constants.iter().map(|(_, size)| *size);
        size_of::<f32>() * (numbers.chain(constants).sum::<usize>() + self.plan.arena)
    }

    /// The texts of all kernels, as modules for NVRTC.
    pub fn texts(&self) -> Vec<String> {
        let modules = modules(&self.launched());
        modules.into_iter().map(|module| module.text).collect()
    }

    /// The kernel of each step.
    pub(super) fn launched(&self) -> Vec<&Kernel> {
        self.plan.steps.iter().map(|step| &step.kernel).collect()
    }
}

/// The memory, the leaves, and the kernels with what they read and write.
impl fmt::Display for Outline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.plan.arena * size_of::<f32>();
        writeln!(
            f,
            "{} kernels, {bytes} bytes of arena",
            self.plan.steps.len()
        )?;
        let words = |kernel: &Kernel| {
            let [x, y, z] = kernel.grid;
            let blocks = format!("{x}×{y}×{z} blocks of {}", kernel.threads);
            (kernel.label.clone(), blocks)
        };
        list(f, &self.interface.leaves, &self.plan.steps, words)
    }
}
