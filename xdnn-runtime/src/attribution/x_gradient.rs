//! X-Gradient: the closed form of Integrated Gradients for homogeneous networks.

use super::{Attribution, Batch, Target};
use crate::backend::Element;
use crate::graph::Task;
use crate::model::{Bindings, DynamicModel};
use crate::{Error, Inputs, Result};

/// `x · ∂F_target/∂x / k` in one forward and one backward pass.
pub(crate) fn x_gradient<T: Element>(
    model: &DynamicModel<T>,
    inputs: &Inputs<'_, T>,
    target: Target<'_>,
) -> Result<Attribution<T>> {
    if !model.spec().degree().is_positive() {
        return Err(Error::Degree {
            degree: model.spec().degree(),
        });
    }
    let batch = Batch::new(model.spec(), inputs, target)?;
    let slices: Vec<&[T]> = batch.inputs.iter().map(AsRef::as_ref).collect();
    let bindings = Bindings {
        inputs: &slices,
        targets: &batch.targets,
        masks: &[],
    };
    let results = model.run(Task::Attribute, batch.size, &bindings)?;
    Attribution::new(model.spec(), batch.size, &batch.targets, results)
}

impl<T: Element> DynamicModel<T> {
    /// The X-Gradient of each sample; see [`Model::attribute`](crate::Model::attribute).
    ///
    /// # Errors
    ///
    /// Those of [`Inputs::check`] and of [`Target`], and [`Error::Degree`] for a network whose degree is not above 0.
    pub fn attribute<'a>(
        &self,
        inputs: impl Into<Inputs<'a, T>>,
        target: impl Into<Target<'a>>,
    ) -> Result<Attribution<T>> {
        x_gradient(self, &inputs.into(), target.into())
    }
}
