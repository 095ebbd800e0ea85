//! The way of weights into a network's fields.

use std::borrow::Cow;
use std::collections::HashMap;
use std::vec;

use ndarray::{Array, ArrayD, Dimension};
use xdnn_ir::NetworkSpec;

use super::{Weight, WeightFault};
use crate::error::invalid;
use crate::{Error, Parameters, Result};

/// Hands out the weights of a network, one after the other in the order of its [`NetworkSpec`].
///
/// [`Parameters::read`] takes from it what a layer needs, so that a struct is filled field by field. A type that does not
/// follow the network's `SPEC` is given empty weights and lists; [`into_parameters`](Self::into_parameters) drops it and
/// returns the first error.
#[derive(Debug)]
pub struct WeightReader {
    weights: vec::IntoIter<(Cow<'static, str>, ArrayD<f32>)>,
    /// How many weights there are in all.
    total: usize,
    /// The lists, in the order of their first weights.
    lists: vec::IntoIter<List>,
    /// The name of the weight that was read last.
    last: Cow<'static, str>,
    /// How the reading type first left the network's `SPEC`.
    error: Option<Error>,
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
            return Ok(Self::from_named(weights));
        }
        Err(Error::Weights {
            source_name: "the list of arrays".into(),
            faults,
        })
    }

    /// A reader of arrays that are known to fit.
    pub(crate) fn of(spec: &NetworkSpec, arrays: Vec<ArrayD<f32>>) -> Self {
        let names = spec.weights().iter().map(|weight| weight.name.clone());
        Self::from_named(names.zip(arrays).collect())
    }

    fn from_named(weights: Vec<(Cow<'static, str>, ArrayD<f32>)>) -> Self {
        let lists = lists(weights.iter().map(|(name, _)| &**name));
        Self {
            total: weights.len(),
            weights: weights.into_iter(),
            lists: lists.into_iter(),
            last: "".into(),
            error: None,
        }
    }

    /// All weights, as the fields of `P`.
    ///
    /// # Errors
    ///
    /// [`Error::Graph`] when `P` does not follow the network's `SPEC`: it reads more weights or fewer, lists where there
    /// are none, or tensors of another number of dimensions.
    pub fn into_parameters<P: Parameters>(mut self) -> Result<P> {
        let parameters = P::read(&mut self);
        match (self.error, self.weights.next()) {
            (None, None) => Ok(parameters),
            (Some(error), _) => Err(error),
            (None, Some((name, _))) => Err(invalid(format!(
                "weight `{name}` is not read into the network"
            ))),
        }
    }

    /// The next weight, as a tensor of as many dimensions as `D` has.
    pub fn weight<D: Dimension>(&mut self) -> Weight<D> {
        let Some((name, array)) = self.weights.next() else {
            self.fail("more weights are read than the network has");
            return Weight::new("".into(), Array::zeros(D::default()));
        };
        self.last = name.clone();
        let rank = array.ndim();
        let array = array.into_dimensionality().unwrap_or_else(|_| {
            self.fail(format!(
                "weight `{name}` has {rank} dimensions and is read as one with another number"
            ));
            Array::zeros(D::default())
        });
        Weight::new(name, array)
    }

    /// The weight of this name of the layer whose weight was read last, where that is the next one.
    pub fn optional<D: Dimension>(&mut self, name: &str) -> Option<Weight<D>> {
        let layer = self.last.rsplit_once('.').map(|(path, _)| path);
        let next = self.weights.as_slice().first();
        let next = next.and_then(|(next, _)| next.rsplit_once('.'));
        match (layer, next) {
            (Some(layer), Some((path, last))) if layer == path && last == name => {
                Some(self.weight())
            }
            _ => None,
        }
    }

    /// The list of parts that starts with the next weight. It is as long as the names of the weights say: one with
    /// `layers.2.conv.weight` has three parts or more.
    pub fn list<T: Parameters>(&mut self) -> Vec<T> {
        let position = self.total - self.weights.len();
        let list = self.lists.find(|list| list.first >= position);
        match list.filter(|list| list.first == position) {
            Some(list) => (0..list.len).map(|_| T::read(self)).collect(),
            None => {
                self.fail("a list is read where the network has none");
                Vec::new()
            }
        }
    }

    fn fail(&mut self, message: impl Into<Cow<'static, str>>) {
        self.error.get_or_insert_with(|| invalid(message));
    }
}

/// A list of parts of a network.
#[derive(Debug, PartialEq, Eq)]
struct List {
    /// The position of its first weight.
    first: usize,
    /// The number of parts.
    len: usize,
}

/// The lists in which weights of these names stand, in the order of their first weights, the outer before the inner.
fn lists<'a>(names: impl Iterator<Item = &'a str>) -> Vec<List> {
    let (mut lists, mut known) = (Vec::new(), HashMap::new());
    for (first, name) in names.enumerate() {
        let mut start = 0;
        for label in name.split('.') {
            if let Ok(index) = label.parse::<usize>() {
                let list = *known.entry(&name[..start]).or_insert_with(|| {
                    lists.push(List { first, len: 0 });
                    lists.len() - 1
                });
                lists[list].len = lists[list].len.max(index.saturating_add(1));
            }
            start += label.len() + 1;
        }
    }
    lists
}

#[cfg(test)]
mod tests {
    use super::{List, lists};

    #[test]
    fn names_tell_where_lists_are_and_how_long() {
        let names = [
            "stem.weight",
            "a.0.conv.weight",
            "a.0.conv.bias",
            "a.1.conv.weight",
            "b.0.0.weight",
            "b.0.1.weight",
            "b.1.0.weight",
            "c.d.0.weight",
        ];
        let expected = [(1, 2), (4, 2), (4, 2), (6, 1), (7, 1)];
        let expected = expected.map(|(first, len)| List { first, len });
        assert_eq!(lists(names.into_iter()), expected);
    }
}
