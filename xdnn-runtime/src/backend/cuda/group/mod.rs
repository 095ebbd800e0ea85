//! Which operators go into which kernel.

use std::collections::{HashMap, HashSet};

use xdnn_ir::Shape;

use super::kernel::{
    Kernel, Patches, Pointwise, Source, Tree, is_element, is_few, is_movement, is_square,
    of_places, reads_windows, side_by_side,
};
use crate::Precision;
use crate::backend::plan::{Weights, Work, is_step, ordered};
use crate::error::{Result, invalid};
use crate::graph::{Graph, Node, Value};
use crate::ops::{Blocked, CHANNELS, Convolution, Op, Role, Stage, Volumes, Winner, plain};

mod work;

/// The most values that what is computed where it is read may be made of.
const MOST: usize = 12;

/// The kernels of a graph, in order.
pub(super) fn works(
    graph: &Graph,
    weights: Weights,
    precision: Precision,
) -> Result<Vec<Work<Kernel>>> {
    let nodes = ordered(graph)?;
    let groups = Groups::of(graph, &nodes, weights);
    let steps = nodes.iter().filter(|node| groups.is_step(node));
    steps.map(|node| groups.work(node, precision)).collect()
}

/// The kernel that copies a value.
pub(super) fn copy(value: Value) -> Kernel {
    let value = Tree {
        shape: value.shape(),
        source: Source::Memory(value),
    };
    let copy = Pointwise {
        value,
        before: None,
        stored: true,
        signs: false,
    };
    copy.draft("copy".to_owned()).kernel
}

/// How the operators of a graph are grouped.
struct Groups<'a> {
    /// What computes each value.
    nodes: HashMap<Value, &'a Node<'a>>,
    /// For each value, the one that it is a reshaped view of.
    roots: HashMap<Value, Value>,
    /// The values that are computed where they are read, each with the number of values in memory that it is made of.
    inlined: HashMap<Value, usize>,
    /// The values that a kernel writes besides the one that it is named for, by that one.
    seconds: HashMap<Value, Value>,
    /// The values that are such seconds.
    written: HashMap<Value, Value>,
    /// The weights that stay the same from run to run.
    constants: HashSet<Value>,
    /// The convolutions whose results are pooled or scattered by the kernel that computes them, by the value that it is named for.
    absorbed: HashMap<Value, Absorbed<'a>>,
}

/// A convolution that the kernel of a pool or a scatter computes.
struct Absorbed<'a> {
    convolution: &'a Node<'a>,
    /// The places of a tile, where windows overlap.
    patches: Option<Patches>,
}

