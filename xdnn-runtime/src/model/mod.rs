//! Networks on devices, ready to run.

mod dynamic;
#[cfg(feature = "cuda")]
mod resident;

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

pub use dynamic::DynamicModel;
pub(crate) use dynamic::{Bindings, array};

use crate::backend::Element;
use crate::{Device, Network, Precision, Result};

/// A declared network on a device: [`forward`](DynamicModel::forward), [`attribute`](DynamicModel::attribute),
/// [`integrated_gradients`](DynamicModel::integrated_gradients).
///
/// It keeps the weights as they are when it is made, and shares them with the network in `f32`: whoever changes them there later
/// changes a copy. Threads may share a model: all methods take `&self`.
pub struct Model<N, T: Element = f32> {
    dynamic: DynamicModel<T>,
    network: PhantomData<fn() -> N>,
}

impl<N: Network, T: Element> Model<N, T> {
    /// Puts a network on a device.
    pub(crate) fn new(network: &N, device: Device) -> Result<Self> {
        let mut weights = Vec::new();
        network.visit(&mut |weight| weights.push(T::of_single(weight.into_shared())));
        Ok(Self {
            dynamic: DynamicModel::of_shared(N::SPEC.clone(), weights, device)?,
            network: PhantomData,
        })
    }
}

impl<N, T: Element> Model<N, T> {
    /// The same model, multiplying as exactly as this on devices that can choose.
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Self {
        Self {
            dynamic: self.dynamic.with_precision(precision),
            ..self
        }
    }
}

impl<N, T: Element> Deref for Model<N, T> {
    type Target = DynamicModel<T>;

    fn deref(&self) -> &Self::Target {
        &self.dynamic
    }
}

impl<N, T: Element> fmt::Debug for Model<N, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.dynamic.fmt(f)
    }
}
