//! The choice of one output of each sample.

use xdnn_ir::Shape;

use super::{Applied, Operation, Real, TensorView, misfit};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::lowering::{Dense, Primitives};

/// 1 at the target of each sample, 0 elsewhere: from scores `(N, M)` and targets `(N)` to `(N, M)`.
///
/// A negative target stands for the largest score of its sample, the first of several. Constant between ties, so it has
/// no derivative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneHot;

/// The position of the largest score, the first of several.
pub(crate) fn argmax<T: Real>(scores: &[T]) -> usize {
    let best = scores
        .iter()
        .enumerate()
        .reduce(|best, next| if *next.1 > *best.1 { next } else { best });
    best.map_or(0, |(i, _)| i)
}

impl Operation for OneHot {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        match operands {
            [scores, target] if scores.rank() == 2 && target.dims() == &scores.dims()[..1] => {
                Ok(*scores)
            }
            _ => Err(misfit(self, operands)),
        }
    }

    fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], shape: Shape, output: &mut [T]) {
        let classes = shape.dim(1).max(1);
        let rows = output
            .chunks_exact_mut(classes)
            .zip(operands[0].data.chunks_exact(classes));
        for ((row, scores), target) in rows.zip(operands[1].data) {
            let class = target.to_usize().unwrap_or_else(|| argmax(scores));
            if let Some(element) = row.get_mut(class) {
                *element = T::one();
            }
        }
    }

    fn vjp(&self, _: &mut Graph, _: Applied<'_>, _: Value) -> Result<Vec<Option<Value>>> {
        Ok(vec![None, None])
    }

    fn jvp(&self, _: &mut Graph, _: Applied<'_>, _: &[Option<Value>]) -> Result<Option<Value>> {
        Ok(None)
    }

    fn lower(&self, to: &mut Primitives<'_>, operands: &[Dense], shape: Shape) -> Result<Dense> {
        let (samples, classes) = (shape.dim(0), shape.dim(1));
        let (scores, target) = (operands[0], operands[1].reshaped([samples, 1]));
        let class = to.data([1, classes], || {
            (0..classes).map(|class| class as f32).collect()
        });
        let class = to.spread(class, shape);
        let target = to.spread(target, shape);
        let given = to.equal(target, class);
        let largest = to.max(scores, 1).reshaped([samples, 1]);
        let smaller = to.less_than(scores, largest);
        let largest = to.not(smaller);
        let largest = to.first(largest);
        let any = to.below(target, 0.0);
        Ok(to.select(any, largest, given))
    }
}
