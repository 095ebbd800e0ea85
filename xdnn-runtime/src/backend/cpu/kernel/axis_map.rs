//! Sparse linear maps along one axis.

use std::fmt;

use xdnn_ir::Shape;

use super::super::parallel::{GRAIN, chunks};
use super::{Kernel, Operands, Scratch};
use crate::error::Result;
use crate::ops::{self, around};

/// An entry of the matrix.
#[derive(Clone, Copy)]
struct Entry {
    input: usize,
    factor: f32,
}

/// A sparse matrix along an axis that has `inner` elements inside of each of its own.
pub(super) struct AxisMap {
    inputs: usize,
    inner: usize,
    /// The end of each row in `entries`.
    ends: Vec<usize>,
    entries: Vec<Entry>,
}

impl AxisMap {
    pub(super) fn new(op: &ops::AxisMap, x: Shape) -> Self {
        let (_, inputs, inner) = around(x, op.axis);
        let mut entries = Vec::new();
        let mut ends = Vec::new();
        for row in op.map.rows() {
            entries.extend(row.iter().map(|(input, factor)| Entry {
                input: *input,
                factor: *factor as f32,
            }));
            ends.push(entries.len());
        }
        Self {
            inputs,
            inner,
            ends,
            entries,
        }
    }

    /// The rows of the matrix.
    fn rows(&self) -> impl Iterator<Item = &[Entry]> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, end)| &self.entries[start..*end])
    }

    /// Maps one block of `inputs × inner` elements.
    fn block(&self, x: &[f32], y: &mut [f32]) {
        for (row, y) in self.rows().zip(y.chunks_exact_mut(self.inner)) {
            match row.split_first() {
                None => y.fill(0.0),
                Some((first, rest)) => {
                    let line = |entry: &Entry| &x[entry.input * self.inner..][..self.inner];
                    let (factor, x) = (first.factor, line(first));
                    y.iter_mut().zip(x).for_each(|(y, x)| *y = factor * x);
                    for entry in rest {
                        let (factor, x) = (entry.factor, line(entry));
                        y.iter_mut().zip(x).for_each(|(y, x)| *y += factor * x);
                    }
                }
            }
        }
    }

    /// Maps one line of `inputs` elements.
    fn line(&self, x: &[f32], y: &mut [f32]) {
        let mut start = 0;
        for (y, end) in y.iter_mut().zip(&self.ends) {
            let mut sum = 0.0;
            for entry in &self.entries[start..*end] {
                sum += entry.factor * x[entry.input];
            }
            *y = sum;
            start = *end;
        }
    }
}

impl Kernel for AxisMap {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], _: Scratch<'_>) -> Result<()> {
        let x = operands.read(0)?;
        let (size, block) = (self.ends.len() * self.inner, self.inputs * self.inner);
        if size == 0 {
            return Ok(());
        }
        let work = self.entries.len() * self.inner + size;
        let blocks = (GRAIN / work).max(1);
        chunks(output, blocks * size, blocks * work, |i, y| {
            for (j, y) in y.chunks_exact_mut(size).enumerate() {
                let x = &x[(i * blocks + j) * block..][..block];
                if self.inner == 1 {
                    self.line(x, y);
                } else {
                    self.block(x, y);
                }
            }
        });
        Ok(())
    }
}

impl fmt::Display for AxisMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "axis-map {}→{} ({} entries) ×{}",
            self.inputs,
            self.ends.len(),
            self.entries.len(),
            self.inner
        )
    }
}
