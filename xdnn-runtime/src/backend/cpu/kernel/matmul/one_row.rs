//! One row times a matrix: as much work as there is to read.

use std::fmt;

use super::super::super::parallel::{Threads, chunks_on};
use super::super::super::simd::vectorised;
use super::{Kernel, Operands, Result, Scratch, Sizes, ops};
use crate::ops::Layout;

/// How many columns a job takes at least, and at most: so many that rows are read in long pieces, and the sums stay in the first
/// cache.
const COLUMNS: [usize; 2] = [1024, 4096];

/// `c = Σ aᵢ·bᵢ` of the rows of `B`.
///
/// Rows whose factor is 0 are not read: a ReLU makes many of them, and the choice of one output all but one. So the product of 0
/// and what is no finite number, which has overflowed before, is 0.
pub(super) struct OneRow {
    op: ops::MatMul,
    sizes: Sizes,
}

impl OneRow {
    pub(super) fn new(op: ops::MatMul, sizes: Sizes) -> Self {
        Self { op, sizes }
    }
}

impl Kernel for OneRow {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], _: Scratch<'_>) -> Result<()> {
        let (a, b) = (operands.read(0)?, operands.read(1)?);
        let Sizes { k, n, .. } = self.sizes;
        let threads = Threads::for_work(k * n);
        let columns = threads.share(n).next_multiple_of(16);
        let columns = columns.clamp(COLUMNS[0], COLUMNS[1]);
        chunks_on(threads, output, columns, columns * k, |i, c| {
            let rows = b[i * columns..].chunks(n);
            vectorised(|| combine(c, a.iter().zip(rows)));
        });
        Ok(())
    }

    /// A constant weight is read row by row, whichever way it is stored.
    fn layout(&self) -> Option<Layout> {
        let Sizes { k, n, .. } = self.sizes;
        self.op.transpose_b.then_some(Layout::Transposed([n, k]))
    }
}

/// `c = Σ aᵢ·bᵢ` of rows that begin with as many elements as `c` has.
#[inline(always)]
fn combine<'a>(c: &mut [f32], rows: impl Iterator<Item = (&'a f32, &'a [f32])>) {
    c.fill(0.0);
    let mut rest = rows.filter(|(a, _)| **a != 0.0);
    while let Some((a0, b0)) = rest.next() {
        let three = [rest.next(), rest.next(), rest.next()];
        if let [Some((a1, b1)), Some((a2, b2)), Some((a3, b3))] = three {
            let [b0, b1, b2, b3] = [b0, b1, b2, b3].map(|b| &b[..c.len()]);
            for (i, c) in c.iter_mut().enumerate() {
                *c += a0 * b0[i] + a1 * b1[i] + (a2 * b2[i] + a3 * b3[i]);
            }
        } else {
            add(c, *a0, b0);
            for (a, b) in three.into_iter().flatten() {
                add(c, *a, b);
            }
        }
    }
}

#[inline(always)]
fn add(c: &mut [f32], a: f32, b: &[f32]) {
    c.iter_mut().zip(b).for_each(|(c, b)| *c += a * b);
}

impl fmt::Display for OneRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::write(f, self.op, self.sizes)?;
        f.write_str(", row by row")
    }
}
