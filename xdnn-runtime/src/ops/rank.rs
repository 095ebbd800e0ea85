//! Where each element stands in its row.

use std::cmp::Ordering;

use xdnn_ir::Shape;

use super::{Applied, Operation, Real, TensorView, around, misfit};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::lowering::{Dense, Primitives};

/// The number of elements of its row that are smaller, less the number of those that are larger, along the last axis:
/// `Σⱼ sign(xᵢ − xⱼ)`, which is `2r − n − 1` for the rank `r` of `n` elements, from 1, with ties at the mean of their ranks.
///
/// `Σᵢ rankᵢ·xᵢ = Σᵢⱼ |xᵢ − xⱼ| / 2`. Constant between ties, so it has no derivative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rank;

impl Rank {
    /// Ranks the elements of a row; what is no number is larger than every number. `order` is room for a row.
    pub(crate) fn rank<T: Real>(row: &[T], order: &mut [T], ranks: &mut [T]) {
        order.copy_from_slice(row);
        order.sort_unstable_by(|a, b| ascending(*a, *b));
        for (rank, x) in ranks.iter_mut().zip(row) {
            let smaller = order.partition_point(|y| ascending(*y, *x) == Ordering::Less);
            let others = order.partition_point(|y| ascending(*y, *x) != Ordering::Greater);
            let larger = row.len() - others;
            *rank = T::of(smaller as f64 - larger as f64);
        }
    }
}

fn ascending<T: Real>(a: T, b: T) -> Ordering {
    a.partial_cmp(&b)
        .unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

impl Operation for Rank {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        match operands {
            [x] if x.rank() > 0 => Ok(*x),
            _ => Err(misfit(self, operands)),
        }
    }

    fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], shape: Shape, output: &mut [T]) {
        let size = shape.dim(shape.rank().saturating_sub(1)).max(1);
        let mut order = vec![T::zero(); size];
        let rows = operands[0].data.chunks_exact(size);
        for (row, ranks) in rows.zip(output.chunks_exact_mut(size)) {
            Self::rank(row, &mut order, ranks);
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
        let x = operands[0];
        let (i, j) = (x.reshaped([rows, size, 1]), x.reshaped([rows, 1, size]));
        let (smaller, larger) = (to.less_than(j, i), to.less_than(i, j));
        let (smaller, larger) = (to.sum(smaller, 2), to.sum(larger, 2));
        let larger = to.scale(larger, -1.0);
        Ok(to.add(smaller, larger).with_shape(shape))
    }
}

#[cfg(test)]
mod tests {
    use super::Rank;

    #[test]
    fn equals_share_their_ranks_and_what_is_no_number_is_the_largest() {
        let ranks = |row: &[f64]| {
            let (mut order, mut ranks) = (vec![0.0; row.len()], vec![9.0; row.len()]);
            Rank::rank(row, &mut order, &mut ranks);
            ranks
        };
        assert_eq!(ranks(&[0.5, 3.0, -1.0, 2.0]), [-1.0, 3.0, -3.0, 1.0]);
        assert_eq!(ranks(&[7.0, 7.0, 1.0]), [1.0, 1.0, -2.0]);
        assert_eq!(ranks(&[0.0, -0.0]), [0.0, 0.0]);
        assert_eq!(ranks(&[f64::NAN, f64::INFINITY]), [1.0, -1.0]);
        assert_eq!(ranks(&[f64::NAN, 0.0, f64::NAN]), [1.0, -2.0, 1.0]);
        assert_eq!(ranks(&[4.0]), [0.0]);
    }
}
