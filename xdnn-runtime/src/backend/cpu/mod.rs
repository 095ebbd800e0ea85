//! The CPU backend: one program for the whole graph.
//!
//! [`compile`] puts the operators into an order, chooses a kernel for each, and finds a place for every value:
//!
//! - leaves are read where they are, and outputs are written where they belong;
//! - constants are filled once;
//! - a reshaped value is its operand under another name;
//! - everything else lives in one arena, where values share memory unless they are needed at the same time.
//!
//! A program allocates nothing when it runs, apart from the first run on each thread and what `gemm` does for itself.
//! How the work is divided never depends on the number of threads in a way that changes a result: one thread and many
//! give the same bits.

use std::fmt;

use xdnn_ir::Shape;

use super::{Interface, Program, Weights};
use crate::error::Result;
use crate::graph::Graph;
use crate::ops::Leaf;

mod channels;
mod display;
mod gemm;
mod kernel;
mod operands;
mod parallel;
mod plan;
mod product;
mod simd;
mod strided;
mod windows;
mod workspace;

#[cfg(test)]
mod tests;

use plan::Plan;
use workspace::Pool;

/// A graph compiled for the CPU. Its [`Display`](fmt::Display) lists its steps, and where each reads and writes.
pub struct CpuProgram {
    interface: Interface,
    plan: Plan,
    workspaces: Pool,
}

/// Compiles a graph for the CPU.
pub fn compile(graph: &Graph, weights: Weights) -> Result<CpuProgram> {
    let _span = tracing::debug_span!("compile", backend = "cpu").entered();
    let mut interface = Interface::of(graph);
    let plan = Plan::of(graph, weights, &mut interface.leaves)?;
    tracing::debug!(
        steps = plan.steps.len(),
        arena_bytes = plan.arena * size_of::<f32>(),
        "planned"
    );
    Ok(CpuProgram {
        interface,
        plan,
        workspaces: Pool::default(),
    })
}

impl Program<f32> for CpuProgram {
    fn leaves(&self) -> &[(Leaf, Shape)] {
        &self.interface.leaves
    }

    fn outputs(&self) -> &[Shape] {
        &self.interface.outputs
    }

    fn run(&self, leaves: &[&[f32]], outputs: &mut [&mut [f32]]) -> Result<()> {
        let _span = tracing::trace_span!("run", backend = "cpu").entered();
        self.interface.check(leaves, outputs)?;
        let mut workspace = self.workspaces.take(&self.plan)?;
        on_the_pool(|| {
            let mut steps = self.plan.steps.iter();
            steps.try_for_each(|step| workspace.run(step, &self.plan.constants, leaves, outputs))
        })?;
        self.workspaces.give(workspace);
        Ok(())
    }
}

/// Runs all steps on a thread of rayon's pool: from any other, each loop that is divided would wait for the pool to wake up and
/// to answer.
fn on_the_pool(run: impl FnOnce() -> Result<()> + Send) -> Result<()> {
    match rayon::current_num_threads() {
        1 => run(),
        _ => rayon::scope(|_| run()),
    }
}

impl fmt::Display for CpuProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        display::write(f, &self.interface, &self.plan)
    }
}

impl fmt::Debug for CpuProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
