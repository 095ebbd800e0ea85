//! Products of matrices.

use std::fmt;

use xdnn_ir::Shape;

use super::super::gemm::{Matrix, MatrixMut, gemm};
use super::super::parallel::{Threads, jobs_on};
use super::{Kernel, Operands, Scratch};
use crate::error::{Result, invalid};
use crate::ops::{self, Sizes};

/// How many columns a job computes of a product that has a single row.
const COLUMNS: usize = 64;

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

    /// One row: bound by the reading of `B`, which the threads share.
    fn row(&self, a: Matrix<'_>, b: Matrix<'_>, c: &mut [f32], threads: Threads) -> Result<()> {
        let work = COLUMNS * self.sizes.k;
        jobs_on(threads, c, COLUMNS, work, |i, c| {
            let b = Matrix {
                data: b.data.get(i * COLUMNS * b.column..).unwrap_or_default(),
                ..b
            };
            let size = [1, c.len(), self.sizes.k];
            let target = MatrixMut {
                row: c.len(),
                data: c,
                accumulate: false,
            };
            gemm(size, target, a, b, Threads::One)
        })
    }
}

impl Kernel for MatMul {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], _: Scratch<'_>) -> Result<()> {
        let (a, b) = (operands.read(0)?, operands.read(1)?);
        let Sizes { batch, m, k, n } = self.sizes;
        if m * n == 0 {
            return Ok(());
        }
        let product = |i: usize, c: &mut [f32], threads: Threads| {
            let (a, b) = (self.a(&a[i * m * k..]), self.b(&b[i * k * n..]));
            if m == 1 {
                return self.row(a, b, c, threads);
            }
            let target = MatrixMut {
                data: c,
                row: n,
                accumulate: false,
            };
            gemm([m, n, k], target, a, b, threads)
        };
        let work = m * n * k;
        let threads = Threads::for_work(batch * work);
        if threads == Threads::All && batch >= rayon::current_num_threads() {
            return jobs_on(threads, output, m * n, work, |i, c| {
                product(i, c, Threads::One)
            });
        }
        output
            .chunks_exact_mut(m * n)
            .enumerate()
            .try_for_each(|(i, c)| product(i, c, threads))
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
