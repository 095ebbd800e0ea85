//! burn with `burn-flex`, the fastest of its backends for CPUs that needs no LLVM.

use std::collections::HashMap;

use anyhow::{Context, Result, bail, ensure};
use burn::tensor::{
    Device, Tensor, TensorData, activation, module, ops::ConvOptions, ops::MaxPoolOptions,
};

use crate::network::{Array, Network, Node, Problem};
use crate::protocol::{Peer, Run, Values};

pub struct Burn {
    device: Device,
}

/// A tensor's rank is a part of its type.
#[derive(Clone)]
enum Value {
    Images(Tensor<4>),
    Rows(Tensor<2>),
}

impl Burn {
    pub fn new() -> Self {
        Self {
            device: Device::flex(),
        }
    }
}

impl Peer for Burn {
    const NAME: &str = "burn";
    const VERSION: &str = "burn 0.22.1 with burn-flex";

    fn prepare(&self, problem: Problem, task: &str) -> Result<Result<Run, String>> {
        let attribute = match task {
            "forward" => false,
            "attribute" => true,
            _ => return Ok(Err("its gradients have no gradients".to_owned())),
        };
        let device = if attribute {
            self.device.clone().autodiff()
        } else {
            self.device.clone()
        };
        let network = problem.network;
        let weights = problem.weights.into_iter();
        let weights = weights.map(|(name, array)| Ok((name, weight(array, &device)?)));
        let weights: HashMap<_, _> = weights.collect::<Result<_>>()?;
        let x = value(problem.input, &device)?;
        let run: Run = Box::new(move || {
            let result = if attribute {
                x_gradient(&network, &weights, &x)?
            } else {
                network.interpret(&x, |node, operands| layer(node, &weights, operands))?
            };
            Ok(Box::new(move || result.numbers()) as Values)
        });
        Ok(Ok(run))
    }

    fn product_rate(&self) -> Result<f64> {
        bail!("it multiplies matrices by the crate that candle uses")
    }
}

fn value(array: Array, device: &Device) -> Result<Value> {
    let data = TensorData::new(array.values, array.shape.clone());
    Ok(match array.shape.len() {
        4 => Value::Images(Tensor::from_data(data, device)),
        2 => Value::Rows(Tensor::from_data(data, device)),
        rank => bail!("a tensor of rank {rank}"),
    })
}

/// Matrices are transposed where they are, which is faster than in burn's own order: its linear layer has the inputs first.
fn weight(array: Array, device: &Device) -> Result<Value> {
    Ok(match value(array, device)? {
        Value::Rows(rows) => Value::Rows(rows.transpose()),
        images => images,
    })
}

impl Value {
    fn numbers(self) -> Result<Vec<f32>> {
        let data = match self {
            Self::Images(images) => images.into_data(),
            Self::Rows(rows) => rows.into_data(),
        };
        data.try_to_vec().ok().context("no numbers")
    }
}

fn x_gradient(network: &Network, weights: &HashMap<String, Value>, x: &Value) -> Result<Value> {
    let x = match x.clone() {
        Value::Images(x) => Value::Images(x.require_grad()),
        Value::Rows(x) => Value::Rows(x.require_grad()),
    };
    let outputs = network.interpret(&x, |node, operands| layer(node, weights, operands))?;
    let Value::Rows(outputs) = outputs else {
        bail!("no rows of outputs")
    };
    let picks = outputs.clone().detach().argmax(1);
    let gradients = outputs.gather(1, picks).sum().backward();
    Ok(match x {
        Value::Images(x) => Value::Images(x.grad(&gradients).context("no gradient")? * x.inner()),
        Value::Rows(x) => Value::Rows(x.grad(&gradients).context("no gradient")? * x.inner()),
    })
}

fn layer(node: &Node, weights: &HashMap<String, Value>, operands: &[Value]) -> Result<Value> {
    let weight = || {
        weights
            .get(node.weight()?)
            .cloned()
            .context("an unknown weight")
    };
    Ok(match (node.op.as_str(), operands) {
        ("Conv2d", [Value::Images(x)]) => {
            let Value::Images(weight) = weight()? else {
                bail!("no kernels")
            };
            let options = ConvOptions::new(
                node.pair("stride")?,
                node.pair("padding")?,
                node.pair("dilation")?,
                node.number("groups")?,
            );
            Value::Images(module::conv2d(x.clone(), weight, None, options))
        }
        ("Linear", [Value::Rows(x)]) => {
            let Value::Rows(weight) = weight()? else {
                bail!("no matrix")
            };
            Value::Rows(module::linear(x.clone(), weight, None))
        }
        ("Relu", [Value::Images(x)]) => Value::Images(activation::relu(x.clone())),
        ("Relu", [Value::Rows(x)]) => Value::Rows(activation::relu(x.clone())),
        ("MaxPool2d", [Value::Images(x)]) => {
            let options = MaxPoolOptions::new(node.pair("kernel")?)
                .with_stride(node.pool_stride()?)
                .with_padding(node.pair("padding")?);
            Value::Images(module::max_pool2d(x.clone(), options))
        }
        ("AdaptiveAvgPool2d", [Value::Images(x)]) => {
            let [.., height, width] = x.dims();
            ensure!(
                height == width && height == node.number("height")?,
                "another size"
            );
            Value::Images(x.clone())
        }
        ("GlobalAvgPool", [Value::Images(x)]) => {
            Value::Images(module::adaptive_avg_pool2d(x.clone(), [1, 1]))
        }
        ("Flatten", [Value::Images(x)]) => Value::Rows(x.clone().flatten(1, 3)),
        ("Dropout", [x]) => x.clone(),
        ("sum", [Value::Images(a), Value::Images(b)]) => Value::Images(a.clone() + b.clone()),
        (op, _) => bail!("no layer `{op}`"),
    })
}
