//! The output that an attribution explains.

use xdnn_ir::NetworkSpec;

use crate::backend::Element;
use crate::ops::argmax;
use crate::{Error, Result};

/// The output of each sample that an attribution explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Target<'a> {
    /// The largest output, the first of several.
    Predicted,
    /// The same class for every sample; the output must be a vector of classes.
    Class(usize),
    /// A class for each sample; the output must be a vector of classes.
    Classes(&'a [usize]),
    /// The same element of the output for every sample, by its index, such as `&[channel, row, column]`.
    Output(&'a [usize]),
}

impl<'a> From<&Target<'a>> for Target<'a> {
    fn from(target: &Target<'a>) -> Self {
        *target
    }
}

impl Target<'_> {
    /// The index of each sample's target in its flattened output, −1 where it is the largest one.
    pub(crate) fn resolve<T: Element>(self, spec: &NetworkSpec, batch: usize) -> Result<Vec<T>> {
        let output = spec.output_shape();
        let class = |class: usize| match output.dims() {
            [classes] if class < *classes => number(class),
            [classes] => Err(Error::ClassOutOfRange {
                class,
                classes: *classes,
            }),
            _ => Err(Error::NotClasses { output }),
        };
        match self {
            Self::Predicted => Ok(vec![-T::one(); batch]),
            Self::Class(target) => Ok(vec![class(target)?; batch]),
            Self::Classes(targets) if targets.len() != batch => Err(Error::TargetCount {
                batch,
                found: targets.len(),
            }),
            Self::Classes(targets) => targets.iter().map(|target| class(*target)).collect(),
            Self::Output(index) => {
                let dims = output.dims();
                if index.len() != dims.len() || index.iter().zip(dims).any(|(i, dim)| i >= dim) {
                    return Err(Error::OutputIndex {
                        index: index.to_vec(),
                        output,
                    });
                }
                let flat = index
                    .iter()
                    .zip(dims)
                    .fold(0, |flat, (i, dim)| flat * dim + i);
                Ok(vec![number(flat)?; batch])
            }
        }
    }
}

/// An index as the graph reads it, which an `f32` holds exactly up to 2²⁴ only.
pub(crate) fn number<T: Element>(index: usize) -> Result<T> {
    let number = T::of(index as f64);
    if number.to_usize() == Some(index) {
        return Ok(number);
    }
    Err(Error::option(
        "target",
        "an output that the type of the numbers can count to, such as 2^24 in `f32`",
        index,
    ))
}

/// The target of each sample as an index, and the output there.
pub(super) fn chosen<T: Element>(
    outputs: &[T],
    batch: usize,
    targets: &[T],
) -> (Vec<usize>, Vec<T>) {
    let samples = outputs
        .chunks_exact((outputs.len() / batch.max(1)).max(1))
        .zip(targets);
    samples
        .map(|(scores, target)| {
            let index = target.to_usize().unwrap_or_else(|| argmax(scores));
            (index, scores.get(index).copied().unwrap_or_else(T::nan))
        })
        .unzip()
}
