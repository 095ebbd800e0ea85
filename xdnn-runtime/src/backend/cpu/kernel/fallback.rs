//! The dialect's own evaluation, for operators that have no kernel yet.

use std::fmt;

use xdnn_ir::Shape;

use super::{Kernel, Operands, Scratch};
use crate::error::Result;
use crate::ops::{Op, TensorView};

/// Evaluates an operator as the reference backend does.
pub(super) struct Fallback {
    op: Op,
    operands: Vec<Shape>,
    shape: Shape,
}

impl Fallback {
    pub(super) fn new(op: &Op, operands: &[Shape], shape: Shape) -> Self {
        tracing::warn!(
            operator = op.name(),
            "the CPU has no kernel for it: evaluated as the reference does"
        );
        Self {
            op: op.clone(),
            operands: operands.to_vec(),
            shape,
        }
    }
}

impl Kernel for Fallback {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], _: Scratch<'_>) -> Result<()> {
        let view = |(i, shape): (usize, &Shape)| {
            let data = operands.read(i)?;
            Ok(TensorView {
                data,
                shape: *shape,
            })
        };
        let operands: Result<Vec<_>> = self.operands.iter().enumerate().map(view).collect();
        output.fill(0.0);
        self.op.eval(&operands?, self.shape, output);
        Ok(())
    }
}

impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fallback {}", self.op.name())
    }
}
