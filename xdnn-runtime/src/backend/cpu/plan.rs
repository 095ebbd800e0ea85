//! A graph as kernels of the CPU.

use xdnn_ir::Shape;

use super::kernel::{self, Finish, Kernel};
use crate::backend::memory::ALIGNMENT;
use crate::backend::plan::{self, Place, Weights, Work, is_step, ordered};
use crate::error::{Result, invalid};
use crate::graph::{Graph, Node, Value};
use crate::ops::{Leaf, Op};

/// The steps of a program and the memory that they need, in numbers.
pub(super) struct Plan {
    pub steps: Vec<Step>,
    /// What is the same in every run.
    pub constants: Vec<Vec<f32>>,
    /// The size of the arena.
    pub arena: usize,
    /// The private memory of each job that runs beside others.
    pub lane: usize,
    /// How many such jobs there can be.
    pub lanes: usize,
    /// The buffers of the arena, with their offsets.
    #[cfg(test)]
    pub buffers: Vec<(crate::backend::memory::Lifetime, usize)>,
}

/// One operator, on places.
pub(super) type Step = plan::Step<Job>;

/// What computes an operator.
pub(super) struct Job {
    pub kernel: Box<dyn Kernel>,
    pub finish: Finish,
    /// The shape of the result.
    pub shape: Shape,
}

impl Plan {
    /// The plan of a graph; what becomes of `leaves`, [`plan::Plan::of`] tells.
    pub(super) fn of(
        graph: &Graph,
        weights: Weights,
        leaves: &mut Vec<(Leaf, Shape)>,
    ) -> Result<Self> {
        let nodes = ordered(graph)?;
        let constant = |node: &Node<'_>| {
            let weight = node.operands.get(1);
            weight.is_some_and(|weight| weights == Weights::Constant && graph.is_weight(*weight))
        };
        let steps = nodes.iter().filter(|node| is_step(node.op));
        let works: Result<Vec<_>> = steps.map(|node| work(node, constant(node))).collect();
        let copy = |value: Value| Job {
            kernel: Box::new(kernel::Copy),
            finish: Finish::default(),
            shape: value.shape(),
        };
        let mut plan = plan::Plan::of(graph, weights, works?, copy, leaves)?;
        for step in &mut plan.steps {
            // Kernels write over their first operand; where the second one is as good, it has that place.
            if step.operands.get(1) == Some(&step.results[0]) {
                step.operands.swap(0, 1);
            }
        }
        let lanes = plan
            .steps
            .iter()
            .map(|step| step.kernel.kernel.needs().lane);
        let lane = lanes.max().unwrap_or_default();
        let constants = plan.constants.iter();
        Ok(Self {
            constants: constants.map(|(value, size)| vec![*value; *size]).collect(),
            arena: plan.arena,
            lane: lane.max(1).next_multiple_of(ALIGNMENT),
            lanes: rayon::current_num_threads(),
            #[cfg(test)]
            buffers: plan.buffers,
            steps: plan.steps,
        })
    }
}

impl Step {
    /// Where its result is.
    pub(super) fn target(&self) -> &Place {
        &self.results[0]
    }
}

/// The kernel of an operator, whose operand 1 may be a `constant` weight.
fn work(node: &Node<'_>, constant: bool) -> Result<Work<Job>> {
    let (op, shape) = (node.op, node.value.shape());
    let shapes: Vec<Shape> = node.operands.iter().map(|value| value.shape()).collect();
    if op.shape(&shapes)? != shape {
        return Err(invalid(format!(
            "the recorded shape of `{}` is not its own",
            op.name()
        )));
    }
    let (first, finish) = Finish::of(op);
    let reads = match op {
        Op::Fused(fused) => fused.reads,
        _ => shapes.len(),
    };
    let kernel = match first {
        Some(op) => kernel::choose(op, &shapes[..reads], shape, constant)?,
        None => Box::new(kernel::Copy),
    };
    let over = match (kernel.in_place(), commutes(op)) {
        (true, true) => vec![0, 1],
        (true, false) => vec![0],
        (false, _) => Vec::new(),
    };
    Ok(Work {
        operands: node.operands.clone(),
        layout: kernel
            .layout()
            .filter(|_| constant)
            .map(|layout| (node.operands[1], layout)),
        results: vec![node.value],
        over,
        scratch: kernel.needs().shared,
        kernel: Job {
            kernel,
            finish,
            shape,
        },
    })
}

/// Whether an elementwise operator is the same with its first two operands exchanged.
fn commutes(op: &Op) -> bool {
    match op {
        Op::Add(_) | Op::Mul(_) => true,
        Op::Fused(fused) => commutes(&fused.op),
        _ => false,
    }
}
