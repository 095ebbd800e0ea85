//! The choice of one output of each sample.

use std::fmt;

use num_traits::ToPrimitive;
use xdnn_ir::Shape;

use super::{Kernel, Operands, Scratch};
use crate::error::Result;
use crate::ops::argmax;

/// 1 at the target of each sample; a negative target stands for the largest score.
pub(super) struct OneHot {
    classes: usize,
}

impl OneHot {
    pub(super) fn new(scores: Shape) -> Self {
        Self {
            classes: scores.dim(1),
        }
    }
}

impl Kernel for OneHot {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], _: Scratch<'_>) -> Result<()> {
        let (scores, targets) = (operands.read(0)?, operands.read(1)?);
        let classes = self.classes.max(1);
        output.fill(0.0);
        let rows = output
            .chunks_exact_mut(classes)
            .zip(scores.chunks_exact(classes));
        for ((row, scores), target) in rows.zip(targets) {
            let class = target.to_usize().unwrap_or_else(|| argmax(scores));
            if let Some(element) = row.get_mut(class) {
                *element = 1.0;
            }
        }
        Ok(())
    }
}

impl fmt::Display for OneHot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one-hot of {}", self.classes)
    }
}
