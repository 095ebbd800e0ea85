//! What a program does, step by step, and where every value is, whichever backend runs it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::ops::Range;

use xdnn_ir::Shape;

use super::memory::{Lifetime, assign};
use crate::error::{Result, invalid};
use crate::graph::{Graph, Node, Task, Value};
use crate::ops::{Layout, Leaf, Op};

/// Whether the weights are the same in every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// They are: the program reads them in the layout that suits it, as other leaves.
    Constant,
    /// They change: the program reads the leaves of the graph, in their order.
    Changing,
}

impl Weights {
    /// Training changes the weights from run to run; nothing else does.
    pub(crate) fn of(task: Task) -> Self {
        match task.trains() {
            true => Self::Changing,
            false => Self::Constant,
        }
    }
}

/// What a backend does in one step, on values.
pub(crate) struct Work<K> {
    pub kernel: K,
    pub operands: Vec<Value>,
    /// The operand that is a constant weight in a layout that is not its own, and the layout.
    pub layout: Option<(Value, Layout)>,
    pub results: Vec<Value>,
    /// The operands over which the first result may be written.
    pub over: Vec<usize>,
    /// The memory that it needs besides, in numbers.
    pub scratch: usize,
}

/// The steps of a program and the memory that they need, in numbers.
pub(crate) struct Plan<K> {
    pub steps: Vec<Step<K>>,
    /// The constants that steps read, each with the number of its elements.
    pub constants: Vec<(f32, usize)>,
    /// The size of the arena.
    pub arena: usize,
    /// The buffers of the arena, with their offsets.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests look for overlaps"))]
    pub buffers: Vec<(Lifetime, usize)>,
}

/// What a backend does in one step, on places.
pub(crate) struct Step<K> {
    pub kernel: K,
    pub operands: Vec<Place>,
    pub results: Vec<Place>,
    /// The part of the arena to work in.
    pub scratch: Range<usize>,
}

/// Where a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The leaf of this number.
    Leaf(usize),
    /// The first elements of the constant of this number.
    Constant(usize, usize),
    /// The output of this number.
    Output(usize),
    /// A part of the arena.
    Arena(Range<usize>),
}

impl<K> Plan<K> {
    /// Finds a place for everything that `works`, in this order, read and write; `copy` makes the kernel that copies an output which
    /// cannot be written where it belongs. Weights that are read in another layout become leaves of their own; those that nothing
    /// reads any more are taken out of `leaves`.
    pub(crate) fn of(
        graph: &Graph,
        weights: Weights,
        works: Vec<Work<K>>,
        copy: impl Fn(Value) -> K,
        leaves: &mut Vec<(Leaf, Shape)>,
    ) -> Result<Self> {
        let _span = tracing::debug_span!("plan").entered();
        let mut planner = Planner::new(graph, weights, &works)?;
        for work in works {
            planner.add(work)?;
        }
        planner.place_outputs(graph.outputs(), copy)?;
        planner.finish(leaves)
    }
}

/// By how much a result must be smaller than what it is made of to be computed as soon as it can be.
const SMALLER: usize = 8;

/// The operators, each after what it reads, and otherwise in the order in which they were added to the graph: what a
/// derivative reads is computed shortly before. But signs and other small results are computed at once, so that nothing keeps
/// what they are made of.
pub(crate) fn ordered(graph: &Graph) -> Result<Vec<Node<'_>>> {
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
struct Draft<K> {
    kernel: K,
    operands: Vec<(Home, usize)>,
    results: Vec<Target>,
    scratch: Option<usize>,
}

/// Where a step writes.
#[derive(Clone, Copy)]
enum Target {
    Buffer(usize),
    Output(usize),
}

