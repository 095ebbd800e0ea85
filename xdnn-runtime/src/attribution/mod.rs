//! How much each element of an input contributes to an output of a network.

mod distance;
mod integrated_gradients;
mod sparsity;
mod target;
mod x_gradient;

use ndarray::{ArrayD, ArrayViewD, Axis};
use xdnn_ir::NetworkSpec;

use crate::backend::Element;
use crate::model::{DynamicModel, array};
use crate::{Inputs, Precision, Result};

pub use distance::mean_absolute_relative_difference;
pub use integrated_gradients::{IntegratedGradients, Quadrature};
pub use target::Target;
pub(crate) use target::number;

/// Attributions of a batch, with what they explain.
#[derive(Clone, Debug)]
pub struct Attribution<T: Element = f32> {
    names: Vec<String>,
    values: Vec<ArrayD<T>>,
    outputs: ArrayD<T>,
    targets: Vec<usize>,
    explained: Vec<T>,
    precision: Precision,
}

impl<T: Element> Attribution<T> {
    /// From the raw results of a run: the output, then one array of attributions for each input.
    pub(crate) fn new(
        model: &DynamicModel<T>,
        batch: usize,
        targets: &[T],
        results: Vec<Vec<T>>,
    ) -> Result<Self> {
        let spec = model.spec();
        let mut results = results.into_iter();
        let outputs = results.next().unwrap_or_default();
        let (targets, explained) = target::chosen(&outputs, batch, targets);
        let values: Result<Vec<_>> = spec
            .inputs()
            .iter()
            .zip(results)
            .map(|(input, values)| array(input.shape, batch, values))
            .collect();
        Ok(Self {
            names: spec
                .inputs()
                .iter()
                .map(|input| input.name.to_string())
                .collect(),
            values: values?,
            outputs: array(spec.output_shape(), batch, outputs)?,
            targets,
            explained,
            precision: model.precision(),
        })
    }

    /// The attributions of the network's input, `(N, …)` like the input itself; of the first one where there are several.
    pub fn values(&self) -> ArrayViewD<'_, T> {
        match self.values.first() {
            Some(values) => values.view(),
            None => self.outputs.view(), // not reached: a network has an input
        }
    }

    /// The attributions of the input of that name.
    pub fn values_of(&self, input: &str) -> Option<ArrayViewD<'_, T>> {
        let position = self.names.iter().position(|name| name == input)?;
        self.values.get(position).map(|values| values.view())
    }

    /// The attributions of all inputs, in order of declaration, with their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, ArrayViewD<'_, T>)> {
        self.names
            .iter()
            .map(String::as_str)
            .zip(self.values.iter().map(|values| values.view()))
    }

    /// The network's output for each sample, `(N, …)`.
    pub fn outputs(&self) -> ArrayViewD<'_, T> {
        self.outputs.view()
    }

    /// The output of each sample that is explained, as an index into its flattened output: the class, for a classifier.
    pub fn targets(&self) -> &[usize] {
        &self.targets
    }

    /// What the attributions of each sample add up to: `F_target(x) − F_target(baseline)`. For the X-Gradient, whose
    /// baseline is zero, that is the target output itself.
    pub fn explained(&self) -> &[T] {
        &self.explained
    }

    /// How exactly all of it was computed: the model's [`precision`](DynamicModel::precision).
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// How far the attributions are from adding up: the largest `|Σ A − E| / |E|` over the samples, where `E` is
    /// [what is explained](Self::explained). Where `E` is 0, `|Σ A|` itself counts.
    pub fn completeness_gap(&self) -> f64 {
        let gap = |(sample, explained): (usize, &T)| {
            let sums = self
                .values
                .iter()
                .map(|values| sum(values.index_axis(Axis(0), sample)));
            let explained = explained.to_f64().unwrap_or(f64::NAN);
            let scale = if explained == 0.0 {
                1.0
            } else {
                explained.abs()
            };
            (sums.sum::<f64>() - explained).abs() / scale
        };
        self.explained
            .iter()
            .enumerate()
            .map(gap)
            .fold(0.0, |a: f64, b| if b > a || b.is_nan() { b } else { a })
    }
}

/// The inputs and targets of a batch, checked.
pub(crate) struct Batch<'a, T: Element> {
    pub size: usize,
    pub inputs: Vec<std::borrow::Cow<'a, [T]>>,
    pub targets: Vec<T>,
}

impl<'a, T: Element> Batch<'a, T> {
    pub(crate) fn new(
        spec: &NetworkSpec,
        inputs: &Inputs<'a, T>,
        target: Target<'_>,
    ) -> Result<Self> {
        let size = inputs.check(spec)?;
        Ok(Self {
            size,
            inputs: inputs.slices(),
            targets: target.resolve(spec, size)?,
        })
    }
}

fn sum<T: Element>(values: ArrayViewD<'_, T>) -> f64 {
    values
        .iter()
        .map(|value| value.to_f64().unwrap_or(f64::NAN))
        .sum()
}
