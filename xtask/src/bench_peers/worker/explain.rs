//! Outputs and X-Gradients.

use std::hint::black_box;
use std::path::Path;

use anyhow::{Context, Result};
use xdnn::ndarray::{ArrayD, Axis};
use xdnn::{DynamicModel, Target, Task, weights};

use super::{On, Run, input};
use crate::bench_peers::network;

pub struct Explain {
    model: DynamicModel,
    x: ArrayD<f32>,
    forward: bool,
}

impl Explain {
    pub fn new(folder: &Path, task: &str, batch: usize, on: On) -> Result<Self> {
        let name = folder.file_name().and_then(|name| name.to_str());
        let spec = network::spec(name.context("a folder without a name")?)?;
        let weights = weights::safetensors::load(spec, &folder.join("weights.safetensors"))?;
        let model = DynamicModel::new(spec.clone(), weights, on.device)?;
        Ok(Self {
            model: model.with_precision(on.precision),
            x: input(folder, spec, batch)?,
            forward: task == "forward",
        })
    }
}

impl Explain {
    fn task(&self) -> (Task, usize) {
        let task = if self.forward {
            Task::Forward
        } else {
            Task::Attribute
        };
        (task, self.x.len_of(Axis(0)))
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

    fn time(&mut self, runs: usize) -> Result<Option<f64>> {
        let (task, batch) = self.task();
        Ok(self.model.time(task, batch, runs)?)
    }

    fn memory(&self) -> Result<Option<usize>> {
        let (task, batch) = self.task();
        Ok(self.model.memory(task, batch)?)
    }
}
