//! Training: batches, losses, steps.

use std::marker::PhantomData;

use ndarray::{ArrayD, Axis};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use xdnn_ir::{Degree, Layer, NetworkSpec, Operation, Shape};

use super::classes::Classes;
use super::{Loss, Optimizer, OptimizerState, Prior};
use crate::error::invalid;
use crate::finite::first_non_finite;
use crate::graph::{Task, dropouts};
use crate::model::{Bindings, DynamicModel};
use crate::{Device, Error, Inputs, Network, Precision, Result, Seed, WeightReader, XNetwork};

/// Trains a network: each step computes the loss of a batch and its gradient with respect to every weight in one graph,
/// and lets an optimizer change the weights.
///
/// The weights of `FrozenScale` stay as they are. The loss, its gradient, the order of batches and the dropout masks depend on the seed and the data alone.
#[derive(Debug)]
pub struct Trainer<N, O> {
    model: DynamicModel<f32>,
    /// The weights before the last step, to go back to.
    before: Vec<Vec<f32>>,
    /// The weights that no step changes.
    frozen: Vec<usize>,
    loss: Loss,
    prior: Option<Prior>,
    optimizer: OptimizerState<O>,
    random: ChaCha8Rng,
    network: PhantomData<fn() -> N>,
}

/// What a step has found, before it changed the weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The mean loss of the batch, without the prior.
    pub loss: f32,
    /// What the [`Prior`] measures, before its strength: the Gini coefficient of the attributions. 0 without a prior.
    pub prior: f32,
    /// The number of samples whose largest output is their class; of positions, for outputs `[classes, …]`. For binary
    /// cross-entropy a logit above 0 says class 1.
    pub correct: usize,
    /// The number of samples, or of their positions.
    pub samples: usize,
}

/// How [`Trainer::fit`] goes through the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fit {
    /// How often it goes through all of it.
    pub epochs: usize,
    /// Samples in a step; the last step of an epoch takes what is left.
    pub batch: usize,
}

/// How far [`Trainer::fit`] has come, told after every step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// The epoch, from 0.
    pub epoch: usize,
    /// The number of epochs.
    pub epochs: usize,
    /// The step within the epoch, from 0.
    pub step: usize,
    /// The number of steps of an epoch.
    pub steps: usize,
    /// The mean loss of the epoch so far, without the prior.
    pub loss: f32,
    /// What the [`Prior`] measures, its mean over the epoch so far. 0 without a prior.
    pub prior: f32,
    /// The share of samples, or of their positions, of the epoch so far that were classified correctly, before the step
    /// that used them.
    pub accuracy: f32,
}

impl<N: Network, O: Optimizer> Trainer<N, O> {
    /// A trainer of a network on a device.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] for an optimizer whose options are out of range, [`Error::NonFiniteWeight`], [`Error::Device`].
    pub fn new(network: &N, device: Device, loss: Loss, optimizer: O, seed: Seed) -> Result<Self> {
        let mut weights = Vec::new();
        network.visit(&mut |weight| weights.push(weight.into_shared()));
        let sizes: Vec<usize> = weights.iter().map(|array| array.len()).collect();
        let model = DynamicModel::of_shared(N::SPEC.clone(), weights, device)?;
        let optimizer = OptimizerState::new(optimizer, sizes)?;
        let before = model.weights().map(<[f32]>::to_vec).collect();
        let random = ChaCha8Rng::seed_from_u64(seed.0);
        Ok(Self {
            model,
            before,
            frozen: frozen(N::SPEC),
            loss,
            prior: None,
            optimizer,
            random,
            network: PhantomData,
        })
    }

