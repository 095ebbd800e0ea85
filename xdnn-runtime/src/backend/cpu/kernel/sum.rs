//! Sums over axes.

use std::fmt;

use xdnn_ir::Shape;

use super::super::parallel::chunks;
use super::{Kernel, Operands, Scratch};
use crate::error::Result;
use crate::ops;

/// How many columns a job sums at a time.
const COLUMNS: usize = 1024;
/// How many elements are summed in single precision before the sum goes on in double.
const BLOCK: usize = 1024;

/// Axes that are all summed over, or all kept.
#[derive(Clone, Copy)]
struct Group {
    size: usize,
    summed: bool,
}

/// The sum over axes, as three nested parts: `outer` rounds of `units` blocks, which fall to different parts of the
/// result, and groups of axes inside of each block.
pub(super) struct Sum {
    outer: usize,
    units: usize,
    groups: Vec<Group>,
    block: usize,
}

impl Sum {
    pub(super) fn new(sum: ops::Sum, x: Shape) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for axis in (0..x.rank()).filter(|axis| x.dim(*axis) != 1) {
            let (size, summed) = (x.dim(axis), sum.axes.contains(axis));
            match groups.last_mut() {
                Some(last) if last.summed == summed => last.size *= size,
                _ => groups.push(Group { size, summed }),
            }
        }
        let mut take = |summed: bool| match groups.first() {
            Some(first) if first.summed == summed => groups.remove(0).size,
            _ => 1,
        };
        let (outer, units) = (take(true), take(false));
        let block = groups.iter().map(|group| group.size).product();
        Self {
            outer,
            units,
            groups,
            block,
        }
    }
}

impl Kernel for Sum {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], _: Scratch<'_>) -> Result<()> {
        let x = operands.read(0)?;
        if self.groups.is_empty() && self.units > 1 {
            chunks(output, COLUMNS, COLUMNS * self.outer, |i, y| {
                y.fill(0.0);
                for row in x.chunks_exact(self.units) {
                    add(&row[i * COLUMNS..], y);
                }
            });
        } else if self.groups.is_empty() {
            output.iter_mut().for_each(|y| *y = total(x));
        } else {
            let size = output.len() / self.units.max(1);
            chunks(output, size, self.outer * self.block, |i, y| {
                y.fill(0.0);
                for round in 0..self.outer {
                    let at = (round * self.units + i) * self.block;
                    accumulate(&x[at..at + self.block], &self.groups, y);
                }
            });
        }
        Ok(())
    }
}

/// Adds the sum of a block over those groups that are summed over.
fn accumulate(x: &[f32], groups: &[Group], y: &mut [f32]) {
    match groups {
        [] => add(x, y),
        [Group { summed: true, .. }] => y.iter_mut().for_each(|y| *y += total(x)),
        [Group { summed: false, .. }] => add(x, y),
        [Group { summed: true, size }, rest @ ..] => x
            .chunks_exact((x.len() / size.max(&1)).max(1))
            .for_each(|x| accumulate(x, rest, y)),
        [
            Group {
                summed: false,
                size,
            },
            rest @ ..,
        ] => {
            let (inputs, outputs) = (x.len() / size.max(&1), y.len() / size.max(&1));
            x.chunks_exact(inputs.max(1))
                .zip(y.chunks_exact_mut(outputs.max(1)))
                .for_each(|(x, y)| accumulate(x, rest, y));
        }
    }
}

fn add(x: &[f32], y: &mut [f32]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += x);
}

/// The sum of a row: several partial sums side by side, in blocks whose sums add up in double precision.
fn total(x: &[f32]) -> f32 {
    let block = |x: &[f32]| {
        let (rows, rest) = x.as_chunks::<16>();
        let mut sums = [0.0_f32; 16];
        for row in rows {
            sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
        f64::from(sums.iter().sum::<f32>()) + f64::from(rest.iter().sum::<f32>())
    };
    x.chunks(BLOCK).map(block).sum::<f64>() as f32
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sum ")?;
        let outer = Group {
            size: self.outer,
            summed: true,
        };
        let units = Group {
            size: self.units,
            summed: false,
        };
        let groups = [outer, units]
            .into_iter()
            .chain(self.groups.iter().copied());
        let mut separator = "";
        for Group { size, summed } in groups.filter(|group| group.size != 1) {
            write!(f, "{separator}{}{size}", if summed { "Σ" } else { "" })?;
            separator = "×";
        }
        Ok(())
    }
}
