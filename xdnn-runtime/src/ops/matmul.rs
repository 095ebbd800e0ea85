//! Products of matrices.

use xdnn_ir::Shape;

use super::{Applied, Operation, Real, TensorView, bilinear_tangent, misfit};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::lowering::{Dense, Primitives};

/// `op(A)·op(B)` of the last two axes, where `op` transposes or not; the axes before them are a batch and agree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MatMul {
    /// Whether `A` is stored as `[…, k, m]`, not `[…, m, k]`.
    pub transpose_a: bool,
    /// Whether `B` is stored as `[…, n, k]`, not `[…, k, n]`.
    pub transpose_b: bool,
}

/// The sizes of a product: `batch` products of `m×k` and `k×n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub batch: usize,
    pub m: usize,
    pub k: usize,
    pub n: usize,
}

impl MatMul {
    const fn new(transpose_a: bool, transpose_b: bool) -> Self {
        Self {
            transpose_a,
            transpose_b,
        }
    }

    pub(crate) fn sizes(&self, a: Shape, b: Shape) -> Option<Sizes> {
        let rank = a.rank();
        if rank < 2 || rank != b.rank() || a.dims()[..rank - 2] != b.dims()[..rank - 2] {
            return None;
        }
        let last = |shape: Shape, swap: bool| {
            let (rows, columns) = (shape.dim(rank - 2), shape.dim(rank - 1));
            if swap {
                (columns, rows)
            } else {
                (rows, columns)
            }
        };
        let ((m, k), (k_too, n)) = (last(a, self.transpose_a), last(b, self.transpose_b));
        let batch = a.dims()[..rank - 2].iter().product();
        (k == k_too).then_some(Sizes { batch, m, k, n })
    }

    /// The products that give the cotangents of `A` and `B` from `g`.
    fn adjoints(&self, graph: &mut Graph, a: Value, b: Value, g: Value) -> Result<[Value; 2]> {
        Ok(match (self.transpose_a, self.transpose_b) {
            (false, false) => [
                graph.apply(Self::new(false, true), &[g, b])?,
                graph.apply(Self::new(true, false), &[a, g])?,
            ], // C = AB:   dA = g Bᵀ,  dB = Aᵀ g
            (false, true) => [
                graph.apply(Self::new(false, false), &[g, b])?,
                graph.apply(Self::new(true, false), &[g, a])?,
            ], // C = ABᵀ:  dA = g B,   dB = gᵀ A
            (true, false) => [
                graph.apply(Self::new(false, true), &[b, g])?,
                graph.apply(Self::new(false, false), &[a, g])?,
            ], // C = AᵀB:  dA = B gᵀ,  dB = A g
            (true, true) => [
                graph.apply(Self::new(true, true), &[b, g])?,
                graph.apply(Self::new(true, true), &[g, a])?,
            ], //    C = AᵀBᵀ: dA = Bᵀ gᵀ, dB = gᵀ Aᵀ
        })
    }
}

impl Operation for MatMul {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        let [a, b] = operands else {
            return Err(misfit(self, operands));
        };
        let sizes = self.sizes(*a, *b).ok_or_else(|| misfit(self, operands))?;
        Ok(a.with_dim(a.rank() - 2, sizes.m)
            .with_dim(a.rank() - 1, sizes.n))
    }

    fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], _: Shape, output: &mut [T]) {
        let Some(Sizes { batch, m, k, n }) = self.sizes(operands[0].shape, operands[1].shape)
        else {
            return;
        };
        let (row_a, column_a) = if self.transpose_a { (1, m) } else { (k, 1) };
        let (row_b, column_b) = if self.transpose_b { (1, k) } else { (n, 1) };
        for i in 0..batch {
            let (a, b) = (
                &operands[0].data[i * m * k..],
                &operands[1].data[i * k * n..],
            );
            for (row, c) in output[i * m * n..][..m * n]
                .chunks_exact_mut(n.max(1))
                .enumerate()
            {
                for l in 0..k {
                    let factor = a[row * row_a + l * column_a];
                    c.iter_mut()
                        .enumerate()
                        .for_each(|(j, c)| *c = *c + factor * b[l * row_b + j * column_b]);
                }
            }
        }
    }

    fn vjp(&self, graph: &mut Graph, at: Applied<'_>, g: Value) -> Result<Vec<Option<Value>>> {
        Ok(self
            .adjoints(graph, at.operands[0], at.operands[1], g)?
            .map(Some)
            .to_vec())
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Applied<'_>,
        tangents: &[Option<Value>],
    ) -> Result<Option<Value>> {
        bilinear_tangent(self, graph, at, tangents)
    }

    fn lower(&self, to: &mut Primitives<'_>, operands: &[Dense], shape: Shape) -> Result<Dense> {
        let [a, b] = [operands[0], operands[1]];
        let shapes = [a.shape(), b.shape()];
        let sizes = self.sizes(shapes[0], shapes[1]);
        let sizes = sizes.ok_or_else(|| misfit(self, &shapes))?;
        let product = to.product((a, self.transpose_a), (b, self.transpose_b), sizes);
        Ok(product.with_shape(shape))
    }
}
