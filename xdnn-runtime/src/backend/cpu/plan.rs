//! What a program does, step by step, and where every value is.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use xdnn_ir::Shape;

use super::kernel::{self, Kernel};
use super::memory::{ALIGNMENT, Lifetime, assign};
use super::operands::Place;
use crate::error::{Result, invalid};
use crate::graph::{Graph, Node, Value};
use crate::ops::Op;

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
    pub operands: Vec<Place>,
    pub target: Place,
    /// The part of the arena that the kernel works in.
    pub scratch: Range<usize>,
    /// The shape of the result.
    pub shape: Shape,
}

impl Plan {
    pub(super) fn of(graph: &Graph) -> Result<Self> {
        let _span = tracing::debug_span!("plan").entered();
        let nodes = ordered(graph)?;
        let mut planner = Planner::new(&nodes, graph.outputs());
        for node in &nodes {
            planner.add(node)?;
        }
        planner.place_outputs(graph.outputs())?;
        planner.finish()
    }
}

/// The operators, each after what it reads, and otherwise in the order in which they were added to the graph: what a
/// derivative reads is computed shortly before.
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
    // What reads nothing is there from the start, even where a pass has added it last.
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
                    ready.insert((true, reader));
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Home {
    Leaf(usize),
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
    leaves: HashMap<Value, usize>,
    homes: HashMap<Value, Home>,
    buffers: Vec<Buffer>,
    drafts: Vec<Draft>,
    constants: Vec<(f64, usize)>,
}

impl Planner {
    fn new(nodes: &[Node<'_>], outputs: &[Value]) -> Self {
        let mut roots: HashMap<Value, Value> = HashMap::new();
        let mut last_reads = HashMap::new();
        let mut leaves = Vec::new();
        let mut step = 0;
        for node in nodes {
            let root = match (node.op, node.operands.as_slice()) {
                (Op::Reshape(_), [x]) => roots.get(x).copied().unwrap_or(*x),
                _ => node.value,
            };
            roots.insert(node.value, root);
            if let Op::Leaf(leaf) = node.op {
                leaves.push((*leaf, node.value));
            }
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
        leaves.sort_by_key(|(leaf, _)| *leaf);
        let leaves = leaves.into_iter().map(|(_, value)| value).zip(0..);
        Self {
            roots,
            last_reads,
            leaves: leaves.collect(),
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
            Op::Leaf(_) => {
                let leaf = self.leaves.get(&node.value).copied();
                Home::Leaf(leaf.unwrap_or_default())
            }
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
                let kernel = kernel::choose(op, &shapes, node.value.shape())?;
                let operands: Result<Vec<_>> = node
                    .operands
                    .iter()
                    .map(|operand| Ok((self.home(operand)?, operand.shape().elements())))
                    .collect();
                Home::Buffer(self.step(kernel, node, operands?))
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
        node: &Node<'_>,
        operands: Vec<(Home, usize)>,
    ) -> usize {
        let (step, size) = (self.drafts.len(), node.value.shape().elements());
        let over = node
            .operands
            .iter()
            .zip(&operands)
            .find_map(|(operand, home)| {
                let root = self.roots.get(operand).unwrap_or(operand);
                let dies = self.last_reads.get(root) == Some(&Some(step));
                match home {
                    (Home::Buffer(buffer), length)
                        if kernel.in_place() && dies && *length == size =>
                    {
                        Some(*buffer)
                    }
                    _ => None,
                }
            });
        let last = match self.last_reads.get(&node.value) {
            Some(None) => usize::MAX,
            Some(Some(last)) => *last,
            None => step,
        };
        let buffer = over.unwrap_or_else(|| self.buffer(step, size));
        self.buffers[buffer].lifetime.last = last;
        let needs = kernel.needs();
        let scratch = (needs.shared > 0).then(|| self.buffer(step, needs.shared));
        self.drafts.push(Draft {
            kernel,
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
                operands: vec![(home, size)],
                target: Target::Output(i),
                shape: output.shape(),
                scratch: None,
            });
        }
        Ok(())
    }

    fn finish(self) -> Result<Plan> {
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
            Home::Leaf(leaf) => Place::Leaf(leaf),
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
