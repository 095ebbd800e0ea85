//! What a program does, step by step, and where every value is.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

use xdnn_ir::Shape;

use super::Weights;
use super::kernel::{self, Finish, Kernel};
use super::memory::{ALIGNMENT, Lifetime, assign};
use super::operands::Place;
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
    #[cfg_attr(not(test), expect(dead_code, reason = "tests look for overlaps"))]
    pub buffers: Vec<(Lifetime, usize)>,
}

/// One operator, on places.
pub(super) struct Step {
    pub kernel: Box<dyn Kernel>,
    pub finish: Finish,
    pub operands: Vec<Place>,
    pub target: Place,
    /// The part of the arena that the kernel works in.
    pub scratch: Range<usize>,
    /// The shape of the result.
    pub shape: Shape,
}

impl Plan {
    /// The plan of a graph. Weights that are read in another layout become leaves of their own; those that nothing reads any more
    /// are taken out of `leaves`.
    pub(super) fn of(
        graph: &Graph,
        weights: Weights,
        leaves: &mut Vec<(Leaf, Shape)>,
    ) -> Result<Self> {
        let _span = tracing::debug_span!("plan").entered();
        let nodes = ordered(graph)?;
        let mut planner = Planner::new(&nodes, graph.outputs(), weights);
        for node in &nodes {
            planner.add(node)?;
        }
        planner.place_outputs(graph.outputs())?;
        planner.finish(leaves)
    }
}

/// By how much a result must be smaller than what it is made of to be computed as soon as it can be.
const SMALLER: usize = 8;

/// The operators, each after what it reads, and otherwise in the order in which they were added to the graph: what a
/// derivative reads is computed shortly before. But signs and other small results are computed at once, so that nothing keeps
/// what they are made of.
fn ordered(graph: &Graph) -> Result<Vec<Node<'_>>> {
    let mut nodes: HashMap<_, _> = graph
        .nodes()?
        .into_iter()
        .map(|node| (node.value.id(), node))
        .collect();
    let mut missing = HashMap::new();
    let mut readers: HashMap<_, Vec<_>> = HashMap::new();
    for node in nodes.values() {
        let operands: BTreeSet<_> = node.operands.iter().map(Value::id).collect();
        missing.insert(node.value.id(), operands.len());
        for operand in operands {
            readers.entry(operand).or_default().push(node.value.id());
        }
    }
    let small: HashMap<_, _> = (nodes.values())
        .map(|node| {
            let operands = node
                .operands
                .iter()
                .map(|operand| operand.shape().elements());
            let least = operands.min().unwrap_or(usize::MAX);
            let size = node.value.shape().elements();
            (node.value.id(), size.saturating_mul(SMALLER) <= least)
        })
        .collect();
    let mut ready: BTreeSet<_> = missing
        .iter()
        .filter(|(_, count)| **count == 0)
        .map(|(id, _)| (false, *id))
        .collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some((_, id)) = ready.pop_first() {
        order.extend(nodes.remove(&id));
        for reader in readers.remove(&id).unwrap_or_default() {
            if let Some(count) = missing.get_mut(&reader) {
                *count -= 1;
                if *count == 0 {
                    ready.insert((!small[&reader], reader));
                }
            }
        }
    }
    if nodes.is_empty() {
        Ok(order)
    } else {
        Err(invalid("some operator reads what no operator computes"))
    }
}

/// Where a value is while the arena is not yet laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Home {
    Leaf(Leaf),
    Constant(usize),
    Buffer(usize),
}

/// Memory that one value after the other lives in.
struct Buffer {
    lifetime: Lifetime,
    /// The output that it is.
    output: Option<usize>,
}

/// A step whose places are not yet known.
struct Draft {
    kernel: Box<dyn Kernel>,
    finish: Finish,
    operands: Vec<(Home, usize)>,
    target: Target,
    shape: Shape,
    scratch: Option<usize>,
}

/// Where a step writes.
#[derive(Clone, Copy)]
enum Target {
    Buffer(usize),
    Output(usize),
}

struct Planner {
    /// For each value, the one that it is a reshaped view of.
    roots: HashMap<Value, Value>,
    /// The number of the last step that reads a root or a view of it; none where it is an output.
    last_reads: HashMap<Value, Option<usize>>,
    weights: Weights,
    /// The leaves that are read in another layout than that of the graph.
    laid_out: Vec<(Leaf, Shape)>,
    homes: HashMap<Value, Home>,
    buffers: Vec<Buffer>,
    drafts: Vec<Draft>,
    constants: Vec<(f64, usize)>,
}

