//! Integrated Gradients, for any network and any baseline.

use std::f64::consts::PI;

use ndarray::ArrayD;

use super::target::{chosen, number};
use super::{Attribution, Batch, Target};
use crate::backend::Element;
use crate::graph::Task;
use crate::model::{Bindings, DynamicModel};
use crate::{Error, Inputs, Result};

/// Far beyond any use; a number of steps without a bound is a size of memory without a bound.
const MOST_STEPS: usize = 1 << 16;

/// How the integral over the path is approximated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Quadrature {
    /// The nodes and weights of Gauss and Legendre: exact for polynomials of degree `2·steps − 1`.
    #[default]
    GaussLegendre,
    /// A Riemann sum at the middle of each step.
    Midpoint,
    /// A Riemann sum at the start of each step.
    Left,
    /// A Riemann sum at the end of each step.
    Right,
    /// The mean of the two Riemann sums at the ends, on `steps` points from 0 to 1; needs at least 2.
    Trapezoid,
}

/// Integrated Gradients (Sundararajan, Taly and Yan, ICML 2017, Equation 1):
///
/// `IGᵢ(x) = (xᵢ − x'ᵢ) · ∫₀¹ ∂F(x' + α·(x − x'))/∂xᵢ dα`
///
/// from a baseline `x'`, zero unless another one is given.
#[derive(Clone, Debug)]
pub struct IntegratedGradients<T: Element = f32> {
    steps: usize,
    quadrature: Quadrature,
    baseline: Vec<ArrayD<T>>,
    batch: usize,
}

impl<T: Element> IntegratedGradients<T> {
    /// From a zero baseline in `steps` gradient evaluations a sample, at most 65536, by Gauss–Legendre quadrature.
    pub fn new(steps: usize) -> Self {
        Self {
            steps,
            quadrature: Quadrature::default(),
            baseline: Vec::new(),
            batch: 64,
        }
    }

    /// With another quadrature.
    #[must_use]
    pub fn quadrature(mut self, quadrature: Quadrature) -> Self {
        self.quadrature = quadrature;
        self
    }

    /// From another baseline: one array for each input, of the shape of one sample or of the whole batch.
    #[must_use]
    pub fn baseline(mut self, baseline: impl IntoIterator<Item = ArrayD<T>>) -> Self {
        self.baseline = baseline.into_iter().collect();
        self
    }

    /// Evaluates about `samples` points of paths at once, 64 by default, and at least one for each sample of the batch.
    /// The result is the same.
    #[must_use]
    pub fn batch(mut self, samples: usize) -> Self {
        self.batch = samples;
        self
    }

    /// The points on the path from 0 to 1, with their weights.
    fn nodes(&self) -> Result<Vec<(f64, f64)>> {
        let n = self.steps;
        let (range, expected) = match self.quadrature {
            Quadrature::Trapezoid => (2..=MOST_STEPS, "from 2 to 65536 for the trapezoid rule"),
            _ => (1..=MOST_STEPS, "from 1 to 65536"),
        };
        if !range.contains(&n) {
            return Err(Error::option("steps", expected, n));
        }
        let step = 1.0 / n as f64;
        let at = |offset: f64| (0..n).map(|i| ((i as f64 + offset) * step, step)).collect();
        Ok(match self.quadrature {
            Quadrature::GaussLegendre => gauss_legendre(n),
            Quadrature::Midpoint => at(0.5),
            Quadrature::Left => at(0.0),
            Quadrature::Right => at(1.0),
            Quadrature::Trapezoid => {
                let step = 1.0 / (n - 1) as f64;
                let end = |i: usize| i == 0 || i == n - 1;
                (0..n)
                    .map(|i| (i as f64 * step, if end(i) { 0.5 * step } else { step }))
                    .collect()
            }
        })
    }

