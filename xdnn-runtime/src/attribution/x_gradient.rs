//! X-Gradient: the closed form of Integrated Gradients for homogeneous networks.

use xdnn_ir::Degree;

use super::{Attribution, Batch, Target};
use crate::backend::Element;
use crate::graph::{Task, rules};
use crate::model::{Bindings, DynamicModel, Model};
use crate::{Inputs, Result, XNetwork};

impl<N, T: Element> Model<N, T> {
    /// The X-Gradient `A = x · ∂F_target(x)/∂x / k` of each sample, where `k` is the network's degree: exactly the
    /// Integrated Gradients from a zero baseline, in one forward and one backward pass.
    ///
    /// Hesse, Schaub-Meyer and Roth (NeurIPS 2021), Proposition 3.2.
    ///
    /// # Errors
    ///
    /// Those of [`Inputs::check`] and of [`Target`].
    pub fn attribute<'a>(
        &self,
        inputs: impl Into<Inputs<'a, T>>,
        target: impl Into<Target<'a>>,
    ) -> Result<Attribution<T>>
    where
        N: XNetwork, // here and not on the `impl`, where a missing proof would send the call on to `DynamicModel`
    {
        let _: Degree = N::DEGREE; // An implementation by hand without a degree does not compile.
        DynamicModel::attribute(self, inputs, target)
    }
}

impl<T: Element> DynamicModel<T> {
    /// The X-Gradient of each sample; see [`Model::attribute`].
    ///
    /// # Errors
    ///
    /// Those of [`Inputs::check`] and of [`Target`], [`NotHomogeneous`](crate::Error::NotHomogeneous) for a network that is
    /// not homogeneous, and [`Degree`](crate::Error::Degree) for one whose degree is not above 0.
    pub fn attribute<'a>(
        &self,
        inputs: impl Into<Inputs<'a, T>>,
        target: impl Into<Target<'a>>,
    ) -> Result<Attribution<T>> {
        rules::attributable_degree(self.spec())?;
        let batch = Batch::new(self.spec(), &inputs.into(), target.into())?;
        let slices: Vec<&[T]> = batch.inputs.iter().map(AsRef::as_ref).collect();
        let bindings = Bindings {
            inputs: &slices,
            targets: &batch.targets,
            ..Bindings::default()
        };
        let results = self.run(Task::Attribute, batch.size, &bindings)?;
        Attribution::new(self, batch.size, &batch.targets, results)
    }
}
