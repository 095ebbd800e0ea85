//! Training with a prior on the attributions.

use std::path::Path;

use anyhow::Result;
use xdnn::Parameters;
use xdnn::ndarray::ArrayD;
use xdnn::prelude::*;
use xdnn::training::Optimizer;

use super::{Run, input};
use crate::bench_peers::network::{self, NhanesMlp};

const LEARNING_RATE: f64 = 1e-3;
const PRIOR: f32 = 1.0;
/// So large that a step of plain descent is the gradient, and the weights before it are roundings.
const FAR: f64 = 1000.0;

pub struct Train {
    network: NhanesMlp,
    x: ArrayD<f32>,
    classes: Vec<usize>,
    trainer: Trainer<NhanesMlp, Adam>,
}

impl Train {
    pub fn new(folder: &Path, batch: usize) -> Result<Self> {
        let network = NhanesMlp::load(folder.join("weights.safetensors"))?;
        let targets = network::read(&folder.join("target.f32"))?;
        let classes = targets.iter().take(batch);
        Ok(Self {
            x: input(folder, NhanesMlp::SPEC, batch)?,
            classes: classes.map(|target| usize::from(*target > 0.5)).collect(),
            trainer: trainer(&network, Adam::new(LEARNING_RATE))?,
            network,
        })
    }

    /// The loss and the prior together.
    fn objective(&mut self) -> Result<f32> {
        let step = self.trainer.step(&self.x, &self.classes)?;
        Ok(step.loss - PRIOR * step.prior)
    }

    fn gradient(&self) -> Result<Vec<f32>> {
        let mut descent = trainer(&self.network, Sgd::new(FAR))?;
        descent.step(&self.x, &self.classes)?;
        let [before, after] = [weights(&self.network), weights(&descent.network()?)];
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
        self.trainer = trainer(&self.network, Adam::new(LEARNING_RATE))?;
        self.run() // which compiles
    }

    fn run(&mut self) -> Result<()> {
        self.objective().map(drop)
    }
}

fn trainer<O: Optimizer>(network: &NhanesMlp, optimizer: O) -> Result<Trainer<NhanesMlp, O>> {
    let loss = Loss::BinaryCrossEntropy;
    let trainer = Trainer::new(network, Device::Cpu, loss, optimizer, Seed(1))?;
    Ok(trainer.with_prior(Prior::Gini {
        strength: f64::from(PRIOR),
    })?)
}

fn weights(network: &NhanesMlp) -> Vec<f32> {
    let mut weights = Vec::new();
    network.visit(&mut |weight| weights.extend(weight.array.iter().copied()));
    weights
}
