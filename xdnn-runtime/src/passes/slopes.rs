//! Slopes as bits.

use luminal::prelude::{Compiler, Graph, NodeIndex, ToIdsMut};

use super::rewrite::Rewrite;
use crate::ops::{Map, Op, Select, Signs, Slopes};

/// Keeps of a piecewise linear function what its backward pass needs: a bit for each element, not the element.
///
/// `g · slope(x)` becomes [`Select`] by the [`Signs`] of `slope(x)·x`, where there are two slopes and the positive numbers are
/// those that stay positive: so nothing needs `x` once the function is computed.
#[derive(Clone, Copy, Debug)]
pub struct SlopesAsBits;

impl Compiler for SlopesAsBits {
    fn compile<T: ToIdsMut>(&self, graph: &mut Graph, _: T) {
        let nodes: Vec<NodeIndex> = graph.graph.node_indices().collect();
        for node in nodes {
            if let Some(change) = Change::of(graph, node) {
                change.make(graph, node);
            }
        }
    }
}

/// What becomes of a product with a slope.
struct Change {
    cotangent: NodeIndex,
    /// What has the same signs as the function's operand.
    signs_of: NodeIndex,
    select: Select,
}

impl Change {
    fn of(graph: &Graph, node: NodeIndex) -> Option<Self> {
        let Some(Op::Mul(_)) = graph.op(node) else {
            return None;
        };
        let [a, b] = graph.operands(node)[..] else {
            return None;
        };
        [(a, b), (b, a)].into_iter().find_map(|(cotangent, slope)| {
            let Some(Op::Map(Map::Slope(slopes))) = graph.op(slope) else {
                return None;
            };
            let [x] = graph.operands(slope)[..] else {
                return None;
            };
            let (two, keeps) = (slopes.zero == slopes.negative, keeps_signs(*slopes));
            let function = Op::Map(Map::PiecewiseLinear(*slopes));
            let readers = graph.readers(x);
            let result = readers
                .into_iter()
                .find(|reader| graph.op(*reader) == Some(&function));
            two.then_some(Self {
                cotangent,
                signs_of: result.filter(|_| keeps).unwrap_or(x),
                select: Select {
                    positive: slopes.positive,
                    other: slopes.negative,
                },
            })
        })
    }

    fn make(self, graph: &mut Graph, node: NodeIndex) {
        let known = graph.readers(self.signs_of).into_iter();
        let known = known
            .into_iter()
            .find(|reader| graph.op(*reader) == Some(&Signs.into()));
        let signs = known.or_else(|| {
            let of = graph.dialect(self.signs_of)?.shape;
            let shape = Op::from(Signs).shape(&[of]).ok()?;
            Some(graph.insert(Signs, shape, &[self.signs_of]))
        });
        if let Some(signs) = signs {
            graph.replace(node, self.select, &[self.cotangent, signs]);
        }
    }
}

/// Whether the function is positive where its operand is, and only there. A smaller slope could make 0 of a small number.
fn keeps_signs(slopes: Slopes) -> bool {
    slopes.positive >= 1.0 && slopes.negative >= 0.0
}
