//! Products of matrices.

use std::fmt;

use xdnn_ir::Shape;

use super::super::gemm::{Matrix, MatrixMut, gemm};
use super::super::parallel::{Threads, chunks_on, jobs_on};
use super::{Kernel, Needs, Operands, Scratch};
use crate::error::{Result, invalid};
use crate::ops::{self, Sizes};

/// Up to this number of rows, a product is bound by the reading of `B`, and packing it would not pay.
const FEW: usize = 16;
/// How many rows of `Bᵀ` a job reads, where they are contiguous.
const ROWS: usize = 64;
/// How many columns of `B` a job reads, where its rows are contiguous.
const COLUMNS: usize = 1024;
/// How many rows of `B` are read at a time, where they are contiguous: a page each.
const DEPTH: usize = 32;

/// A batch of products `op(A)·op(B)`.
pub(super) struct MatMul {
    op: ops::MatMul,
    sizes: Sizes,
}

impl MatMul {
    pub(super) fn new(op: ops::MatMul, a: Shape, b: Shape) -> Result<Self> {
        let sizes = op.sizes(a, b);
        let sizes = sizes.ok_or_else(|| invalid(format!("no product of {a} and {b}")))?;
        Ok(Self { op, sizes })
    }

    fn a<'a>(&self, data: &'a [f32]) -> Matrix<'a> {
        if self.op.transpose_a {
            Matrix::rows(data, self.sizes.m).transposed()
        } else {
            Matrix::rows(data, self.sizes.k)
        }
    }

    fn b<'a>(&self, data: &'a [f32]) -> Matrix<'a> {
        if self.op.transpose_b {
            Matrix::rows(data, self.sizes.k).transposed()
        } else {
            Matrix::rows(data, self.sizes.n)
        }
    }

    /// Whether the product is computed as `Cᵀ = Bᵀ·Aᵀ`, whose left factor has contiguous rows that need no packing.
    fn is_turned(&self) -> bool {
        self.op.transpose_b && self.sizes.m <= FEW
    }

    /// `C = (Bᵀ·Aᵀ)ᵀ`.
    fn turned(
        &self,
        a: Matrix<'_>,
        b: Matrix<'_>,
        c: &mut [f32],
        shared: &mut [f32],
        threads: Threads,
    ) -> Result<()> {
        let Sizes { m, k, n, .. } = self.sizes;
        let product = |i: usize, turned: &mut [f32]| {
            let rows = b.data.get(i * ROWS * k..).unwrap_or_default();
            let size = [turned.len() / m, m, k];
            let target = MatrixMut {
                data: turned,
                row: m,
                accumulate: false,
            };
            gemm(
                size,
                target,
                Matrix::rows(rows, k),
                a.transposed(),
                Threads::One,
            )
        };
        let work = ROWS * m * k;
        if m == 1 {
            return jobs_on(threads, c, ROWS, work, product);
        }
        let turned = &mut shared[..m * n];
        jobs_on(threads, turned, ROWS * m, work, product)?;
        for (i, row) in c.chunks_exact_mut(n).enumerate() {
            row.iter_mut()
                .zip(turned.iter().skip(i).step_by(m))
                .for_each(|(c, turned)| *c = *turned);
        }
        Ok(())
    }

    /// `C = A·B` where few rows of `A` meet long rows of `B`, some rows of `B` at a time.
    fn streamed(
        &self,
        a: Matrix<'_>,
        b: Matrix<'_>,
        c: &mut [f32],
        threads: Threads,
    ) -> Result<()> {
        let Sizes { m, k, n, .. } = self.sizes;
        if m == 1 {
            chunks_on(threads, c, COLUMNS, COLUMNS * k, |i, c| {
                let factors = a.data.iter().step_by(a.column).take(k);
                combined(c, factors, b.data[i * COLUMNS..].chunks(n));
            });
            return Ok(());
        }
        for start in (0..k).step_by(DEPTH) {
            let part = Matrix {
                data: a.data.get(start * a.column..).unwrap_or_default(),
                ..a
            };
            let rows = Matrix::rows(b.data.get(start * n..).unwrap_or_default(), n);
            let target = MatrixMut {
                data: &mut *c,
                row: n,
                accumulate: start > 0,
            };
            gemm([m, n, DEPTH.min(k - start)], target, part, rows, threads)?;
        }
        Ok(())
    }

    fn product(
        &self,
        [a, b]: [&[f32]; 2],
        c: &mut [f32],
        shared: &mut [f32],
        threads: Threads,
    ) -> Result<()> {
        let Sizes { m, k, n, .. } = self.sizes;
        let (a, b) = (self.a(a), self.b(b));
        if self.is_turned() {
            self.turned(a, b, c, shared, threads)
        } else if m <= FEW && k > 0 && n > COLUMNS && !self.op.transpose_b {
            self.streamed(a, b, c, threads)
        } else {
            let target = MatrixMut {
                data: c,
                row: n,
                accumulate: false,
            };
            gemm([m, n, k], target, a, b, threads)
        }
    }
}

/// `c = Σ aᵢ·bᵢ` of rows that begin with as many elements as `c` has. Rows whose factor is 0 are not read: a ReLU makes half of
/// them, and the choice of one output all but one. So the product of 0 and what is no finite number, which has overflowed
/// before, is 0.
fn combined<'a>(
    c: &mut [f32],
    factors: impl Iterator<Item = &'a f32>,
    rows: impl Iterator<Item = &'a [f32]>,
) {
    c.fill(0.0);
    let mut rest = factors.zip(rows).filter(|(a, _)| **a != 0.0);
    while let Some((a0, b0)) = rest.next() {
        let b0 = &b0[..c.len()];
        let three = [rest.next(), rest.next(), rest.next()];
        if let [Some((a1, b1)), Some((a2, b2)), Some((a3, b3))] = three {
            let [b1, b2, b3] = [b1, b2, b3].map(|b| &b[..c.len()]);
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

fn add(c: &mut [f32], a: f32, b: &[f32]) {
    c.iter_mut().zip(b).for_each(|(c, b)| *c += a * b);
}

impl Kernel for MatMul {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], scratch: Scratch<'_>) -> Result<()> {
        let (a, b) = (operands.read(0)?, operands.read(1)?);
        let Sizes { batch, m, k, n } = self.sizes;
        if m * n == 0 {
            return Ok(());
        }
        let factors = |i: usize| [&a[i * m * k..], &b[i * k * n..]];
        let work = m * n * k;
        let threads = Threads::for_work(batch * work);
        let alone = !self.is_turned() || m == 1;
        if threads == Threads::All && alone && batch >= rayon::current_num_threads() {
            return jobs_on(threads, output, m * n, work, |i, c| {
                self.product(factors(i), c, &mut [], Threads::One)
            });
        }
        for (i, c) in output.chunks_exact_mut(m * n).enumerate() {
            self.product(factors(i), c, &mut *scratch.shared, threads)?;
        }
        Ok(())
    }

    fn needs(&self) -> Needs {
        let turned = self.is_turned() && self.sizes.m > 1;
        Needs {
            shared: if turned {
                self.sizes.m * self.sizes.n
            } else {
                0
            },
            lane: 0,
        }
    }
}

impl fmt::Display for MatMul {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sizes { batch, m, k, n } = self.sizes;
        let transpose = |yes: bool| if yes { "ᵀ" } else { "" };
        let (a, b) = (
            transpose(self.op.transpose_a),
            transpose(self.op.transpose_b),
        );
        write!(f, "matmul A{a}·B{b} {batch}×[{m}×{k}×{n}]")
    }
}
