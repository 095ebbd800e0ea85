//! The classes of samples, and of their positions.

use xdnn_ir::NetworkSpec;

use super::Loss;
use crate::attribution::number;
use crate::ops::argmax;
use crate::{Error, Result};

/// How the outputs of a network stand for classes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Classes {
    /// How many classes there are.
    pub count: usize,
    /// The number of positions of an output `[classes, …]`: 1 for `[classes]`.
    pub positions: usize,
    loss: Loss,
}

impl Classes {
    pub(super) fn of(spec: &NetworkSpec, loss: Loss) -> Self {
        let output = spec.output_shape();
        let logits = output.dim(0);
        Self {
            count: match loss {
                Loss::CrossEntropy => logits,
                Loss::BinaryCrossEntropy => 2,
            },
            positions: output.elements() / logits.max(1),
            loss,
        }
    }

    /// The classes as the graph reads them: one for each position of each sample.
    pub(super) fn targets(self, batch: usize, classes: &[usize]) -> Result<Vec<f32>> {
        let expected = batch * self.positions;
        if classes.len() != expected && expected == batch {
            let found = classes.len();
            return Err(Error::TargetCount { batch, found });
        }
        if classes.len() != expected {
            let each = "one for each position of each sample";
            return Err(Error::option("classes", each, classes.len()));
        }
        let target = |class: &usize| match *class < self.count {
            true => number(*class),
            false => Err(Error::ClassOutOfRange {
                class: *class,
                classes: self.count,
            }),
        };
        classes.iter().map(target).collect()
    }

    /// How many of `classes` are those that the outputs of a batch predict.
    pub(super) fn correct(self, batch: usize, outputs: &[f32], classes: &[usize]) -> usize {
        let samples = outputs.chunks_exact((outputs.len() / batch.max(1)).max(1));
        let predicted = samples.flat_map(|logits| {
            (0..self.positions).map(move |position| {
                let row = logits.iter().skip(position).step_by(self.positions);
                self.predicted(&row.copied().collect::<Vec<_>>())
            })
        });
        let pairs = predicted.zip(classes);
        pairs
            .filter(|(predicted, class)| predicted == *class)
            .count()
    }

    fn predicted(self, logits: &[f32]) -> usize {
        match self.loss {
            Loss::CrossEntropy => argmax(logits),
            Loss::BinaryCrossEntropy => usize::from(logits.first().is_some_and(|z| *z > 0.0)),
        }
    }
}
