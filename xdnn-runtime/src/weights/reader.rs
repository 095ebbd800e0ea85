//! The way of weights into a network's fields.

use std::borrow::Cow;
use std::vec;

use ndarray::{ArrayD, Dimension};
use xdnn_ir::NetworkSpec;

use super::{Weight, WeightFault};
use crate::error::invalid;
use crate::{Error, Parameters, Result};

/// Hands out the weights of a network, one after the other in the order of its [`NetworkSpec`].
///
/// [`Parameters::read`] takes from it what a layer needs, so that a struct is filled field by field.
#[derive(Debug)]
pub struct WeightReader {
    weights: vec::IntoIter<(Cow<'static, str>, ArrayD<f32>)>,
    /// The name of the weight that was read last.
    last: Cow<'static, str>,
}

impl WeightReader {
    /// A reader of `arrays`, one for each weight of `spec` and in that order.
    ///
    /// # Errors
    ///
    /// [`Error::Weights`] with every array that is missing, not wanted or of another shape.
    pub fn new(spec: &NetworkSpec, arrays: Vec<ArrayD<f32>>) -> Result<Self> {
        let mut faults = Vec::new();
        let mut weights = Vec::with_capacity(arrays.len());
        let mut arrays = arrays.into_iter();
        for weight in spec.weights() {
            let (name, expected) = (weight.name.clone(), weight.shape.dims());
            match arrays.next() {
                Some(array) if array.shape() == expected => weights.push((name, array)),
                Some(array) => faults.push(WeightFault::Shape {
                    name,
                    expected: expected.to_vec(),
                    found: array.shape().to_vec(),
                }),
                None => faults.push(WeightFault::Missing {
                    name,
                    shape: expected.to_vec(),
                }),
            }
        }
        faults.extend(arrays.enumerate().map(|(i, array)| WeightFault::Extra {
            name: (spec.weights().len() + i).to_string(),
            shape: array.shape().to_vec(),
            meant: None,
        }));
        if faults.is_empty() {
            let weights = weights.into_iter();
            return Ok(Self {
                weights,
                last: "".into(),
            });
        }
        Err(Error::Weights {
            source_name: "the list of arrays".into(),
            faults,
        })
    }

    /// A reader of arrays that are known to fit.
    pub(crate) fn of(spec: &NetworkSpec, arrays: Vec<ArrayD<f32>>) -> Self {
        let names = spec.weights().iter().map(|weight| weight.name.clone());
        let weights: Vec<_> = names.zip(arrays).collect();
        Self {
            weights: weights.into_iter(),
            last: "".into(),
        }
    }

    /// The next weight, as a tensor of as many dimensions as `D` has.
    ///
    /// # Errors
    ///
    /// [`Error::Graph`] when there is none left or it has another number of dimensions: the reading type does not
    /// follow the network's `SPEC`.
    pub fn weight<D: Dimension>(&mut self) -> Result<Weight<D>> {
        let Some((name, array)) = self.weights.next() else {
            return Err(invalid("more weights are read than the network has"));
        };
        self.last = name.clone();
        let rank = array.ndim();
        match array.into_dimensionality() {
            Ok(array) => Ok(Weight::new(name, array)),
            Err(_) => Err(invalid(format!(
                "weight `{name}` has {rank} dimensions and is read as one with another number"
            ))),
        }
    }

    /// The weight of this name of the layer whose weight was read last, where that is the next one.
    ///
    /// # Errors
    ///
    /// Those of [`WeightReader::weight`].
    pub fn optional<D: Dimension>(&mut self, name: &str) -> Result<Option<Weight<D>>> {
        let layer = self.last.rsplit_once('.').map(|(path, _)| path);
        let next = self.weights.as_slice().first();
        let next = next.and_then(|(next, _)| next.rsplit_once('.'));
        match (layer, next) {
            (Some(layer), Some((path, last))) if layer == path && last == name => {
                self.weight().map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The next `len` items.
    ///
    /// # Errors
    ///
    /// Those of reading an item.
    pub fn list<T: Parameters>(&mut self, len: usize) -> Result<Vec<T>> {
        (0..len).map(|_| T::read(self)).collect()
    }

    /// The number of weights that are left.
    pub fn remaining(&self) -> usize {
        self.weights.len()
    }

    /// Ends the reading.
    ///
    /// # Errors
    ///
    /// [`Error::Graph`] when weights are left: the reading type does not follow the network's `SPEC`.
    pub fn finish(mut self) -> Result<()> {
        match self.weights.next() {
            None => Ok(()),
            Some((name, _)) => Err(invalid(format!(
                "weight `{name}` is not read into the network"
            ))),
        }
    }
}
