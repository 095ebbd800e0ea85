//! Training: batches, losses, steps.

use std::marker::PhantomData;

use ndarray::{ArrayD, Axis};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use xdnn_ir::{Layer, NetworkSpec, Operation, Shape};

use super::{Loss, Optimizer, OptimizerState};
use crate::attribution::number;
use crate::error::invalid;
use crate::finite::first_non_finite;
use crate::graph::{Task, dropouts};
use crate::model::{Bindings, DynamicModel};
use crate::ops::argmax;
use crate::{Device, Error, Inputs, Network, Result, Seed, WeightReader};

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
    optimizer: OptimizerState<O>,
    random: ChaCha8Rng,
    network: PhantomData<fn() -> N>,
}

/// What a step has found, before it changed the weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The mean loss of the batch.
    pub loss: f32,
    /// The number of samples whose largest output is their class; of positions, for outputs `[classes, …]`.
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
    /// The mean loss of the epoch so far.
    pub loss: f32,
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
        network.visit(&mut |weight| weights.push(weight.array.to_owned()));
        let sizes: Vec<usize> = weights.iter().map(|array| array.len()).collect();
        let model = DynamicModel::new(N::SPEC.clone(), weights, device)?;
        let optimizer = OptimizerState::new(optimizer, sizes)?;
        let before = model.weights().to_vec();
        let random = ChaCha8Rng::seed_from_u64(seed.0);
        Ok(Self {
            model,
            before,
            frozen: frozen(N::SPEC),
            loss,
            optimizer,
            random,
            network: PhantomData,
        })
    }

    /// One step on a batch: inputs `(N, …)` and the class of each sample. For outputs `[classes, …]`, such as the logits of
    /// each pixel, it takes the class of each position of each sample, in row-major order.
    ///
    /// # Errors
    ///
    /// Those of [`Inputs::check`]; [`Error::TargetCount`], [`Error::Option`] and [`Error::ClassOutOfRange`] for classes that
    /// do not fit;
    /// [`Error::Diverged`] where the loss, a gradient or a weight after the step is not finite. The weights and
    /// the optimizer are then as they were before the step.
    pub fn step<'a>(&mut self, inputs: impl Into<Inputs<'a>>, classes: &[usize]) -> Result<Step> {
        let inputs = inputs.into();
        let batch = inputs.check(self.model.spec())?;
        let targets = targets(self.model.spec(), batch, classes)?;
        let slices = inputs.slices();
        let slices: Vec<&[f32]> = slices.iter().map(AsRef::as_ref).collect();
        let task = Task::Train(self.loss);
        let masks = self.masks(batch);
        let bindings = Bindings {
            inputs: &slices,
            targets: &targets,
            masks: &masks,
        };
        let results = self.model.run(task, batch, &bindings)?;
        let [loss, outputs, gradients @ ..] = results.as_slice() else {
            return Err(invalid("a training graph has no loss"));
        };
        let loss = loss.first().copied().unwrap_or(f32::NAN);
        if !loss.is_finite() || !finite(gradients) {
            return Err(Error::Diverged { loss });
        }
        for (before, weights) in self.before.iter_mut().zip(self.model.weights()) {
            before.copy_from_slice(weights);
        }
        let optimizer = self.optimizer.clone();
        self.optimizer.step(self.model.weights_mut(), gradients)?;
        let weights = self.model.weights_mut();
        for (i, before) in self
            .frozen
            .iter()
            .filter_map(|i| Some((*i, self.before.get(*i)?)))
        {
            weights[i].copy_from_slice(before);
        }
        if !finite(self.model.weights()) {
            self.optimizer = optimizer;
            self.model.weights_mut().swap_with_slice(&mut self.before);
            return Err(Error::Diverged { loss });
        }
        let positions = positions(self.model.spec());
        let samples = outputs.chunks_exact((outputs.len() / batch).max(1));
        let predicted = samples.flat_map(|logits| {
            (0..positions).map(move |position| {
                let row = logits.iter().skip(position).step_by(positions);
                argmax(&row.copied().collect::<Vec<_>>())
            })
        });
        let correct = predicted
            .zip(classes)
            .filter(|(predicted, class)| predicted == *class)
            .count();
        Ok(Step {
            loss,
            correct,
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
        targets(self.model.spec(), samples, classes)?;
        let positions = positions(self.model.spec());
        if fit.batch == 0 {
            return Err(Error::option("batch", "at least 1", fit.batch));
        }
        let mut order: Vec<usize> = (0..samples).collect();
        let steps = samples.div_ceil(fit.batch);
        for epoch in 0..fit.epochs {
            order.shuffle(&mut self.random);
            let (mut loss, mut correct, mut seen) = (0.0, 0, 0);
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
                correct += result.correct;
                seen += result.samples;
                let (loss, accuracy) = ((loss / seen as f64) as f32, correct as f32 / seen as f32);
                observer(Progress {
                    epoch,
                    epochs: fit.epochs,
                    step,
                    steps,
                    loss,
                    accuracy,
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
            .map(|(dims, values)| ArrayD::from_shape_vec(dims, values.clone()));
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

/// The number of positions of an output `[classes, …]`: 1 for `[classes]`.
fn positions(spec: &NetworkSpec) -> usize {
    let output = spec.output_shape();
    output.elements() / output.dim(0).max(1)
}

/// The classes as the graph reads them: one for each position of each sample.
fn targets(spec: &NetworkSpec, batch: usize, classes: &[usize]) -> Result<Vec<f32>> {
    let (count, expected) = (spec.output_shape().dim(0), batch * positions(spec));
    if classes.len() != expected && expected == batch {
        let found = classes.len();
        return Err(Error::TargetCount { batch, found });
    }
    if classes.len() != expected {
        let each = "one for each position of each sample";
        return Err(Error::option("classes", each, classes.len()));
    }
    let target = |class: &usize| match *class < count {
        true => number(*class),
        false => Err(Error::ClassOutOfRange {
            class: *class,
            classes: count,
        }),
    };
    classes.iter().map(target).collect()
}

/// The positions of the weights of layers that are loaded and not trained.
fn frozen(spec: &NetworkSpec) -> Vec<usize> {
    let frozen = |operation| matches!(operation, Operation::Layer(Layer::FrozenScale(_)));
    let nodes = spec.nodes().iter().filter(|node| frozen(node.operation));
    nodes.flat_map(|node| node.weights.clone()).collect()
}

fn finite(tensors: &[Vec<f32>]) -> bool {
    tensors
        .iter()
        .all(|tensor| first_non_finite(tensor).is_none())
}
