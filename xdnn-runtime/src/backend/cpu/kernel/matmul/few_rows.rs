//! A few rows times a weight: bound by the reading of the weight, which is read once, in order.

use std::fmt;

use super::super::super::parallel::{Threads, chunks_on};
use super::super::super::product::Packing;
use super::{Kernel, Needs, Operands, Result, Scratch, Sizes, Weight, ops};
use crate::ops::{Blocks, Layout, SIDE};

/// `Cᵀ = W·Aᵀ` or `Wᵀ·Aᵀ` with the weight in blocks.
pub(super) struct FewRows {
    op: ops::MatMul,
    sizes: Sizes,
    weight: Weight,
}

impl FewRows {
    pub(super) fn new(op: ops::MatMul, sizes: Sizes, blocks: Blocks) -> Self {
        let weight = Weight {
            blocks,
            ready: true,
        };
        Self { op, sizes, weight }
    }

    fn packing(&self) -> Packing {
        Packing::new(self.sizes.k, self.sizes.m)
    }
}

impl Kernel for FewRows {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], scratch: Scratch<'_>) -> Result<()> {
        let Sizes { m, k, n, .. } = self.sizes;
        let (a, packing) = (operands.read(0)?, self.packing());
        let blocks = self.weight.read(operands, &mut [])?;
        let (packed, turned) = scratch.shared.split_at_mut(packing.size());
        let threads = Threads::for_work(m * n * k);
        packing.pack(packed, threads, |row, columns, numbers| {
            for (at, column) in numbers.iter_mut().zip(columns) {
                *at = if column < m { a[column * k + row] } else { 0.0 };
            }
        });
        let (packed, width) = (&*packed, packing.panels.width());
        let share = threads.share(n).next_multiple_of(SIDE);
        let turned = &mut turned[..n * width];
        chunks_on(threads, turned, share * width, share * width * k, |i, c| {
            let rows = c.len() / width;
            let left = match self.op.transpose_b {
                true => self.weight.rows(blocks, 0, i * share, rows),
                false => self.weight.columns(blocks, 0, i * share, rows),
            };
            packing.multiply_all(left, packed, c);
        });
        let turned = &*turned;
        chunks_on(threads, output, n, 2 * n, |i, row| {
            let column = turned.iter().skip(i).step_by(width);
            row.iter_mut()
                .zip(column)
                .for_each(|(c, turned)| *c = *turned);
        });
        Ok(())
    }

    fn needs(&self) -> Needs {
        Needs {
            shared: self.packing().size() + self.packing().panels.width() * self.sizes.n,
            lane: 0,
        }
    }

    fn layout(&self) -> Option<Layout> {
        self.weight.layout()
    }
}

impl fmt::Display for FewRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::write(f, self.op, self.sizes)?;
        f.write_str(" by blocks")
    }
}
