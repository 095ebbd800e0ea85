//! Convolutions by Winograd's algorithm.

use luminal::prelude::{Compiler, Graph, NodeIndex, ToIdsMut};
use xdnn_ir::Shape;

use super::rewrite::Rewrite;
use crate::ops::{Convolution, Dialect, Kernels, Layout, Leaf, Op, Role, Winograd};

/// Fewer channels leave products of matrices that are not worth their overhead.
const CHANNELS: usize = 16;
/// Fewer tiles are bound by the reading of the transformed weights, which are larger.
const TILES: usize = 12;

/// Computes convolutions of 3×3 and 5×5 windows with step 1, and their input gradients, as [`Winograd`], where the kernel is a weight
/// and there is enough to compute.
///
/// The weights become [`Layout::Winograd`]: this is for graphs whose weights stay the same from run to run.
#[derive(Clone, Copy, Debug)]
pub struct UseWinograd;

impl Compiler for UseWinograd {
    fn compile<T: ToIdsMut>(&self, graph: &mut Graph, _: T) {
        let nodes: Vec<NodeIndex> = graph.graph.node_indices().collect();
        for node in nodes {
            if let Some(change) = Change::of(graph, node) {
                change.make(graph, node);
            }
        }
    }
}

/// What becomes of a convolution.
struct Change {
    op: Winograd,
    x: NodeIndex,
    leaf: Leaf,
}

impl Change {
    fn of(graph: &Graph, node: NodeIndex) -> Option<Self> {
        let Dialect { op, shape } = graph.dialect(node)?;
        let Op::Convolution(convolution) = op else {
            return None;
        };
        let [x, kernel] = graph.operands(node)[..] else {
            return None;
        };
        let w = graph.dialect(kernel)?;
        let Op::Leaf(Leaf::Weight(weight)) = w.op else {
            return None;
        };
        if !suits(convolution, w.shape) || shape.rank() != 4 {
            return None;
        }
        let [_, height, width] = convolution.padding;
        let kernels = Kernels::of(w.shape);
        let (padding, transposed) = match convolution.role {
            Role::Forward => ([height, width], false),
            Role::InputGradient => {
                let last = kernels.size - 1;
                let turned = [last.checked_sub(height)?, last.checked_sub(width)?];
                (turned, true)
            }
            Role::WeightGradient => return None,
        };
        let op = Winograd {
            padding,
            transposed,
            kernels,
        };
        pays(op, *shape).then_some(Self {
            op,
            x,
            leaf: Leaf::LaidOut(weight, Layout::Winograd(kernels)),
        })
    }

    fn make(self, graph: &mut Graph, node: NodeIndex) {
        let shape = self.op.kernels.shape();
        let known = graph.find_leaf(self.leaf);
        let leaf = known.unwrap_or_else(|| graph.insert(self.leaf, shape, &[]));
        graph.replace(node, self.op, &[self.x, leaf]);
    }
}

fn suits(convolution: &Convolution, weight: Shape) -> bool {
    let sizes = weight.dims().get(2..);
    let known = sizes == Some(&[3, 3]) || sizes == Some(&[5, 5]);
    known
        && convolution.groups == 1
        && convolution.stride == [1; 3]
        && convolution.dilation == [1; 3]
}

fn pays(op: Winograd, result: Shape) -> bool {
    let [rows, columns] = [2, 3].map(|axis| result.dim(axis).div_ceil(op.tile()));
    let channels = op.kernels.outputs.min(op.kernels.inputs);
    channels >= CHANNELS && result.dim(0) * rows * columns >= TILES
}