    /// The trainer with an attribution prior beside its loss.
    ///
    /// ```no_run
    /// # use xdnn_runtime::training::{Adam, Loss, Prior, Trainer};
    /// # use xdnn_runtime::{Device, Result, Seed, XNetwork};
    /// # fn sparse<N: XNetwork>(network: &N) -> Result<Trainer<N, Adam>> {
    /// let (loss, adam) = (Loss::BinaryCrossEntropy, Adam::new(1e-3));
    /// let trainer = Trainer::new(network, Device::best(), loss, adam, Seed(7))?;
    /// trainer.with_prior(Prior::Gini { strength: 1.0 })
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Option`] for a strength that is not finite or below 0.
    pub fn with_prior(mut self, prior: Prior) -> Result<Self>
    where
        N: XNetwork, // here and not on the `impl`, so that the compiler says why a network is none
    {
        let _: Degree = N::DEGREE; // An implementation by hand without a degree does not compile.
        prior.check()?;
        self.prior = Some(prior);
        Ok(self)
    }

    /// The trainer, multiplying as exactly as this on devices that can choose.
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Self {
        Self {
            model: self.model.with_precision(precision),
            ..self
        }
    }

    /// How exactly it multiplies; on [`Device::Cpu`] and [`Device::Reference`], [`Precision::Strict`].
    pub fn precision(&self) -> Precision {
        self.model.precision()
    }

    /// One step on a batch: inputs `(N, …)` and the class of each sample, 0 or 1 for binary cross-entropy. For outputs
    /// `[classes, …]`, such as the logits of each pixel, it takes the class of each position of each sample, in row-major
    /// order.
    ///
    /// # Errors
    ///
    /// Those of [`Inputs::check`]; [`Error::TargetCount`], [`Error::Option`] and [`Error::ClassOutOfRange`] for classes that
    /// do not fit; [`Error::NotClasses`] and [`Error::NotOneLogit`] for an output that the loss does not fit;
    /// [`Error::Diverged`] where the loss, a gradient or a weight after the step is not finite. The weights and
    /// the optimizer are then as they were before the step.
    pub fn step<'a>(&mut self, inputs: impl Into<Inputs<'a>>, classes: &[usize]) -> Result<Step> {
        let inputs = inputs.into();
        let batch = inputs.check(self.model.spec())?;
        let labels = Classes::of(self.model.spec(), self.loss);
        let targets = labels.targets(batch, classes)?;
        let slices = inputs.slices();
        let slices: Vec<&[f32]> = slices.iter().map(AsRef::as_ref).collect();
        let task = self
            .prior
            .map_or(Task::Train(self.loss), |prior| prior.task(self.loss));
        let strength = self.prior.map(Prior::strength);
        let masks = self.masks(batch);
        let bindings = Bindings {
            inputs: &slices,
            targets: &targets,
            masks: &masks,
            strength: strength.as_slice(),
        };
        let results = self.model.run(task, batch, &bindings)?;
        let [loss, outputs, rest @ ..] = results.as_slice() else {
            return Err(invalid("a training graph has no loss"));
        };
        let number = |scalar: &Vec<f32>| scalar.first().copied().unwrap_or(f32::NAN);
        let loss = number(loss);
        let (prior, gradients) = match (self.prior, rest) {
            (Some(_), [gini, gradients @ ..]) => (number(gini), gradients),
            _ => (0.0, rest),
        };
        if !loss.is_finite() || !finite(gradients) {
            return Err(Error::Diverged { loss });
        }
        for (before, weights) in self.before.iter_mut().zip(self.model.weights()) {
            before.copy_from_slice(weights);
        }
        let optimizer = self.optimizer.clone();
        let mut weights = self.model.weights_mut();
        self.optimizer.step(&mut weights, gradients)?;
        for (i, before) in self
            .frozen
            .iter()
            .filter_map(|i| Some((*i, self.before.get(*i)?)))
        {
            weights[i].copy_from_slice(before);
        }
        if !finite(&weights) {
            self.optimizer = optimizer;
            for (before, weights) in self.before.iter().zip(weights) {
                weights.copy_from_slice(before);
            }
            return Err(Error::Diverged { loss });
        }
        Ok(Step {
            loss,
            prior,
            correct: labels.correct(batch, outputs, classes),
            samples: classes.len(),
        })
    }

    /// Goes through the data several times, each time in another order, and tells `observer` after every step.
    ///
    /// # Errors
    ///
    /// Those of [`Trainer::step`], and [`Error::Option`] for a batch of 0.
    pub fn fit<'a>(
        &mut self,
        inputs: impl Into<Inputs<'a>>,
        classes: &[usize],
        fit: Fit,
        mut observer: impl FnMut(Progress),
    ) -> Result<()> {
        let inputs = inputs.into();
        let samples = inputs.check(self.model.spec())?;
        // A class out of range is found before the first step and not in the middle of an epoch.
        let labels = Classes::of(self.model.spec(), self.loss);
        labels.targets(samples, classes)?;
        let positions = labels.positions;
        if fit.batch == 0 {
            return Err(Error::option("batch", "at least 1", fit.batch));
        }
        let mut order: Vec<usize> = (0..samples).collect();
        let steps = samples.div_ceil(fit.batch);
        for epoch in 0..fit.epochs {
            order.shuffle(&mut self.random);
            let (mut loss, mut prior, mut correct, mut seen) = (0.0, 0.0, 0, 0);
            for (step, indices) in order.chunks(fit.batch).enumerate() {
                let arrays: Vec<ArrayD<f32>> = inputs
                    .views()
                    .iter()
                    .map(|view| view.select(Axis(0), indices))
                    .collect();
                let classes: Vec<usize> = indices
                    .iter()
                    .flat_map(|i| &classes[i * positions..][..positions])
                    .copied()
                    .collect();
                let result = self.step(
                    Inputs::from_views(arrays.iter().map(|array| array.view())),
                    &classes,
                )?;
                loss += f64::from(result.loss) * result.samples as f64;
                prior += f64::from(result.prior) * result.samples as f64;
                correct += result.correct;
                seen += result.samples;
                observer(Progress {
                    epoch,
                    epochs: fit.epochs,
                    step,
                    steps,
                    loss: (loss / seen as f64) as f32,
                    prior: (prior / seen as f64) as f32,
                    accuracy: correct as f32 / seen as f32,
                });
            }
        }
        Ok(())
    }

    /// The network with its weights as they are now.
    ///
    /// # Errors
    ///
    /// [`Error::Graph`] for hand-written [`Parameters`](crate::Parameters) that contradict their network.
    pub fn network(&self) -> Result<N> {
        let shapes = N::WEIGHTS.iter().map(|weight| weight.shape.dims());
        let arrays = shapes
            .zip(self.model.weights())
            .map(|(dims, values)| ArrayD::from_shape_vec(dims, values.to_vec()));
        let arrays: Result<Vec<_>, _> = arrays.collect();
        let arrays = arrays.map_err(|error| invalid(error.to_string()))?;
        WeightReader::new(N::SPEC, arrays)?.into_parameters()
    }

    /// The masks of the dropouts: 0 with probability `p`, `1 / (1 − p)` otherwise.
    fn masks(&mut self, batch: usize) -> Vec<Vec<f32>> {
        let random = &mut self.random;
        let mask = |(p, shape): (f64, Shape)| {
            let kept = (1.0 / (1.0 - p)) as f32;
            (0..batch * shape.elements())
                .map(|_| if random.random_bool(p) { 0.0 } else { kept })
                .collect()
        };
        dropouts(self.model.spec()).into_iter().map(mask).collect()
    }
}

/// The positions of the weights of layers that are loaded and not trained.
fn frozen(spec: &NetworkSpec) -> Vec<usize> {
    let frozen = |operation| matches!(operation, Operation::Layer(Layer::FrozenScale(_)));
    let nodes = spec.nodes().iter().filter(|node| frozen(node.operation));
    nodes.flat_map(|node| node.weights.clone()).collect()
}

fn finite<T: AsRef<[f32]>>(tensors: &[T]) -> bool {
    tensors
        .iter()
        .all(|tensor| first_non_finite(tensor.as_ref()).is_none())
}