impl Planner {
    fn new(nodes: &[Node<'_>], outputs: &[Value], weights: Weights) -> Self {
        let mut roots: HashMap<Value, Value> = HashMap::new();
        let mut last_reads = HashMap::new();
        let mut step = 0;
        for node in nodes {
            let root = match (node.op, node.operands.as_slice()) {
                (Op::Reshape(_), [x]) => roots.get(x).copied().unwrap_or(*x),
                _ => node.value,
            };
            roots.insert(node.value, root);
            if is_step(node.op) {
                for operand in &node.operands {
                    let root = roots.get(operand).copied().unwrap_or(*operand);
                    last_reads.insert(root, Some(step));
                }
                step += 1;
            }
        }
        for output in outputs {
            let root = roots.get(output).copied().unwrap_or(*output);
            last_reads.insert(root, None);
        }
        Self {
            roots,
            last_reads,
            weights,
            laid_out: Vec::new(),
            homes: HashMap::new(),
            buffers: Vec::new(),
            drafts: Vec::new(),
            constants: Vec::new(),
        }
    }

    fn home(&self, value: &Value) -> Result<Home> {
        let root = self.roots.get(value).unwrap_or(value);
        let home = self.homes.get(root).copied();
        home.ok_or_else(|| invalid("an operator reads what no operator before it computes"))
    }

    fn add(&mut self, node: &Node<'_>) -> Result<()> {
        let home = match node.op {
            Op::Leaf(leaf) => Home::Leaf(*leaf),
            Op::Constant(constant) => self.constant(constant.value, node.value),
            Op::Reshape(_) => return Ok(()), // its root has the home
            op => {
                let shapes: Vec<Shape> = node.operands.iter().map(Value::shape).collect();
                if op.shape(&shapes)? != node.value.shape() {
                    return Err(invalid(format!(
                        "the recorded shape of `{}` is not its own",
                        op.name()
                    )));
                }
                let operands: Result<Vec<_>> = node
                    .operands
                    .iter()
                    .map(|operand| Ok((self.home(operand)?, operand.shape().elements())))
                    .collect();
                let mut operands = operands?;
                let weight = match (self.weights, operands.get(1)) {
                    (
                        Weights::Constant,
                        Some((Home::Leaf(Leaf::Weight(weight) | Leaf::LaidOut(weight, _)), _)),
                    ) => Some(*weight),
                    _ => None,
                };
                let (first, finish) = Finish::of(op);
                let reads = match op {
                    Op::Fused(fused) => fused.reads,
                    _ => shapes.len(),
                };
                let shapes = &shapes[..reads];
                let kernel = match first {
                    Some(op) => kernel::choose(op, shapes, node.value.shape(), weight.is_some())?,
                    None => Box::new(kernel::Copy),
                };
                if let (Some(weight), Some(layout)) = (weight, kernel.layout()) {
                    let (leaf, shape) = (Leaf::LaidOut(weight, layout), layout.shape());
                    if !self.laid_out.contains(&(leaf, shape)) {
                        self.laid_out.push((leaf, shape));
                    }
                    operands[1] = (Home::Leaf(leaf), shape.elements());
                }
                Home::Buffer(self.step(kernel, finish, node, operands))
            }
        };
        self.homes.insert(node.value, home);
        Ok(())
    }

    fn constant(&mut self, value: f64, at: Value) -> Home {
        let known = self
            .constants
            .iter()
            .position(|(other, _)| other.to_bits() == value.to_bits());
        let index = known.unwrap_or(self.constants.len());
        if known.is_none() {
            self.constants.push((value, 0));
        }
        self.constants[index].1 = self.constants[index].1.max(at.shape().elements());
        Home::Constant(index)
    }

    /// Adds a step that writes into a buffer, whose number is returned.
    fn step(
        &mut self,
        kernel: Box<dyn Kernel>,
        finish: Finish,
        node: &Node<'_>,
        mut operands: Vec<(Home, usize)>,
    ) -> usize {
        let (step, size) = (self.drafts.len(), node.value.shape().elements());
        let over = |at: usize| {
            let root = self.roots.get(node.operands.get(at)?)?;
            let dies = self.last_reads.get(root) == Some(&Some(step));
            let reads = operands.iter().filter(|(home, _)| *home == operands[at].0);
            let once = reads.count() == 1;
            match operands[at] {
                (Home::Buffer(buffer), length) if dies && once && length == size => Some(buffer),
                _ => None,
            }
        };
        let mut buffer = over(0).filter(|_| kernel.in_place());
        if buffer.is_none() && commutes(node.op) {
            buffer = over(1);
            if buffer.is_some() {
                operands.swap(0, 1);
            }
        }
        let last = match self.last_reads.get(&node.value) {
            Some(None) => usize::MAX,
            Some(Some(last)) => *last,
            None => step,
        };
        let buffer = buffer.unwrap_or_else(|| self.buffer(step, size));
        self.buffers[buffer].lifetime.last = last;
        let needs = kernel.needs();
        let scratch = (needs.shared > 0).then(|| self.buffer(step, needs.shared));
        self.drafts.push(Draft {
            kernel,
            finish,
            operands,
            target: Target::Buffer(buffer),
            shape: node.value.shape(),
            scratch,
        });
        buffer
    }

    fn buffer(&mut self, step: usize, size: usize) -> usize {
        self.buffers.push(Buffer {
            lifetime: Lifetime {
                first: step,
                last: step,
                size,
            },
            output: None,
        });
        self.buffers.len() - 1
    }

    /// Turns buffers into outputs; what cannot be written in place is copied at the end.
    fn place_outputs(&mut self, outputs: &[Value]) -> Result<()> {
        for (i, output) in outputs.iter().enumerate() {
            let (home, size) = (self.home(output)?, output.shape().elements());
            if let Home::Buffer(buffer) = home
                && self.buffers[buffer].output.is_none()
            {
                self.buffers[buffer].output = Some(i);
                continue;
            }
            self.drafts.push(Draft {
                kernel: Box::new(kernel::Copy),
                finish: Finish::default(),
                operands: vec![(home, size)],
                target: Target::Output(i),
                shape: output.shape(),
                scratch: None,
            });
        }
        Ok(())
    }

    fn finish(self, leaves: &mut Vec<(Leaf, Shape)>) -> Result<Plan> {
        leaves.extend(&self.laid_out);
        if self.weights == Weights::Constant {
            let read: HashSet<Home> = (self.drafts.iter())
                .flat_map(|draft| draft.operands.iter().map(|(home, _)| *home))
                .collect();
            leaves.retain(|(leaf, _)| read.contains(&Home::Leaf(*leaf)));
        }
        let numbers: HashMap<Leaf, usize> = leaves.iter().map(|(leaf, _)| *leaf).zip(0..).collect();
        let lifetimes: Vec<Lifetime> = self
            .buffers
            .iter()
            .map(|buffer| Lifetime {
                size: buffer.output.map_or(buffer.lifetime.size, |_| 0),
                ..buffer.lifetime
            })
            .collect();
        let (offsets, arena) = assign(&lifetimes);
        let range = |buffer: usize| offsets[buffer]..offsets[buffer] + lifetimes[buffer].size;
        let place = |(home, length): (Home, usize)| match home {
            Home::Leaf(leaf) => Place::Leaf(numbers.get(&leaf).copied().unwrap_or(usize::MAX)),
            Home::Constant(constant) => Place::Constant(constant, length),
            Home::Buffer(buffer) => match self.buffers[buffer].output {
                Some(output) => Place::Output(output),
                None => Place::Arena(range(buffer)),
            },
        };
        let lane = self
            .drafts
            .iter()
            .map(|draft| draft.kernel.needs().lane)
            .max();
        let step = |draft: Draft| Step {
            operands: draft.operands.into_iter().map(place).collect(),
            target: match draft.target {
                Target::Buffer(buffer) => place((Home::Buffer(buffer), 0)),
                Target::Output(output) => Place::Output(output),
            },
            scratch: draft.scratch.map_or(arena..arena, range),
            kernel: draft.kernel,
            finish: draft.finish,
            shape: draft.shape,
        };
        Ok(Plan {
            steps: self.drafts.into_iter().map(step).collect(),
            constants: self
                .constants
                .iter()
                .map(|(value, size)| vec![*value as f32; *size])
                .collect(),
            arena,
            lane: lane.unwrap_or_default().max(1).next_multiple_of(ALIGNMENT),
            lanes: rayon::current_num_threads(),
            buffers: lifetimes.into_iter().zip(offsets).collect(),
        })
    }
}

/// Whether an operator is executed when the program runs.
fn is_step(op: &Op) -> bool {
    !matches!(op, Op::Leaf(_) | Op::Constant(_) | Op::Reshape(_))
}

/// Whether an elementwise operator is the same with its first two operands exchanged.
fn commutes(op: &Op) -> bool {
    match op {
        Op::Add(_) | Op::Mul(_) => true,
        Op::Fused(fused) => commutes(&fused.op),
        _ => false,
    }
}
