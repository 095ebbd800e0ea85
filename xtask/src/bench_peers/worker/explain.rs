//! Outputs and X-Gradients.

use std::hint::black_box;
use std::path::Path;

use anyhow::{Context, Result};
use xdnn::ndarray::ArrayD;
use xdnn::{Device, DynamicModel, Target, weights};

use super::{Run, input};
use crate::bench_peers::network;

pub struct Explain {
    model: DynamicModel,
    x: ArrayD<f32>,
    forward: bool,
}

impl Explain {
    pub fn new(folder: &Path, task: &str, batch: usize) -> Result<Self> {
        let name = folder.file_name().and_then(|name| name.to_str());
        let spec = network::spec(name.context("a folder without a name")?)?;
        let weights = weights::safetensors::load(spec, &folder.join("weights.safetensors"))?;
        Ok(Self {
            model: DynamicModel::new(spec.clone(), weights, Device::Cpu)?,
            x: input(folder, spec, batch)?,
            forward: task == "forward",
        })
    }
}

impl Run for Explain {
    fn results(&mut self) -> Result<Vec<f32>> {
        Ok(if self.forward {
            self.model.forward(&self.x)?.iter().copied().collect()
        } else {
            let attribution = self.model.attribute(&self.x, Target::Predicted)?;
            attribution.values().iter().copied().collect()
        })
    }

    fn run(&mut self) -> Result<()> {
        if self.forward {
            black_box(self.model.forward(&self.x)?);
        } else {
            black_box(self.model.attribute(&self.x, Target::Predicted)?);
        }
        Ok(())
    }
}
