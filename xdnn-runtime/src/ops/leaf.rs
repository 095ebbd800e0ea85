//! Operators without operands.

use xdnn_ir::Shape;

use super::{Applied, Layout, Operation, Real, TensorView, misfit};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::lowering::{Dense, Primitives};

/// A value that comes from outside when the graph runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Leaf {
    /// Input number `n` of the network, `(N, …shape)`.
    Input(usize),
    /// Weight number `n` of the network.
    Weight(usize),
    /// The class of each sample, `(N)`: an index of the flattened output, or −1 for the largest one; 0 or 1 where the output
    /// is the logit of class 1.
    Target,
    /// The mask of dropout number `n`: 0 or `1 / (1 − p)` for each element.
    DropoutMask(usize),
    /// The strength of the attribution prior, a scalar.
    PriorStrength,
    /// Weight number `n` in another layout than its own.
    LaidOut(usize, Layout),
    /// Tangent or cotangent number `n`, given from outside.
    Seed(usize),
}

/// The same number everywhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constant {
    /// The number.
    pub value: f64,
    /// The shape.
    pub shape: Shape,
}

impl Operation for Leaf {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        Err(misfit(self, operands)) // its shape is given, not found: see `Graph::leaf`
    }

    fn eval<T: Real>(&self, _: &[TensorView<'_, T>], _: Shape, _: &mut [T]) {}

    fn vjp(&self, _: &mut Graph, _: Applied<'_>, _: Value) -> Result<Vec<Option<Value>>> {
        Ok(vec![])
    }

    fn jvp(&self, _: &mut Graph, _: Applied<'_>, _: &[Option<Value>]) -> Result<Option<Value>> {
        Ok(None)
    }

    fn lower(&self, _: &mut Primitives<'_>, _: &[Dense], _: Shape) -> Result<Dense> {
        Err(misfit(self, &[])) // it is a leaf there, too: see `LowerToPrimitives`
    }
}

impl Operation for Constant {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        if operands.is_empty() {
            Ok(self.shape)
        } else {
            Err(misfit(self, operands))
        }
    }

    fn eval<T: Real>(&self, _: &[TensorView<'_, T>], _: Shape, output: &mut [T]) {
        output.fill(T::of(self.value));
    }

    fn vjp(&self, _: &mut Graph, _: Applied<'_>, _: Value) -> Result<Vec<Option<Value>>> {
        Ok(vec![])
    }

    fn jvp(&self, _: &mut Graph, _: Applied<'_>, _: &[Option<Value>]) -> Result<Option<Value>> {
        Ok(None)
    }

    fn lower(&self, to: &mut Primitives<'_>, _: &[Dense], shape: Shape) -> Result<Dense> {
        Ok(to.fill(self.value, shape))
    }
}
