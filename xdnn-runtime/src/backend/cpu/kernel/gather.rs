//! Copies whose source is strided: broadcasts, permutations and slices.

use std::fmt;

use xdnn_ir::{MAX_RANK, Shape};

use super::super::parallel::{GRAIN, chunks};
use super::{Kernel, Operands, Scratch};
use crate::error::Result;
use crate::ops::{self, strides};

/// An axis of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Axis {
    size: usize,
    /// The distance in the operand; 0 repeats it.
    stride: usize,
}

/// `y[i, j, …] = x[start + i·strideᵢ + j·strideⱼ + …]`.
pub(super) struct Gather {
    name: &'static str,
    start: usize,
    /// All axes but the innermost.
    outer: Vec<Axis>,
    inner: Axis,
}

impl Gather {
    pub(super) fn broadcast(op: ops::Broadcast) -> Self {
        Self::new("broadcast", 0, op.shape, op.axes.strides_without(op.shape))
    }

    pub(super) fn permute(op: &ops::Permute, x: Shape) -> Self {
        let mut shape = x;
        for (i, axis) in op.axes.iter().enumerate() {
            shape = shape.with_dim(i, x.dim(*axis));
        }
        Self::new("permute", 0, shape, op.strides(x))
    }

    pub(super) fn slice(op: ops::Slice, x: Shape) -> Self {
        let strides = strides(x);
        let shape = x.with_dim(op.axis, op.length);
        Self::new("slice", op.start * strides[op.axis], shape, strides)
    }

    fn new(name: &'static str, start: usize, shape: Shape, strides: [usize; MAX_RANK]) -> Self {
        let mut axes: Vec<Axis> = Vec::new();
        for (size, stride) in shape.dims().iter().copied().zip(strides) {
            if size == 1 {
                continue;
            }
            match axes.last_mut() {
                Some(last) if last.stride == stride * size => {
                    *last = Axis {
                        size: last.size * size,
                        stride,
                    }
                }
                _ => axes.push(Axis { size, stride }),
            }
        }
        let inner = axes.pop().unwrap_or(Axis { size: 1, stride: 1 });
        Self {
            name,
            start,
            outer: axes,
            inner,
        }
    }

    /// Calls `visit` with the offsets of the operand's rows, from row `first` of the result on, until it has enough.
    fn rows(&self, first: usize, mut visit: impl FnMut(usize) -> bool) {
        let mut index = [0; MAX_RANK];
        let (mut offset, mut rest) = (self.start, first);
        for (i, axis) in self.outer.iter().enumerate().rev() {
            index[i] = rest % axis.size.max(1);
            offset += index[i] * axis.stride;
            rest /= axis.size.max(1);
        }
        while visit(offset) {
            for (i, axis) in self.outer.iter().enumerate().rev() {
                index[i] += 1;
                offset += axis.stride;
                if index[i] < axis.size {
                    break;
                }
                offset -= axis.stride * axis.size;
                index[i] = 0;
            }
        }
    }
}

impl Kernel for Gather {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], _: Scratch<'_>) -> Result<()> {
        let x = operands.read(0)?;
        let Axis { size, stride } = self.inner;
        if size == 0 {
            return Ok(());
        }
        let rows = (GRAIN / size).max(1);
        chunks(output, rows * size, rows * size, |i, y| {
            let mut y = y.chunks_exact_mut(size);
            let mut next = y.next();
            self.rows(i * rows, |at| {
                let Some(row) = next.take() else { return false };
                match stride {
                    0 => row.fill(x[at]),
                    1 => row.copy_from_slice(&x[at..at + size]),
                    _ => row
                        .iter_mut()
                        .zip(x[at..].iter().step_by(stride))
                        .for_each(|(y, x)| *y = *x),
                }
                next = y.next();
                next.is_some()
            });
        });
        Ok(())
    }
}

impl fmt::Display for Gather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        for Axis { size, stride } in self.outer.iter().chain([&self.inner]) {
            write!(f, " {size}@{stride}")?;
        }
        Ok(())
    }
}
