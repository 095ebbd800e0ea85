//! Signs as bits.

use std::fmt;

use super::super::parallel::{GRAIN, chunks};
use super::super::simd::vectorised;
use super::{Kernel, Operands, Scratch};
use crate::error::Result;
use crate::ops::WORD;

/// A bit for each element: whether it is positive.
pub(super) struct Signs;

impl Kernel for Signs {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], _: Scratch<'_>) -> Result<()> {
        let x = operands.read(0)?;
        let size = GRAIN / WORD;
        chunks(output, size, GRAIN, |i, words| {
            vectorised(|| {
                let (whole, rest) = x[i * GRAIN..].as_chunks::<WORD>();
                let count = whole.len().min(words.len());
                let (most, last) = words.split_at_mut(count);
                for (word, x) in most.iter_mut().zip(whole) {
                    let bits = x.iter().enumerate();
                    let bits = bits.fold(0, |bits, (i, x)| bits | u32::from(*x > 0.0) << i);
                    *word = f32::from_bits(bits);
                }
                if let Some(word) = last.first_mut() {
                    let bits = rest.iter().enumerate();
                    let bits = bits.fold(0, |bits, (i, x)| bits | u32::from(*x > 0.0) << i);
                    *word = f32::from_bits(bits);
                }
            });
        });
        Ok(())
    }
}

impl fmt::Display for Signs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("signs")
    }
}
