//! A sparse linear map along one axis: average pooling of every kind, interpolation, and what else acts on rows and
//! columns one after the other.

use std::fmt;
use std::sync::Arc;

use xdnn_ir::Shape;

use super::index::around;
use super::{Applied, Operation, Real, TensorView, linear_tangent, misfit};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::lowering::{Dense, Primitives};

/// A sparse matrix by rows: row `o` lists the inputs that output `o` reads, with their factors.
#[derive(Clone, PartialEq)]
pub struct SparseMap {
    inputs: usize,
    rows: Vec<Vec<(usize, f64)>>,
}

/// `y[…, o, …] = Σᵢ M[o, i] · x[…, i, …]` along an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct AxisMap {
    /// The axis.
    pub axis: usize,
    /// The matrix `M`.
    pub map: Arc<SparseMap>,
}

impl SparseMap {
    /// A map from `inputs` elements, one row for each output; entries that name no input are left out.
    pub fn new(inputs: usize, rows: impl IntoIterator<Item = Vec<(usize, f64)>>) -> Self {
        let valid = |row: Vec<(usize, f64)>| row.into_iter().filter(|(i, _)| *i < inputs).collect();
        Self {
            inputs,
            rows: rows.into_iter().map(valid).collect(),
        }
    }

    /// The number of inputs.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The rows, one for each output.
    pub fn rows(&self) -> &[Vec<(usize, f64)>] {
        &self.rows
    }

    /// Whether it gives back what it is given.
    pub(crate) fn is_identity(&self) -> bool {
        let own = |(i, row): (usize, &Vec<(usize, f64)>)| row[..] == [(i, 1.0)];
        self.rows.len() == self.inputs && self.rows.iter().enumerate().all(own)
    }

    /// The transposed map.
    pub fn transposed(&self) -> Self {
        let mut rows = vec![Vec::new(); self.inputs];
        for (output, row) in self.rows.iter().enumerate() {
            for (input, factor) in row {
                rows[*input].push((output, *factor));
            }
        }
        Self {
            inputs: self.rows.len(),
            rows,
        }
    }
}

/// Its sizes alone: its factors would fill pages.
impl fmt::Debug for SparseMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let factors: usize = self.rows.iter().map(Vec::len).sum();
        write!(
            f,
            "{}×{} of {factors} factors",
            self.rows.len(),
            self.inputs
        )
    }
}

impl Operation for AxisMap {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        match operands {
            [x] if self.axis < x.rank() && x.dim(self.axis) == self.map.inputs => {
                Ok(x.with_dim(self.axis, self.map.rows.len()))
            }
            _ => Err(misfit(self, operands)),
        }
    }

    fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], shape: Shape, output: &mut [T]) {
        let (outer, inputs, inner) = around(operands[0].shape, self.axis);
        let outputs = shape.dim(self.axis);
        for block in 0..outer {
            for (o, row) in self.map.rows.iter().enumerate() {
                let y = &mut output[(block * outputs + o) * inner..][..inner];
                for (i, factor) in row {
                    let x = &operands[0].data[(block * inputs + i) * inner..][..inner];
                    y.iter_mut()
                        .zip(x)
                        .for_each(|(y, x)| *y = *y + T::of(*factor) * *x);
                }
            }
        }
    }

    fn vjp(&self, graph: &mut Graph, _: Applied<'_>, g: Value) -> Result<Vec<Option<Value>>> {
        let transposed = Self {
            axis: self.axis,
            map: Arc::new(self.map.transposed()),
        };
        Ok(vec![Some(graph.apply(transposed, &[g])?)]) // d(Mx) = M dx
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
        let (inputs, rows) = (self.map.inputs, &self.map.rows);
        let matrix = || {
            let mut matrix = vec![0.0; inputs * rows.len()];
            for (o, row) in rows.iter().enumerate() {
                for (i, factor) in row {
                    matrix[o * inputs + i] += *factor as f32;
                }
            }
            matrix
        };
        Ok(to.along(operands[0], self.axis, rows.len(), matrix))
    }
}