struct Planner<K> {
    /// For each value, the one that it is a reshaped view of.
    roots: HashMap<Value, Value>,
    /// The number of the last step that reads a root or a view of it; none where it is an output.
    last_reads: HashMap<Value, Option<usize>>,
    weights: Weights,
    /// The leaves that are read in another layout than that of the graph.
    laid_out: Vec<(Leaf, Shape)>,
    homes: HashMap<Value, Home>,
    buffers: Vec<Buffer>,
    drafts: Vec<Draft<K>>,
    constants: Vec<(f64, usize)>,
}

impl<K> Planner<K> {
    fn new(graph: &Graph, weights: Weights, works: &[Work<K>]) -> Result<Self> {
        let mut planner = Self {
            roots: HashMap::new(),
            last_reads: HashMap::new(),
            weights,
            laid_out: Vec::new(),
            homes: HashMap::new(),
            buffers: Vec::new(),
            drafts: Vec::new(),
            constants: Vec::new(),
        };
        for node in graph.nodes()? {
            match (node.op, node.operands.as_slice()) {
                (Op::Reshape(_), [x]) => {
                    let root = planner.root(x);
                    planner.roots.insert(node.value, root);
                }
                (Op::Leaf(leaf), _) => {
                    planner.homes.insert(node.value, Home::Leaf(*leaf));
                }
                (Op::Constant(constant), _) => {
                    let home = planner.constant(constant.value, node.value);
                    planner.homes.insert(node.value, home);
                }
                _ => {}
            }
        }
        for (step, work) in works.iter().enumerate() {
            for operand in &work.operands {
                let root = planner.root(operand);
                planner.last_reads.insert(root, Some(step));
            }
        }
        for output in graph.outputs() {
            let root = planner.root(output);
            planner.last_reads.insert(root, None);
        }
        Ok(planner)
    }

    fn root(&self, value: &Value) -> Value {
        self.roots.get(value).copied().unwrap_or(*value)
    }

