//! Products of matrices.

mod few_rows;
mod many_rows;
mod one_row;

use std::fmt;

use xdnn_ir::Shape;

use super::super::gemm::{Matrix, MatrixMut, gemm};
use super::super::parallel::{Threads, jobs_on};
use super::weight::Weight;
use super::{Kernel, Needs, Operands, Scratch};
use crate::error::{Result, invalid};
use crate::ops::{self, Blocks, Sizes};

use few_rows::FewRows;
use many_rows::ManyRows;
use one_row::OneRow;

/// Up to this number of rows, a product with a weight is bound by the reading of the weight.
const FEW: usize = 16;

/// A weight of fewer numbers is left to `gemm`: few columns would leave most of a block of them empty.
const SMALL: usize = 1 << 12;

/// The kernel of a product. A weight that is `constant` is read in the layout that suits the number of rows.
pub(super) fn choose(
    op: ops::MatMul,
    a: Shape,
    b: Shape,
    constant: bool,
) -> Result<Box<dyn Kernel>> {
    let sizes = op.sizes(a, b);
    let sizes = sizes.ok_or_else(|| invalid(format!("no product of {a} and {b}")))?;
    let plain = sizes.batch == 1 && !op.transpose_a && sizes.k > 0;
    let [rows, columns] = match op.transpose_b {
        true => [sizes.n, sizes.k],
        false => [sizes.k, sizes.n],
    };
    let blocks = Blocks {
        groups: 1,
        rows,
        columns,
    };
    Ok(match sizes.m {
        1 if plain && (constant || !op.transpose_b) => Box::new(OneRow::new(op, sizes)),
        2..=FEW if plain && constant => Box::new(FewRows::new(op, sizes, blocks)),
        _ if plain && constant && sizes.m > 0 && sizes.k * sizes.n >= SMALL => {
            Box::new(ManyRows::new(op, sizes))
        }
        _ => Box::new(MatMul { op, sizes }),
    })
}

/// A batch of products `op(A)·op(B)`.
struct MatMul {
    op: ops::MatMul,
    sizes: Sizes,
}

impl MatMul {
    fn product(&self, [a, b]: [&[f32]; 2], c: &mut [f32], threads: Threads) -> Result<()> {
        let Sizes { m, k, n, .. } = self.sizes;
        let matrix = |data, transposed, rows, columns| match transposed {
            true => Matrix::rows(data, rows).transposed(),
            false => Matrix::rows(data, columns),
        };
        let a = matrix(a, self.op.transpose_a, m, k);
        let b = matrix(b, self.op.transpose_b, k, n);
        let target = MatrixMut {
            data: c,
            row: n,
            accumulate: false,
        };
        gemm([m, n, k], target, a, b, threads)
    }
}

impl Kernel for MatMul {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], _: Scratch<'_>) -> Result<()> {
        let (a, b) = (operands.read(0)?, operands.read(1)?);
        let Sizes { batch, m, k, n } = self.sizes;
        if m * n == 0 {
            return Ok(());
        }
        let factors = |i: usize| [&a[i * m * k..], &b[i * k * n..]];
        let work = m * n * k;
        let threads = Threads::for_work(batch * work);
        if threads == Threads::All && batch >= rayon::current_num_threads() {
            return jobs_on(threads, output, m * n, work, |i, c| {
                self.product(factors(i), c, Threads::One)
            });
        }
        for (i, c) in output.chunks_exact_mut(m * n).enumerate() {
            self.product(factors(i), c, threads)?;
        }
        Ok(())
    }
}

impl fmt::Display for MatMul {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self.op, self.sizes)
    }
}

/// `matmul A·Bᵀ 1×[2×12×5]`.
fn write(f: &mut fmt::Formatter<'_>, op: ops::MatMul, sizes: Sizes) -> fmt::Result {
    let Sizes { batch, m, k, n } = sizes;
    let transpose = |yes: bool| if yes { "ᵀ" } else { "" };
    let (a, b) = (transpose(op.transpose_a), transpose(op.transpose_b));
    write!(f, "matmul A{a}·B{b} {batch}×[{m}×{k}×{n}]")
}