impl<'a> Groups<'a> {
    fn of(graph: &Graph, nodes: &'a [Node<'a>], weights: Weights) -> Self {
        let constants = nodes.iter().map(|node| node.value);
        let constants = constants.filter(|value| graph.is_weight(*value));
        let constants = constants.filter(|_| weights == Weights::Constant);
        let mut groups = Self {
            nodes: nodes.iter().map(|node| (node.value, node)).collect(),
            roots: HashMap::new(),
            inlined: HashMap::new(),
            seconds: HashMap::new(),
            written: HashMap::new(),
            constants: constants.collect(),
            absorbed: HashMap::new(),
        };
        let mut readers: HashMap<Value, Vec<(&Node<'_>, usize)>> = HashMap::new();
        for node in nodes {
            if let (Op::Reshape(_), [x]) = (node.op, node.operands.as_slice()) {
                let root = groups.root(x);
                groups.roots.insert(node.value, root);
                continue;
            }
            for (at, operand) in node.operands.iter().enumerate() {
                let root = groups.root(operand);
                readers.entry(root).or_default().push((node, at));
            }
        }
        let outputs: Vec<Value> = graph
            .outputs()
            .iter()
            .map(|output| groups.root(output))
            .collect();
        for node in nodes {
            let value = node.value;
            if !is_element(node.op) || outputs.contains(&value) {
                continue;
            }
            if matches!(node.op, Op::Constant(_)) {
                groups.inlined.insert(value, 0);
                continue;
            }
            let [(reader, at)] = readers.get(&value).map_or(&[][..], Vec::as_slice) else {
                continue;
            };
            let size = node
                .operands
                .iter()
                .map(|operand| groups.size(operand))
                .sum();
            let moves = is_movement(node.op)
                && groups.in_memory(node)
                && moves_into(reader.op, *at)
                && groups.dense(reader).is_none();
            let maps = maps_into(node.op, reader.op, *at);
            let chooses = chooses(node.op, reader.op, *at);
            if size <= MOST && (takes(reader.op, *at) || moves || maps || chooses) {
                groups.inlined.insert(value, size);
            }
        }
        for node in nodes {
            groups.find_seconds(node);
        }
        for node in nodes {
            let reader = match readers.get(&node.value).map(Vec::as_slice) {
                Some([(reader, 0)]) if !outputs.contains(&node.value) => *reader,
                _ => continue,
            };
            if groups.reads_head(reader, node) {
                let operands = node.operands.iter();
                let size = operands.map(|operand| groups.size(operand)).sum();
                groups.inlined.insert(node.value, size);
            }
        }
        for node in nodes {
            let readers = |value: Value| -> Vec<Value> {
                let readers = readers.get(&value).map_or(&[][..], Vec::as_slice);
                readers.iter().map(|(reader, _)| reader.value).collect()
            };
            let kept = |value: Value| outputs.contains(&value);
            if let Some(absorbed) = groups.absorbs(node, readers, kept) {
                groups.absorbed.insert(node.value, absorbed);
            }
        }
        groups
    }

    /// Lets the kernel of a pool write its winners, and the kernel of a value its signs.
    fn find_seconds(&mut self, node: &Node<'_>) {
        let (value, first) = match (stem(node.op), node.operands.as_slice()) {
            (Op::PoolGather(_) | Op::FromBlocks(_), _) => match self.winner(node) {
                Some(winner) => (winner.value, node.value),
                None => return,
            },
            (Op::Signs(_), [x]) => {
                let root = self.root(x);
                let Some(of) = self.nodes.get(&root) else {
                    return;
                };
                if !can_sign(of) || self.chosen(of).is_some() {
                    return;
                }
                (node.value, root)
            }
            _ => return,
        };
        let free = [value, first]
            .iter()
            .all(|value| !self.inlined.contains_key(value));
        if free && !self.seconds.contains_key(&first) {
            self.seconds.insert(first, value);
            self.written.insert(value, first);
        }
    }

    /// Whether a product of few rows can read its left operand as the rows of a matrix that targets choose.
    fn reads_head(&self, reader: &Node<'_>, head: &Node<'_>) -> bool {
        // A matrix of both is laid out for one of them.
        let [theirs, own] = [reader, head].map(|node| node.operands.get(1).map(|w| self.root(w)));
        let same_rows = reader.operands[0].shape() == head.value.shape();
        let few = self.is_few(reader) && self.is_few(head);
        self.chosen(head).is_some() && few && same_rows && theirs != own
    }

    /// Whether the rows of a product are few, and its matrix in memory.
    fn is_few(&self, node: &Node<'_>) -> bool {
        let (Op::MatMul(op), [a, b, ..]) = (stem(node.op), node.operands.as_slice()) else {
            return false;
        };
        let signs = self.seconds.contains_key(&node.value);
        let sizes = op.sizes(a.shape(), b.shape());
        sizes.is_some_and(|sizes| is_few(op, sizes, signs))
            && !self.inlined.contains_key(&self.root(b))
    }

    /// The convolution whose results the kernel that computes them can pool or scatter, so that they are never in memory.
    fn absorbs(
        &self,
        node: &Node<'a>,
        readers: impl Fn(Value) -> Vec<Value>,
        kept: impl Fn(Value) -> bool,
    ) -> Option<Absorbed<'a>> {
        let pool = self.gather(node)?;
        let of = self.root(pool.operands.first()?);
        let convolution = *self.nodes.get(&of)?;
        let Op::Blocked(Blocked::Convolution(op)) = stem(convolution.op) else {
            return None;
        };
        let in_blocks = self.is_blocked(convolution) && plain(of.shape()).is_some();
        if !in_blocks || kept(of) || self.inlined.contains_key(&node.value) {
            return None;
        }
        let signs = self.seconds.get(&of).copied();
        let second = self.seconds.get(&node.value).copied();
        let (fits, simple, patches) = match stem(pool.op) {
            Op::PoolScatter(scatter) => {
                let (window, shape) = (&scatter.window, node.value.shape());
                let alone = signs.is_none() && second.is_none() && readers(of) == [node.value];
                let one_class = op.role == Role::InputGradient && op.stride == [1; 3];
                let patches = Patches::of_scatter(window, shape).filter(|_| one_class);
                (alone, side_by_side(window, shape), patches)
            }
            Op::PoolGather(gather) => {
                let winner = self.winner(node)?;
                let largest =
                    matches!(winner.op, Op::PoolWinner(pool) if pool.winner == Winner::Max);
                let known = [Some(pool.value), second, signs];
                let alone = readers(of)
                    .into_iter()
                    .all(|reader| known.contains(&Some(reader)));
                let (window, shape) = (&gather.window, of.shape());
                let square = is_square(window) && side_by_side(window, shape);
                let patches = Patches::of_pool(window, shape);
                (
                    op.role == Role::Forward && largest && alone,
                    square,
                    patches,
                )
            }
            _ => return None,
        };
        let patches = if simple { None } else { Some(patches?) };
        fits.then_some(Absorbed {
            convolution,
            patches,
        })
    }

    /// Whether operand number 1 is a constant that nothing else in the kernel reads, so that it can be laid out for the operator.
    fn can_lay_out(&self, node: &Node<'_>) -> bool {
        let weight = &node.operands[1];
        let read = self.read(node);
        let times = read.iter().filter(|value| **value == self.root(weight));
        self.constants.contains(weight) && times.count() == 1
    }

    /// What the kernel of an operator reads from memory.
    fn read(&self, node: &Node<'_>) -> Vec<Value> {
        let roots = node.operands.iter().map(|operand| self.root(operand));
        let read = roots.map(|root| match self.nodes.get(&root) {
            Some(inner) if self.inlined.contains_key(&root) => self.read(inner),
            _ => vec![root],
        });
        read.flatten().collect()
    }

    /// Whether the kernel of a convolution is [`blocked`].
    fn is_blocked(&self, node: &Node<'_>) -> bool {
        let (Op::Blocked(Blocked::Convolution(op)), [x, w, ..]) =
            (stem(node.op), node.operands.as_slice())
        else {
            return false;
        };
        let [read, written] = [x.shape(), node.value.shape()].map(|shape| plain(shape).is_some());
        let fits = match op.role {
            Role::Forward => written,
            Role::InputGradient => read && (written || self.folds(node).is_some()),
            Role::WeightGradient => false,
        };
        fits && reads_windows(w.shape(), read)
            && self.can_lay_out(node)
            && !self.inlined.contains_key(&self.root(x))
    }

    /// A product of more than a few rows, which are in memory, with a constant matrix: the convolution that its kernel computes.
    fn dense(&self, node: &Node<'_>) -> Option<(Convolution, Volumes)> {
        let (Op::MatMul(op), [a, b, ..]) = (stem(node.op), node.operands.as_slice()) else {
            return None;
        };
        let in_memory = !self.inlined.contains_key(&self.root(a));
        let convolution = of_places(*op, op.sizes(a.shape(), b.shape())?)?;
        (in_memory && self.can_lay_out(node) && !self.is_few(node)).then_some(convolution)
    }

    /// The patches of places whose products with all taps of windows are added up to an input gradient of few channels.
    fn folds(&self, node: &Node<'_>) -> Option<Patches> {
        let (Op::Blocked(Blocked::Convolution(op)), [x, w, ..]) =
            (stem(node.op), node.operands.as_slice())
        else {
            return None;
        };
        let (x, w, shape) = (x.shape(), w.shape(), node.value.shape());
        let few =
            op.role == Role::InputGradient && plain(shape).is_none() && shape.dim(1) < CHANNELS;
        if !few || self.seconds.contains_key(&node.value) {
            return None;
        }
        let (op, volumes) = of_blocks(op, x, w, shape).ok()?;
        Patches::of_gradient(&op, volumes)
    }

    /// Whether all that an operator reads is in memory, or moved there.
    fn in_memory(&self, node: &Node<'_>) -> bool {
        node.operands.iter().all(|operand| {
            let inner = self.nodes.get(&self.root(operand));
            let inner = inner.filter(|inner| self.inlined.contains_key(&inner.value));
            inner.is_none_or(|inner| is_movement(inner.op) && self.in_memory(inner))
        })
    }

    /// The choice of winners that a pool gathers, where both read the same; a pool may be moved out of blocks at once.
    fn winner(&self, node: &Node<'_>) -> Option<&'a Node<'a>> {
        let gather = self.gather(node)?;
        let Op::PoolGather(op) = stem(gather.op) else {
            return None;
        };
        let winner = *self.nodes.get(&self.root(gather.operands.get(1)?))?;
        let same = matches!(winner.op, Op::PoolWinner(pool) if pool.window == op.window);
        let of = |node: &Node<'_>| node.operands.first().map(|x| self.root(x));
        (same && of(winner) == of(gather)).then_some(winner)
    }

    /// The pool whose result a kernel writes, as it is or moved out of blocks.
    fn gather<'n>(&self, node: &'n Node<'a>) -> Option<&'n Node<'a>>
    where
        'a: 'n,
    {
        match node.op {
            Op::FromBlocks(_) => {
                let root = self.root(node.operands.first()?);
                let inner = *self.nodes.get(&root)?;
                let pools = matches!(stem(inner.op), Op::PoolGather(_));
                (pools && self.inlined.contains_key(&root)).then_some(inner)
            }
            _ => Some(node),
        }
    }

    fn root(&self, value: &Value) -> Value {
        self.roots.get(value).copied().unwrap_or(*value)
    }

    /// The number of values in memory that reading a value takes.
    fn size(&self, value: &Value) -> usize {
        self.inlined.get(&self.root(value)).copied().unwrap_or(1)
    }

    fn is_step(&self, node: &Node<'_>) -> bool {
        is_step(node.op)
            && !self.inlined.contains_key(&node.value)
            && !self.written.contains_key(&node.value)
            && !self
                .absorbed
                .values()
                .any(|absorbed| absorbed.convolution.value == node.value)
    }

    /// The choice of targets that a product of matrices reads where it makes it.
    fn chosen(&self, node: &Node<'_>) -> Option<&'a Node<'a>> {
        let root = self.root(node.operands.first()?);
        let chosen = *self.nodes.get(&root)?;
        let inlined = self.inlined.contains_key(&root);
        (inlined && matches!(chosen.op, Op::OneHot(_))).then_some(chosen)
    }
}

