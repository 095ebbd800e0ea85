//! Results that are put together from contiguous blocks: concatenations, and values placed among zeros.

use std::fmt;

use xdnn_ir::Shape;

use super::super::parallel::chunks;
use super::{Kernel, Operands, Scratch};
use crate::error::Result;
use crate::ops::{self, around};

/// Each row of the result: zeros, a row of each operand one after the other, zeros.
pub(super) struct Blocks {
    name: &'static str,
    /// The zeros in front.
    before: usize,
    /// The length of the operands' rows.
    parts: Vec<usize>,
    /// The length of the result's rows.
    row: usize,
}

impl Blocks {
    pub(super) fn concat(op: ops::Concat, operands: &[Shape]) -> Self {
        let length = |shape: &Shape| {
            let (_, size, inner) = around(*shape, op.axis);
            size * inner
        };
        let parts: Vec<usize> = operands.iter().map(length).collect();
        Self {
            name: "concat",
            before: 0,
            row: parts.iter().sum(),
            parts,
        }
    }

    pub(super) fn place(op: ops::Place, x: Shape) -> Self {
        let (_, size, inner) = around(x, op.axis);
        Self {
            name: "place",
            before: op.start * inner,
            parts: vec![size * inner],
            row: op.size * inner,
        }
    }
}

impl Kernel for Blocks {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], _: Scratch<'_>) -> Result<()> {
        for i in 0..operands.len() {
            operands.read(i)?;
        }
        chunks(output, self.row, self.row, |row, y| {
            let (zeros, mut rest) = y.split_at_mut(self.before);
            zeros.fill(0.0);
            for (i, length) in self.parts.iter().enumerate() {
                let (part, after) = rest.split_at_mut(*length);
                if let Ok(x) = operands.read(i) {
                    part.copy_from_slice(&x[row * length..(row + 1) * length]);
                }
                rest = after;
            }
            rest.fill(0.0);
        });
        Ok(())
    }
}

impl fmt::Display for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} of {}", self.name, self.parts, self.row)
    }
}
