//! Copies.

use std::fmt;

use super::super::parallel::{Threads, jobs_on};
use super::{Kernel, Operands, Scratch};
use crate::error::Result;

/// How many elements are finished while they are in the first cache.
const CHUNK: usize = 1 << 12;

/// The operand itself, finished: what elementwise operators are.
pub(in super::super) struct Copy;

impl Kernel for Copy {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], _: Scratch<'_>) -> Result<()> {
        let x = operands.get(0)?;
        let work = operands.finish.work() + 1;
        let threads = Threads::for_work(output.len() * work);
        jobs_on(threads, output, CHUNK, CHUNK * work, |i, y| {
            if let Some(x) = x {
                y.copy_from_slice(&x[i * CHUNK..][..y.len()]);
            }
            operands.finish.apply(operands, i * CHUNK, y)
        })
    }

    fn finishes(&self) -> bool {
        true
    }

    fn in_place(&self) -> bool {
        true
    }
}

impl fmt::Display for Copy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("copy")
    }
}
