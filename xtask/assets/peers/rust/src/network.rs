//! A network, its weights and its inputs, as `bench-peers` writes them.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use safetensors::SafeTensors;
use serde::Deserialize;
use serde_json::Value;

/// What is to be computed.
pub struct Problem {
    pub network: Network,
    pub weights: HashMap<String, Array>,
    pub input: Array,
}

/// Numbers in row-major order.
pub struct Array {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

#[derive(Deserialize)]
pub struct Network {
    /// The shape of one sample.
    input: Vec<usize>,
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
pub struct Node {
    pub op: String,
    pub fields: HashMap<String, Value>,
    operands: Vec<(String, usize)>,
    pub weights: Vec<String>,
}

impl Problem {
    pub fn read(folder: &Path, batch: usize) -> Result<Self> {
        let network: Network = serde_json::from_slice(&fs::read(folder.join("network.json"))?)?;
        let bytes = fs::read(folder.join("weights.safetensors"))?;
        let tensors = SafeTensors::deserialize(&bytes)?;
        let weights = tensors.iter().map(|(name, tensor)| {
            let (shape, values) = (tensor.shape().to_vec(), numbers(tensor.data()));
            (name.to_owned(), Array { shape, values })
        });
        let weights = weights.collect();
        let mut shape = vec![batch];
        shape.extend(&network.input);
        let mut values = numbers(&fs::read(folder.join("input.f32"))?);
        values.truncate(shape.iter().product());
        Ok(Self {
            network,
            weights,
            input: Array { shape, values },
        })
    }
}

fn numbers(bytes: &[u8]) -> Vec<f32> {
    let numbers = bytes.as_chunks().0.iter().copied();
    numbers.map(f32::from_le_bytes).collect()
}

impl Network {
    /// The output, each node by `compute`.
    pub fn interpret<T: Clone>(
        &self,
        input: &T,
        compute: impl Fn(&Node, &[T]) -> Result<T>,
    ) -> Result<T> {
        let mut values: Vec<T> = Vec::new();
        for node in &self.nodes {
            let read = |(kind, i): &(String, usize)| match kind.as_str() {
                "input" => Some(input.clone()),
                _ => values.get(*i).cloned(),
            };
            let operands: Option<Vec<T>> = node.operands.iter().map(read).collect();
            let operands = operands.context("a node that reads a later one")?;
            values.push(compute(node, &operands).with_context(|| node.op.clone())?);
        }
        values.pop().context("a network without nodes")
    }
}

impl Node {
    /// The weights' names.
    pub fn weight(&self) -> Result<&str> {
        self.weights
            .first()
            .map(String::as_str)
            .context("no weight")
    }

    /// An argument along both axes of an image.
    pub fn pair(&self, name: &str) -> Result<[usize; 2]> {
        let value = self
            .fields
            .get(name)
            .with_context(|| format!("no `{name}`"))?;
        Ok(serde_json::from_value(value.clone())?)
    }

    /// The step of a pool, which is its window where it is not given.
    pub fn pool_stride(&self) -> Result<[usize; 2]> {
        match self.fields.get("stride") {
            Some(Value::Null) | None => self.pair("kernel"),
            Some(_) => self.pair("stride"),
        }
    }

    /// An argument that must be the same along both axes.
    pub fn square(&self, name: &str) -> Result<usize> {
        let [height, width] = self.pair(name)?;
        ensure!(height == width, "`{name}` is {height} and {width}");
        Ok(height)
    }

    pub fn number(&self, name: &str) -> Result<usize> {
        let value = self
            .fields
            .get(name)
            .with_context(|| format!("no `{name}`"))?;
        Ok(serde_json::from_value(value.clone())?)
    }
}