/// A convolution of values in blocks as one of plain values, and its sizes.
fn of_blocks(op: &Convolution, x: Shape, w: Shape, shape: Shape) -> Result<(Convolution, Volumes)> {
    let op = Convolution {
        shape: plain(shape).unwrap_or(shape),
        ..*op
    };
    let volumes = op.volumes(&[plain(x).unwrap_or(x), w]);
    let volumes = volumes.ok_or_else(|| invalid("a convolution has operands that do not fit"))?;
    Ok((op, volumes))
}

/// The operator before the stages.
fn stem(op: &Op) -> &Op {
    match op {
        Op::Fused(fused) => &fused.op,
        op => op,
    }
}

/// Whether the kernel of an operator can write the signs of its result, too.
fn can_sign(node: &Node<'_>) -> bool {
    let shape = node.value.shape();
    match stem(node.op) {
        Op::Blocked(_) => plain(shape).is_some(),
        Op::MatMul(_) => shape.dim(shape.rank() - 1).is_multiple_of(CHANNELS),
        op => is_element(op),
    }
}

/// Whether the kernel of an operator may read its operand number `at` where an operator moves it from.
fn moves_into(op: &Op, at: usize) -> bool {
    match op {
        Op::Fused(fused) if at < fused.reads => moves_into(&fused.op, at),
        Op::MatMul(_) => true,
        Op::Select(_) => at == 0,
        op => is_element(op),
    }
}

