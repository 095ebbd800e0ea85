//! The choice of the largest elements of each row.

use std::fmt;

use xdnn_ir::Shape;

use super::super::parallel::{Threads, lanes_on};
use super::{Kernel, Needs, Operands, Scratch};
use crate::error::Result;
use crate::ops;

/// 1 at the largest elements of each row.
pub(super) struct Largest {
    op: ops::Largest,
    row: usize,
}

impl Largest {
    pub(super) fn new(op: ops::Largest, x: Shape) -> Self {
        let row = x.dim(x.rank().saturating_sub(1));
        Self { op, row }
    }
}

impl Kernel for Largest {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], scratch: Scratch<'_>) -> Result<()> {
        let (x, size) = (operands.read(0)?, self.row);
        let threads = Threads::for_work(4 * output.len());
        lanes_on(threads, output, size, scratch, |i, marks, order| {
            let row = &x[i * size..][..size];
            self.op.mark(row, &mut order[..size], marks);
            Ok(())
        })
    }

    fn needs(&self) -> Needs {
        Needs {
            shared: 0,
            lane: self.row,
        }
    }
}

impl fmt::Display for Largest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "largest {} of {}", self.op.count, self.row)
    }
}