    /// The baseline of each input, repeated for each sample.
    fn baselines(&self, model: &DynamicModel<T>, batch: usize) -> Result<Vec<Vec<T>>> {
        let inputs = model.spec().inputs();
        if self.baseline.is_empty() {
            return Ok(inputs
                .iter()
                .map(|input| vec![T::zero(); batch * input.shape.elements()])
                .collect());
        }
        if self.baseline.len() != inputs.len() {
            let names = inputs
                .iter()
                .map(|input| input.name.to_string().into())
                .collect();
            return Err(Error::InputCount {
                names,
                found: self.baseline.len(),
            });
        }
        let repeated = |(input, array): (&xdnn_ir::Input, &ArrayD<T>)| {
            let values: Vec<T> = array.iter().copied().collect();
            let sample = input.shape.dims();
            let times = match array.shape() {
                shape if shape == sample => batch,
                [samples, rest @ ..] if *samples == batch && rest == sample => 1,
                [samples, rest @ ..] if rest == sample => {
                    return Err(Error::BatchesDiffer {
                        first: input.name.clone(),
                        expected: batch,
                        name: format!("baseline of {}", input.name).into(),
                        found: *samples,
                    });
                }
                shape => {
                    let name = format!("baseline of {}", input.name).into();
                    return Err(Error::InputShape {
                        name,
                        expected: input.shape,
                        found: shape.to_vec(),
                    });
                }
            };
            if let Some(position) = crate::finite::first_non_finite(&values) {
                return Err(Error::NonFiniteInput {
                    name: format!("baseline of {}", input.name).into(),
                    index: crate::finite::unravel(position, array.shape()),
                    value: values[position].to_f64().unwrap_or(f64::NAN),
                });
            }
            Ok(values.repeat(times))
        };
        inputs.iter().zip(&self.baseline).map(repeated).collect()
    }
}

/// The nodes and weights of Gauss–Legendre quadrature on `[0, 1]`, by Newton's method on the Legendre polynomial
/// (Abramowitz and Stegun 1964, 25.4.29 and 22.16.6).
fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    let node = |i: usize| {
        let mut x = (PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..100 {
            let (mut p, mut before) = (x, 1.0);
            for k in 2..=n {
                let k = k as f64;
                (p, before) = (((2.0 * k - 1.0) * x * p - (k - 1.0) * before) / k, p);
            }
            slope = n as f64 * (x * p - before) / (x * x - 1.0);
            let change = p / slope;
            x -= change;
            if change.abs() < 1e-15 {
                break;
            }
        }
        ((1.0 - x) / 2.0, 1.0 / ((1.0 - x * x) * slope * slope))
    };
    (0..n).map(node).collect()
}

/// The points of the paths of all samples at `nodes`, one copy of the batch after the other.
fn points_on<T: Element>(input: &[T], baseline: &[T], nodes: &[(f64, f64)]) -> Vec<T> {
    let between = |alpha: f64| {
        let point = move |(x, start): (&T, &T)| *start + T::of(alpha) * (*x - *start);
        input.iter().zip(baseline).map(point)
    };
    nodes
        .iter()
        .flat_map(|(alpha, _)| between(*alpha))
        .collect()
}

/// Adds the gradients at `nodes`, each times its weight.
fn add_weighted<T: Element>(integral: &mut [f64], gradients: &[T], nodes: &[(f64, f64)]) {
    for ((_, weight), gradient) in nodes.iter().zip(gradients.chunks_exact(integral.len())) {
        for (sum, value) in integral.iter_mut().zip(gradient) {
            *sum += weight * value.to_f64().unwrap_or(f64::NAN);
        }
    }
}