/// Whether a map along an axis may be computed where another one reads it: it has one factor for each of its results, or the other one
/// reads each of them once.
fn maps_into(op: &Op, reader: &Op, at: usize) -> bool {
    match (op, stem(reader)) {
        (Op::AxisMap(inner), Op::AxisMap(outer)) if at == 0 => {
            let simple = inner.map.rows().iter().all(|row| row.len() <= 1);
            let transposed = outer.map.transposed();
            simple || transposed.rows().iter().all(|column| column.len() <= 1)
        }
        _ => false,
    }
}

/// Whether an operator chooses the rows of a matrix that the reader multiplies it with.
fn chooses(op: &Op, reader: &Op, at: usize) -> bool {
    let rows = match stem(reader) {
        Op::MatMul(product) => !product.transpose_a && !product.transpose_b,
        _ => false,
    };
    matches!(op, Op::OneHot(_)) && rows && at == 0
}

/// Whether the kernel of an operator may compute its operand number `at` where it reads it: each element about once.
fn takes(op: &Op, at: usize) -> bool {
    match op {
        Op::Fused(fused) if at < fused.reads => takes(&fused.op, at),
        Op::Fused(fused) => {
            let stage = fused.numbered().find(|(_, operand)| *operand == at);
            !matches!(stage, Some((Stage::Select(_), _)))
        }
        Op::Select(_) => at == 0,
        Op::Add(_) | Op::Mul(_) | Op::Map(_) | Op::Sum(_) | Op::Signs(_) => true,
        Op::Permute(_) | Op::Concat(_) | Op::Slice(_) | Op::Place(_) => true,
        Op::ToBlocks(_) | Op::FromBlocks(_) => true,
        _ => false,
    }
}