    fn home(&self, value: &Value) -> Result<Home> {
        let home = self.homes.get(&self.root(value)).copied();
        home.ok_or_else(|| invalid("an operator reads what no operator before it computes"))
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

    fn add(&mut self, work: Work<K>) -> Result<()> {
        let operands: Result<Vec<_>> = (work.operands.iter())
            .map(|operand| Ok((self.home(operand)?, operand.shape().elements())))
            .collect();
        let mut operands = operands?;
        if let Some((laid_out, layout)) = work.layout {
            let at = work
                .operands
                .iter()
                .position(|operand| *operand == laid_out);
            let (at, weight) = match (self.weights, at.map(|at| (at, operands[at].0))) {
                (
                    Weights::Constant,
                    Some((at, Home::Leaf(Leaf::Weight(weight) | Leaf::LaidOut(weight, _)))),
                ) => (at, weight),
                _ => return Err(invalid("a kernel lays out what is no constant weight")),
            };
            let (leaf, shape) = (Leaf::LaidOut(weight, layout), layout.shape());
            if !self.laid_out.contains(&(leaf, shape)) {
                self.laid_out.push((leaf, shape));
            }
            operands[at] = (Home::Leaf(leaf), shape.elements());
        }
        let step = self.drafts.len();
        let mut results = Vec::with_capacity(work.results.len());
        for (i, result) in work.results.iter().enumerate() {
            let over = match i {
                0 => self.over(&work, &operands),
                _ => None,
            };
            let buffer = over.unwrap_or_else(|| self.buffer(step, result.shape().elements()));
            self.buffers[buffer].lifetime.last = match self.last_reads.get(result) {
                Some(None) => usize::MAX,
                Some(Some(last)) => *last,
                None => step,
            };
            self.homes.insert(*result, Home::Buffer(buffer));
            results.push(Target::Buffer(buffer));
        }
        let scratch = (work.scratch > 0).then(|| self.buffer(step, work.scratch));
        self.drafts.push(Draft {
            kernel: work.kernel,
            operands,
            results,
            scratch,
        });
        Ok(())
    }

    /// The buffer of an operand that dies in this step and over which the first result may be written.
    fn over(&self, work: &Work<K>, operands: &[(Home, usize)]) -> Option<usize> {
        let step = self.drafts.len();
        let size = work.results.first()?.shape().elements();
        work.over.iter().find_map(|at| {
            let root = self.root(work.operands.get(*at)?);
            let dies = self.last_reads.get(&root) == Some(&Some(step));
            let reads = operands.iter().filter(|(home, _)| *home == operands[*at].0);
            let once = reads.count() == 1;
            match operands[*at] {
                (Home::Buffer(buffer), length) if dies && once && length == size => Some(buffer),
                _ => None,
            }
        })
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
    fn place_outputs(&mut self, outputs: &[Value], copy: impl Fn(Value) -> K) -> Result<()> {
        for (i, output) in outputs.iter().enumerate() {
            let (home, size) = (self.home(output)?, output.shape().elements());
            if let Home::Buffer(buffer) = home
                && self.buffers[buffer].output.is_none()
            {
                self.buffers[buffer].output = Some(i);
                continue;
            }
            self.drafts.push(Draft {
                kernel: copy(*output),
                operands: vec![(home, size)],
                results: vec![Target::Output(i)],
                scratch: None,
            });
        }
        Ok(())
    }

    fn finish(self, leaves: &mut Vec<(Leaf, Shape)>) -> Result<Plan<K>> {
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
        let target = |target: Target| match target {
            Target::Buffer(buffer) => place((Home::Buffer(buffer), 0)),
            Target::Output(output) => Place::Output(output),
        };
        let step = |draft: Draft<K>| Step {
            operands: draft.operands.into_iter().map(place).collect(),
            results: draft.results.into_iter().map(target).collect(),
            scratch: draft.scratch.map_or(arena..arena, range),
            kernel: draft.kernel,
        };
        Ok(Plan {
            steps: self.drafts.into_iter().map(step).collect(),
            constants: (self.constants.iter())
                .map(|(value, size)| (*value as f32, *size))
                .collect(),
            arena,
            buffers: lifetimes.into_iter().zip(offsets).collect(),
        })
    }
}

/// Whether an operator is executed when the program runs.
pub(crate) fn is_step(op: &Op) -> bool {
    !matches!(op, Op::Leaf(_) | Op::Constant(_) | Op::Reshape(_))
}

/// Writes the leaves, then the steps with what they read and write: what each is called, and what is to be said of its result.
pub(crate) fn list<K>(
    f: &mut fmt::Formatter<'_>,
    leaves: &[(Leaf, Shape)],
    steps: &[Step<K>],
    words: impl Fn(&K) -> (String, String),
) -> fmt::Result {
    for (i, (leaf, shape)) in leaves.iter().enumerate() {
        writeln!(f, "leaf {i} = {leaf:?} {shape}")?;
    }
    for (i, step) in steps.iter().enumerate() {
        write!(f, "{i:>3}: ")?;
        for (i, result) in step.results.iter().enumerate() {
            write!(f, "{}{result}", if i > 0 { ", " } else { "" })?;
        }
        let (name, result) = words(&step.kernel);
        write!(f, " = {name}(")?;
        for (i, operand) in step.operands.iter().enumerate() {
            let same = if step.results.contains(operand) {
                "="
            } else {
                ""
            };
            write!(f, "{}{same}{operand}", if i > 0 { ", " } else { "" })?;
        }
        write!(f, ") -> {result}")?;
        if !step.scratch.is_empty() {
            write!(f, " with {}", Place::Arena(step.scratch.clone()))?;
        }
        writeln!(f)?;
    }
    Ok(())
}

/// `leaf 0`, `output 1`, `constant 0`, or the offset in the arena and the size, in bytes: `@1024+256`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaf(leaf) => write!(f, "leaf {leaf}"),
            Self::Constant(constant, _) => write!(f, "constant {constant}"),
            Self::Output(output) => write!(f, "output {output}"),
            Self::Arena(range) => {
                let size = size_of::<f32>();
                write!(f, "@{}+{}", range.start * size, range.len() * size)
            }
        }
    }
}
