//! Sums over axes and their transpose, repetition along axes.

use std::fmt;

use xdnn_ir::{MAX_RANK, Shape};

use super::index::{strides, walk};
use super::{Applied, Operation, Real, TensorView, linear_tangent, misfit};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::lowering::{Dense, Primitives};

/// A set of axes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Axes(u8);

/// The sum over axes, which disappear.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sum {
    /// The axes of the operand to sum over.
    pub axes: Axes,
}

/// Repetition along new axes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Broadcast {
    /// The axes of the result that the operand does not have.
    pub axes: Axes,
    /// The shape of the result.
    pub shape: Shape,
}

impl Axes {
    /// The axes of a list; those from [`MAX_RANK`] on are left out.
    pub fn new(axes: impl IntoIterator<Item = usize>) -> Self {
        Self(
            axes.into_iter()
                .filter(|axis| *axis < MAX_RANK)
                .fold(0, |set, axis| set | 1 << axis),
        )
    }

    /// Whether the axis is in the set.
    pub fn contains(self, axis: usize) -> bool {
        axis < MAX_RANK && self.0 & (1 << axis) != 0
    }

    /// The shape without these axes.
    pub fn remove_from(self, shape: Shape) -> Shape {
        let mut kept = [1; MAX_RANK];
        let mut rank = 0;
        for axis in (0..shape.rank()).filter(|axis| !self.contains(*axis)) {
            kept[rank] = shape.dim(axis);
            rank += 1;
        }
        Shape::from_slice(&kept[..rank]).unwrap_or(shape)
    }

    /// Strides over `full` that step through a tensor without these axes.
    pub(crate) fn strides_without(self, full: Shape) -> [usize; MAX_RANK] {
        let packed = strides(self.remove_from(full));
        let mut result = [0; MAX_RANK];
        let kept = (0..full.rank()).filter(|axis| !self.contains(*axis));
        for (stride, axis) in packed.into_iter().zip(kept) {
            result[axis] = stride;
        }
        result
    }

    fn fits(self, rank: usize) -> bool {
        u32::from(self.0) >> rank == 0
    }
}

impl fmt::Debug for Axes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries((0..MAX_RANK).filter(|axis| self.contains(*axis)))
            .finish()
    }
}

impl Operation for Sum {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        match operands {
            [x] if self.axes.fits(x.rank()) => Ok(self.axes.remove_from(*x)),
            _ => Err(misfit(self, operands)),
        }
    }

    fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], _: Shape, output: &mut [T]) {
        let x = operands[0];
        walk(x.shape, &self.axes.strides_without(x.shape), |i, offset| {
            output[offset] = output[offset] + x.data[i];
        });
    }

    fn vjp(&self, graph: &mut Graph, at: Applied<'_>, g: Value) -> Result<Vec<Option<Value>>> {
        let broadcast = Broadcast {
            axes: self.axes,
            shape: at.operands[0].shape(),
        };
        Ok(vec![Some(graph.apply(broadcast, &[g])?)]) // (Σ)ᵀ = repetition
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Applied<'_>,
        tangents: &[Option<Value>],
    ) -> Result<Option<Value>> {
        linear_tangent(self, graph, at, tangents)
    }

    fn lower(&self, to: &mut Primitives<'_>, operands: &[Dense], _: Shape) -> Result<Dense> {
        let x = operands[0];
        let axes = (0..x.shape().rank()).rev();
        let axes = axes.filter(|axis| self.axes.contains(*axis));
        Ok(axes.fold(x, |x, axis| to.sum(x, axis)))
    }
}

impl Operation for Broadcast {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        match operands {
            [x] if self.axes.fits(self.shape.rank()) && self.axes.remove_from(self.shape) == *x => {
                Ok(self.shape)
            }
            _ => Err(misfit(self, operands)),
        }
    }

    fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], shape: Shape, output: &mut [T]) {
        walk(shape, &self.axes.strides_without(shape), |i, offset| {
            output[i] = operands[0].data[offset]
        });
    }

    fn vjp(&self, graph: &mut Graph, _: Applied<'_>, g: Value) -> Result<Vec<Option<Value>>> {
        Ok(vec![Some(graph.apply(Sum { axes: self.axes }, &[g])?)]) // (repetition)ᵀ = Σ
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Applied<'_>,
        tangents: &[Option<Value>],
    ) -> Result<Option<Value>> {
        linear_tangent(self, graph, at, tangents)
    }

    fn lower(&self, to: &mut Primitives<'_>, operands: &[Dense], shape: Shape) -> Result<Dense> {
        let new = (0..shape.rank()).filter(|axis| self.axes.contains(*axis));
        let flat = new.fold(shape, |flat, axis| flat.with_dim(axis, 1));
        Ok(to.spread(operands[0].with_shape(flat), shape))
    }
}
