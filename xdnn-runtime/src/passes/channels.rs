//! Channels in blocks.

use luminal::prelude::{Compiler, Graph, NodeIndex, ToIdsMut};
use xdnn_ir::Shape;

use super::rewrite::Rewrite;
use crate::ops::{
    AxisMap, Blocked, CHANNELS, Dialect, FromBlocks, Leaf, Op, PoolGather, PoolScatter, PoolWindow,
    PoolWinner, Role, ToBlocks, Winner, blocked, plain,
};

/// Each sample reads the weights anew, which does not pay where there are fewer places and several samples.
const PLACES: usize = 16;

/// Lets convolutions read and write values whose channels are in blocks ([`Blocked`]), where there are enough output channels,
/// and whatever stands between convolutions too, so that few values change their layout.
///
/// This is for graphs whose weights stay the same from run to run: they change their layout, too.
#[derive(Clone, Copy, Debug)]
pub struct BlockChannels;

impl Compiler for BlockChannels {
    fn compile<T: ToIdsMut>(&self, graph: &mut Graph, _: T) {
        let nodes: Vec<NodeIndex> = graph.graph.node_indices().collect();
        let mut near = Vec::new();
        for node in nodes {
            if let Some((op, reads)) = convolution(graph, node) {
                in_blocks(graph, node, op, &[reads, false]);
                near.extend(around(graph, node));
            }
        }
        // What reads or makes a value in blocks follows, and so does what reads or makes that.
        while let Some(node) = near.pop() {
            if let Some((op, reads)) = follower(graph, node) {
                in_blocks(graph, node, op, &reads);
                near.extend(around(graph, node));
            }
        }
    }
}

/// What a node reads and what reads it, beyond conversions.
fn around(graph: &Graph, node: NodeIndex) -> Vec<NodeIndex> {
    let mut near = Vec::new();
    for id in graph.operands(node) {
        match graph.op(id) {
            Some(Op::ToBlocks(_)) => near.extend(graph.operands(id)),
            _ => near.push(id),
        }
    }
    for id in graph.readers(node) {
        match graph.op(id) {
            Some(Op::FromBlocks(_)) => near.extend(graph.readers(id)),
            _ => near.push(id),
        }
    }
    near
}

/// A convolution as one in blocks, and whether it reads blocks.
fn convolution(graph: &Graph, node: NodeIndex) -> Option<(Op, bool)> {
    let Dialect { op, shape } = graph.dialect(node)?;
    let [x, w] = graph.operands(node)[..] else {
        return None;
    };
    let constant = matches!(
        graph.op(w),
        Some(Op::Leaf(Leaf::Weight(_) | Leaf::LaidOut(..)))
    );
    let [x, w] = [graph.dialect(x)?.shape, graph.dialect(w)?.shape];
    let (reads, writes) = (blocked(x).is_some(), blocked(*shape).is_some());
    let empty = [x, w, *shape].iter().any(|shape| shape.elements() == 0);
    if !constant || empty || writes && graph.no_delete.contains(&node) {
        return None;
    }
    let op = match op {
        Op::Convolution(op) if op.groups == 1 && op.shape.rank() == 4 => {
            let places = shape.dim(2) * shape.dim(3);
            let pays = places >= PLACES || shape.dim(0) == 1;
            let fits = match op.role {
                Role::Forward => writes,
                Role::InputGradient => reads,
                Role::WeightGradient => false,
            };
            (pays && fits).then(|| Blocked::Convolution(*op).into())
        }
        Op::Winograd(op) if reads && writes => Some(Blocked::Winograd(*op).into()),
        _ => None,
    };
    Some((op?, reads))
}

