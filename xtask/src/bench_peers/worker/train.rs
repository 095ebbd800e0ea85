//! Training with a prior on the attributions.

use std::path::Path;

use anyhow::Result;
use xdnn::Parameters;
use xdnn::ndarray::{ArrayD, Axis};
use xdnn::prelude::*;
use xdnn::training::Optimizer;

use super::{On, Run, input};
use crate::bench_peers::network::{self, NhanesMlp};

const LOSS: Loss = Loss::BinaryCrossEntropy;
const LEARNING_RATE: f64 = 1e-3;
const PRIOR: f32 = 1.0;
/// So large that a step of plain descent is the gradient, and the weights before it are roundings.
const FAR: f64 = 1000.0;

pub struct Train {
    network: NhanesMlp,
    on: On,
    x: ArrayD<f32>,
    classes: Vec<usize>,
    trainer: Trainer<NhanesMlp, Adam>,
}

impl Train {
    pub fn new(folder: &Path, batch: usize, on: On) -> Result<Self> {
        let network = NhanesMlp::load(folder.join("weights.safetensors"))?;
        let targets = network::read(&folder.join("target.f32"))?;
        let classes = targets.iter().take(batch);
        Ok(Self {
            x: input(folder, NhanesMlp::SPEC, batch)?,
            classes: classes.map(|target| usize::from(*target > 0.5)).collect(),
            trainer: trainer(&network, Adam::new(LEARNING_RATE), on)?,
            network,
            on,
        })
    }

    /// The loss and the prior together.
    fn objective(&mut self) -> Result<f32> {
        let step = self.trainer.step(&self.x, &self.classes)?;
        Ok(step.loss - PRIOR * step.prior)
    }

    fn gradient(&self) -> Result<Vec<f32>> {
        let mut descent = trainer(&self.network, Sgd::new(FAR), self.on)?;
        descent.step(&self.x, &self.classes)?;
        let [before, after] = [flat(&self.network), flat(&descent.network()?)];
        let moved = before.iter().zip(&after).map(|(w, v)| w - v);
        Ok(moved.map(|moved| moved / FAR as f32).collect())
    }
}

impl Run for Train {
    /// The objective before the first and the second step, and the gradient of the first one.
    fn results(&mut self) -> Result<Vec<f32>> {
        let mut results = vec![self.objective()?, self.objective()?];
        results.extend(self.gradient()?);
        Ok(results)
    }

    fn reset(&mut self) -> Result<()> {
        self.trainer = trainer(&self.network, Adam::new(LEARNING_RATE), self.on)?;
        self.run() // which compiles
    }

    fn run(&mut self) -> Result<()> {
        self.objective().map(drop)
    }

    /// The optimizer is none of the device's.
    fn time(&mut self, _: usize) -> Result<Option<f64>> {
        Ok(None)
    }

    fn memory(&self) -> Result<Option<usize>> {
        let model = self.network.compile(self.on.device)?;
        Ok(model.memory(Task::TrainWithGini(LOSS), self.x.len_of(Axis(0)))?)
    }
}

fn trainer<O: Optimizer>(
    network: &NhanesMlp,
    optimizer: O,
    on: On,
) -> Result<Trainer<NhanesMlp, O>> {
    let trainer = Trainer::new(network, on.device, LOSS, optimizer, Seed(1))?;
    let trainer = trainer.with_precision(on.precision);
    Ok(trainer.with_prior(Prior::Gini {
        strength: f64::from(PRIOR),
    })?)
}

fn flat(network: &NhanesMlp) -> Vec<f32> {
    let mut weights = Vec::new();
    network.visit(&mut |weight| weights.extend(weight.array.iter().copied()));
    weights
}
