//! The same elements under other dimensions, or in another order.

use xdnn_ir::{MAX_RANK, Shape};

use super::index::{strides, walk};
use super::{Applied, Operation, Real, TensorView, linear_tangent, misfit};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::lowering::{Dense, Primitives};

/// The same elements in row-major order under other dimensions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reshape {
    /// The shape of the result.
    pub shape: Shape,
}

/// Axes in another order: axis `i` of the result is axis `axes[i]` of the operand.
#[derive(Clone, Debug, PartialEq)]
pub struct Permute {
    /// The order.
    pub axes: Vec<usize>,
}

impl Operation for Reshape {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        match operands {
            [x] if x.elements() == self.shape.elements() => Ok(self.shape),
            _ => Err(misfit(self, operands)),
        }
    }

    fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], _: Shape, output: &mut [T]) {
        output.copy_from_slice(operands[0].data);
    }

    fn vjp(&self, graph: &mut Graph, at: Applied<'_>, g: Value) -> Result<Vec<Option<Value>>> {
        Ok(vec![Some(graph.reshape(g, at.operands[0].shape())?)])
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Applied<'_>,
        tangents: &[Option<Value>],
    ) -> Result<Option<Value>> {
        linear_tangent(self, graph, at, tangents)
    }

    fn lower(&self, _: &mut Primitives<'_>, operands: &[Dense], shape: Shape) -> Result<Dense> {
        Ok(operands[0].with_shape(shape))
    }
}

impl Permute {
    /// The order that undoes this one.
    pub fn inverse(&self) -> Self {
        let mut axes = vec![0; self.axes.len()];
        for (i, axis) in self.axes.iter().enumerate() {
            axes[*axis] = i;
        }
        Self { axes }
    }

    /// The strides of the operand in the order of the result.
    pub(crate) fn strides(&self, operand: Shape) -> [usize; MAX_RANK] {
        let original = strides(operand);
        let mut permuted = [0; MAX_RANK];
        for (i, axis) in self.axes.iter().enumerate() {
            permuted[i] = original[*axis];
        }
        permuted
    }
}

impl Operation for Permute {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        let [x] = operands else {
            return Err(misfit(self, operands));
        };
        let mut sorted = self.axes.clone();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..x.rank()) {
            return Err(misfit(self, operands));
        }
        let dims: Vec<usize> = self.axes.iter().map(|axis| x.dim(*axis)).collect();
        Shape::from_slice(&dims).ok_or_else(|| misfit(self, operands))
    }

    fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], shape: Shape, output: &mut [T]) {
        let x = operands[0];
        walk(shape, &self.strides(x.shape), |i, offset| {
            output[i] = x.data[offset]
        });
    }

    fn vjp(&self, graph: &mut Graph, _: Applied<'_>, g: Value) -> Result<Vec<Option<Value>>> {
        Ok(vec![Some(graph.apply(self.inverse(), &[g])?)])
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
        Ok(to.permute(operands[0], &self.axes))
    }
}
