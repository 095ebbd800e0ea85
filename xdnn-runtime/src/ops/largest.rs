//! The choice of the largest elements of each row.

use std::cmp::Ordering;

use xdnn_ir::Shape;

use super::{Applied, Operation, Real, TensorView, around, misfit};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::lowering::{Dense, Primitives};

/// 1 at the largest elements of each row of the last axis, 0 elsewhere; at ties the first ones are chosen.
///
/// Constant between ties, so it has no derivative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Largest {
    /// The number of elements of a row that are chosen.
    pub count: usize,
}

impl Largest {
    /// Marks the chosen elements of a row; what is no number is larger than every number. `order` is room for a row.
    pub(crate) fn mark<T: Real>(self, row: &[T], order: &mut [T], marks: &mut [T]) {
        let Some(last) = self.count.checked_sub(1).filter(|last| *last < row.len()) else {
            marks.fill(if self.count == 0 { T::zero() } else { T::one() });
            return;
        };
        order.copy_from_slice(row);
        let (_, least, _) = order.select_nth_unstable_by(last, |a, b| descending(*a, *b));
        let least = *least;
        let above = |x: T| descending(x, least) == Ordering::Less;
        let mut ties = self.count - row.iter().filter(|x| above(**x)).count();
        for (mark, x) in marks.iter_mut().zip(row) {
            let tie = descending(*x, least) == Ordering::Equal && ties > 0;
            ties -= usize::from(tie);
            *mark = if tie || above(*x) {
                T::one()
            } else {
                T::zero()
            };
        }
    }
}

fn descending<T: Real>(a: T, b: T) -> Ordering {
    b.partial_cmp(&a)
        .unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
}

impl Operation for Largest {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        match operands {
            [x] if x.rank() > 0 && self.count <= x.dim(x.rank() - 1) => Ok(*x),
            _ => Err(misfit(self, operands)),
        }
    }

    fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], shape: Shape, output: &mut [T]) {
        let size = shape.dim(shape.rank().saturating_sub(1)).max(1);
        let mut order = vec![T::zero(); size];
        let rows = operands[0].data.chunks_exact(size);
        for (row, marks) in rows.zip(output.chunks_exact_mut(size)) {
            self.mark(row, &mut order, marks);
        }
    }

    fn vjp(&self, _: &mut Graph, _: Applied<'_>, _: Value) -> Result<Vec<Option<Value>>> {
        Ok(vec![None]) // constant between ties
    }

    fn jvp(&self, _: &mut Graph, _: Applied<'_>, _: &[Option<Value>]) -> Result<Option<Value>> {
        Ok(None)
    }

    fn lower(&self, to: &mut Primitives<'_>, operands: &[Dense], shape: Shape) -> Result<Dense> {
        let (rows, size, _) = around(shape, shape.rank() - 1);
        // The order of the opposite numbers is the descending one.
        let negative = to.scale(operands[0].reshaped([rows, size]), -1.0);
        let before = to.before(negative);
        let count = to.sum(before, 2);
        Ok(to.below(count, self.count as f64 - 0.5).with_shape(shape))
    }
}

#[cfg(test)]
mod tests {
    use super::Largest;

    #[test]
    fn the_first_of_equals_and_what_is_no_number_are_chosen() {
        let marks = |count, row: &[f64]| {
            let (mut order, mut marks) = (vec![0.0; row.len()], vec![9.0; row.len()]);
            Largest { count }.mark(row, &mut order, &mut marks);
            marks
        };
        assert_eq!(marks(2, &[1.0, 3.0, 3.0, 3.0]), [0.0, 1.0, 1.0, 0.0]);
        assert_eq!(marks(1, &[1.0, f64::NAN, 3.0]), [0.0, 1.0, 0.0]);
        assert_eq!(
            marks(2, &[f64::NAN, f64::NEG_INFINITY, -5.0]),
            [1.0, 0.0, 1.0]
        );
        assert_eq!(marks(2, &[-0.0, 0.0, 0.0]), [1.0, 1.0, 0.0]);
        assert_eq!(marks(0, &[1.0, 2.0]), [0.0, 0.0]);
        assert_eq!(marks(2, &[1.0, 2.0]), [1.0, 1.0]);
    }
}
