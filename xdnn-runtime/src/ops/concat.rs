//! Values side by side along an axis, and the parts of such a value.

use xdnn_ir::Shape;

use super::index::around;
use super::{Applied, Operation, Real, TensorView, linear_tangent, misfit};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::lowering::{Dense, Primitives};

/// The operands one after the other along an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Concat {
    /// The axis.
    pub axis: usize,
}

/// Elements `start..start + length` along an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slice {
    /// The axis.
    pub axis: usize,
    /// The first element.
    pub start: usize,
    /// The number of elements.
    pub length: usize,
}

/// The operand from `start` on along an axis of `size` elements, zeros elsewhere: the transpose of [`Slice`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// The axis.
    pub axis: usize,
    /// Where the operand starts.
    pub start: usize,
    /// The size of the axis in the result.
    pub size: usize,
}

impl Operation for Concat {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        let Some(first) = operands.first().filter(|first| self.axis < first.rank()) else {
            return Err(misfit(self, operands));
        };
        let size = operands.iter().map(|shape| shape.dim(self.axis)).sum();
        let output = first.with_dim(self.axis, size);
        if operands
            .iter()
            .any(|shape| shape.with_dim(self.axis, size) != output)
        {
            return Err(misfit(self, operands));
        }
        Ok(output)
    }

    fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], shape: Shape, output: &mut [T]) {
        let (_, size, inner) = around(shape, self.axis);
        let mut start = 0;
        for x in operands {
            let (_, length, _) = around(x.shape, self.axis);
            let rows = output
                .chunks_exact_mut((size * inner).max(1))
                .zip(x.data.chunks_exact((length * inner).max(1)));
            rows.for_each(|(y, x)| y[start * inner..(start + length) * inner].copy_from_slice(x));
            start += length;
        }
    }

    fn vjp(&self, graph: &mut Graph, at: Applied<'_>, g: Value) -> Result<Vec<Option<Value>>> {
        let mut start = 0;
        let slices = at.operands.iter().map(|operand| {
            let slice = Slice {
                axis: self.axis,
                start,
                length: operand.shape().dim(self.axis),
            };
            start += slice.length;
            graph.apply(slice, &[g]).map(Some)
        });
        slices.collect()
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Applied<'_>,
        tangents: &[Option<Value>],
    ) -> Result<Option<Value>> {
        if tangents.iter().all(Option::is_none) {
            return Ok(None);
        }
        let parts: Result<Vec<Value>> = at
            .operands
            .iter()
            .zip(tangents)
            .map(|(operand, tangent)| {
                tangent.map_or_else(|| graph.constant(0.0, operand.shape()), Ok)
            })
            .collect();
        graph.apply(*self, &parts?).map(Some)
    }

    fn lower(&self, to: &mut Primitives<'_>, operands: &[Dense], shape: Shape) -> Result<Dense> {
        let size = shape.dim(self.axis);
        let mut start = 0;
        let mut place = |to: &mut Primitives<'_>, part: Dense| {
            let placed = to.place(part, self.axis, start, size);
            start += part.shape().dim(self.axis);
            placed
        };
        let first = place(to, operands[0]);
        let sum = operands[1..].iter().fold(first, |sum, part| {
            let part = place(to, *part);
            to.add(sum, part)
        });
        Ok(sum)
    }
}

impl Operation for Slice {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        match operands {
            [x] if self.axis < x.rank() && self.start + self.length <= x.dim(self.axis) => {
                Ok(x.with_dim(self.axis, self.length))
            }
            _ => Err(misfit(self, operands)),
        }
    }

    fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], _: Shape, output: &mut [T]) {
        let (_, size, inner) = around(operands[0].shape, self.axis);
        let rows = output
            .chunks_exact_mut((self.length * inner).max(1))
            .zip(operands[0].data.chunks_exact((size * inner).max(1)));
        rows.for_each(|(y, x)| {
            y.copy_from_slice(&x[self.start * inner..(self.start + self.length) * inner])
        });
    }

    fn vjp(&self, graph: &mut Graph, at: Applied<'_>, g: Value) -> Result<Vec<Option<Value>>> {
        let size = at.operands[0].shape().dim(self.axis);
        Ok(vec![Some(graph.apply(
            Place {
                axis: self.axis,
                start: self.start,
                size,
            },
            &[g],
        )?)])
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
        Ok(to.slice(operands[0], self.axis, self.start, self.length))
    }
}

impl Operation for Place {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        match operands {
            [x] if self.axis < x.rank() && self.start + x.dim(self.axis) <= self.size => {
                Ok(x.with_dim(self.axis, self.size))
            }
            _ => Err(misfit(self, operands)),
        }
    }

    fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], _: Shape, output: &mut [T]) {
        let (_, length, inner) = around(operands[0].shape, self.axis);
        let rows = output
            .chunks_exact_mut((self.size * inner).max(1))
            .zip(operands[0].data.chunks_exact((length * inner).max(1)));
        rows.for_each(|(y, x)| {
            y[self.start * inner..(self.start + length) * inner].copy_from_slice(x)
        });
    }

    fn vjp(&self, graph: &mut Graph, at: Applied<'_>, g: Value) -> Result<Vec<Option<Value>>> {
        let length = at.operands[0].shape().dim(self.axis);
        Ok(vec![Some(graph.apply(
            Slice {
                axis: self.axis,
                start: self.start,
                length,
            },
            &[g],
        )?)])
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
        Ok(to.place(operands[0], self.axis, self.start, self.size))
    }
}