/// An operator that computes the same of values in blocks and has one of them as operand, and which operands are then in blocks.
fn follower(graph: &Graph, node: NodeIndex) -> Option<(Op, Vec<bool>)> {
    let Dialect { op, shape } = graph.dialect(node)?;
    let operands = graph.operands(node);
    let from = |id: &NodeIndex| matches!(graph.op(*id), Some(Op::FromBlocks(_)));
    let to = |id: &NodeIndex| matches!(graph.op(*id), Some(Op::ToBlocks(_)));
    let readers = graph.readers(node);
    let touched = operands.iter().any(from) || readers.iter().any(to);
    if !touched || graph.no_delete.contains(&node) || blocked(*shape).is_none() {
        return None;
    }
    let shape_of = |at: usize| Some(graph.dialect(*operands.get(at)?)?.shape);
    let window = |window: &PoolWindow| in_volume(window);
    let op = match op {
        Op::Add(_) | Op::Mul(_) | Op::Map(_) => op.clone(),
        Op::PoolWinner(pool) if matches!(pool.winner, Winner::Max | Winner::Min) => PoolWinner {
            window: window(&pool.window)?,
            ..*pool
        }
        .into(),
        Op::PoolGather(pool) => PoolGather {
            window: window(&pool.window)?,
        }
        .into(),
        Op::PoolScatter(pool) => PoolScatter {
            window: window(&pool.window)?,
            shape: blocked(pool.shape)?,
        }
        .into(),
        Op::AxisMap(map) if map.axis >= 2 => AxisMap::clone(map).into(),
        _ => return None,
    };
    let all = (0..operands.len()).all(|at| shape_of(at).and_then(blocked).is_some());
    all.then(|| (op, vec![true; operands.len()]))
}

/// Windows over planes as windows over volumes whose last axis is that of the channels of a block.
fn in_volume(window: &PoolWindow) -> Option<PoolWindow> {
    let shifted = |sizes: [usize; 3], last: usize| [sizes[1], sizes[2], last];
    let flat = window.kernel[0] == 1 && window.output[0] == 1 && window.padding[0] == 0;
    flat.then(|| PoolWindow {
        kernel: shifted(window.kernel, 1),
        stride: shifted(window.stride, 1),
        padding: shifted(window.padding, 0),
        dilation: shifted(window.dilation, 1),
        output: shifted(window.output, CHANNELS),
    })
}

/// Puts an operator that writes blocks, where it can, in the place of a node, and lets the readers of the node read what it has
/// written.
fn in_blocks(graph: &mut Graph, node: NodeIndex, op: Op, reads: &[bool]) {
    let Some(shape) = graph.dialect(node).map(|dialect| dialect.shape) else {
        return;
    };
    let operands = graph.operands(node);
    let shapes = operands.iter().zip(reads).map(|(id, read)| {
        let shape = graph.dialect(*id)?.shape;
        if *read { blocked(shape) } else { Some(shape) }
    });
    let shapes: Option<Vec<Shape>> = shapes.collect();
    let Some(written) = shapes.and_then(|shapes| op.shape(&shapes).ok()) else {
        return;
    };
    let operands = operands.into_iter().zip(reads);
    let operands: Vec<_> = operands
        .map(|(id, read)| if *read { to_blocks(graph, id) } else { id })
        .collect();
    if written == shape {
        graph.replace(node, op, &operands);
        return;
    }
    debug_assert_eq!(plain(written), Some(shape));
    let readers = graph.take_readers(node);
    graph.replace_as(node, op, written, &operands);
    let mut unblocked = None;
    for (reader, order) in readers {
        // What has made blocks of the result reads the blocks.
        if matches!(graph.op(reader), Some(Op::ToBlocks(_))) {
            for (reader, order) in graph.take_readers(reader) {
                graph.connect(node, reader, order);
            }
            graph.remove_unread(reader);
        } else {
            let from = *unblocked.get_or_insert_with(|| graph.insert(FromBlocks, shape, &[node]));
            graph.connect(from, reader, order);
        }
    }
}

/// A value in blocks.
fn to_blocks(graph: &mut Graph, id: NodeIndex) -> NodeIndex {
    if let Some(Op::FromBlocks(_)) = graph.op(id) {
        return graph.operands(id)[0];
    }
    let known = graph.readers(id).into_iter();
    let known = known
        .into_iter()
        .find(|reader| matches!(graph.op(*reader), Some(Op::ToBlocks(_))));
    let shape = graph.dialect(id).and_then(|dialect| blocked(dialect.shape));
    match (known, shape) {
        (Some(known), _) => known,
        (None, Some(shape)) => graph.insert(ToBlocks, shape, &[id]),
        (None, None) => id,
    }
}