impl<T: Element> DynamicModel<T> {
    /// [`IntegratedGradients`] of each sample.
    ///
    /// [`Target::Predicted`] is the class predicted for the sample itself, all along its path.
    ///
    /// # Errors
    ///
    /// Those of [`Inputs::check`] and of [`Target`]; [`Error::Option`] for too few or too many steps; [`Error::InputCount`],
    /// [`Error::InputShape`], [`Error::BatchesDiffer`] or [`Error::NonFiniteInput`] for a baseline that does not fit.
    pub fn integrated_gradients<'a>(
        &self,
        inputs: impl Into<Inputs<'a, T>>,
        target: impl Into<Target<'a>>,
        method: &IntegratedGradients<T>,
    ) -> Result<Attribution<T>> {
        self.integrated_gradients_observed(inputs, target, method, |_, _| {})
    }

    /// [`integrated_gradients`](Self::integrated_gradients), telling `observer` how many of how many steps are done.
    ///
    /// # Errors
    ///
    /// Those of [`integrated_gradients`](Self::integrated_gradients).
    pub fn integrated_gradients_observed<'a>(
        &self,
        inputs: impl Into<Inputs<'a, T>>,
        target: impl Into<Target<'a>>,
        method: &IntegratedGradients<T>,
        mut observer: impl FnMut(usize, usize),
    ) -> Result<Attribution<T>> {
        let batch = Batch::new(self.spec(), &inputs.into(), target.into())?;
        let nodes = method.nodes()?;
        let baselines = method.baselines(self, batch.size)?;
        let outputs = self.forward_slices(batch.size, &batch.inputs)?;
        let at_baseline = self.forward_slices(batch.size, &baselines)?;

        let (targets, explained) = chosen(&outputs, batch.size, &batch.targets);
        let fixed: Result<Vec<T>> = targets.iter().map(|target| number(*target)).collect();
        let fixed = fixed?;
        let (_, explained_at_baseline) = chosen(&at_baseline, batch.size, &fixed);

        let mut integrals: Vec<Vec<f64>> = batch
            .inputs
            .iter()
            .map(|input| vec![0.0; input.len()])
            .collect();
        let points = (method.batch / batch.size).clamp(1, nodes.len());
        let mut done = 0;
        for part in nodes.chunks(points) {
            let paths = batch
                .inputs
                .iter()
                .zip(&baselines)
                .map(|(input, baseline)| points_on(input, baseline, part));
            let paths: Vec<Vec<T>> = paths.collect();
            let slices: Vec<&[T]> = paths.iter().map(Vec::as_slice).collect();
            let targets = fixed.repeat(part.len());
            let bindings = Bindings {
                inputs: &slices,
                targets: &targets,
                ..Bindings::default()
            };
            let results = self.run(Task::Gradient, batch.size * part.len(), &bindings)?;
            for (integral, gradients) in integrals.iter_mut().zip(results.iter().skip(1)) {
                add_weighted(integral, gradients, part);
            }
            done += part.len();
            observer(done, nodes.len());
        }

        let values = batch.inputs.iter().zip(&baselines).zip(integrals).map(
            |((input, baseline), integral)| {
                let product = |((x, start), mean): ((&T, &T), f64)| (*x - *start) * T::of(mean);
                input
                    .iter()
                    .zip(baseline)
                    .zip(integral)
                    .map(product)
                    .collect()
            },
        );
        let results = std::iter::once(outputs).chain(values).collect();
        let mut attribution = Attribution::new(self, batch.size, &fixed, results)?;
        attribution.explained = explained
            .iter()
            .zip(explained_at_baseline)
            .map(|(end, start)| *end - start)
            .collect();
        Ok(attribution)
    }

    fn forward_slices<S: AsRef<[T]>>(&self, batch: usize, inputs: &[S]) -> Result<Vec<T>> {
        let slices: Vec<&[T]> = inputs.iter().map(AsRef::as_ref).collect();
        let mut results = self.run(
            Task::Forward,
            batch,
            &Bindings {
                inputs: &slices,
                ..Bindings::default()
            },
        )?;
        Ok(results.swap_remove(0))
    }
}

#[cfg(test)]
mod tests {
    use super::gauss_legendre;

    #[test]
    fn gauss_legendre_integrates_polynomials_up_to_twice_its_points_exactly() {
        for n in [1, 2, 5, 32, 128] {
            for power in [0, 1, 2 * n - 1] {
                let integral: f64 = gauss_legendre(n)
                    .iter()
                    .map(|(x, w)| w * x.powi(power as i32))
                    .sum();
                assert!(
                    (integral - 1.0 / (power as f64 + 1.0)).abs() < 1e-13,
                    "{n} points, power {power}"
                );
            }
        }
    }
}
