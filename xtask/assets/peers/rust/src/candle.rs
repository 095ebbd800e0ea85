//! candle.

mod pool;

use std::collections::HashMap;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use candle_core::{D, Device, Tensor, Var};

use crate::network::{Array, Network, Node, Problem};
use crate::protocol::{Peer, Run, Values};
use pool::MaxPool;

pub struct Candle;

impl Peer for Candle {
    const NAME: &str = "candle";
    const VERSION: &str = "candle 0.11.1";

    fn prepare(&self, problem: Problem, task: &str) -> Result<Result<Run, String>> {
        let attribute = match task {
            "forward" => false,
            "attribute" => true,
            _ => return Ok(Err("its gradients have no gradients".to_owned())),
        };
        let network = problem.network;
        let weights = problem.weights.iter();
        let weights = weights.map(|(name, array)| Ok((name.clone(), tensor(array)?)));
        let weights: HashMap<_, _> = weights.collect::<Result<_>>()?;
        let x = tensor(&problem.input)?;
        let run: Run = Box::new(move || {
            let result = if attribute {
                x_gradient(&network, &weights, &x)?
            } else {
                network.interpret(&x, |node, operands| layer(node, &weights, operands, false))?
            };
            Ok(Box::new(move || Ok(result.flatten_all()?.to_vec1()?)) as Values)
        });
        Ok(Ok(run))
    }

    fn product_rate(&self) -> Result<f64> {
        let mut best = 0.0_f64;
        for size in [1024, 1536] {
            let a = Tensor::rand(-1_f32, 1., (size, size), &Device::Cpu)?;
            for _ in 0..12 {
                let start = Instant::now();
                a.matmul(&a)?;
                best = best.max(2e-9 * (size as f64).powi(3) / start.elapsed().as_secs_f64());
            }
        }
        Ok(best)
    }
}

fn tensor(array: &Array) -> Result<Tensor> {
    Ok(Tensor::from_slice(
        &array.values,
        array.shape.as_slice(),
        &Device::Cpu,
    )?)
}

fn x_gradient(network: &Network, weights: &HashMap<String, Tensor>, x: &Tensor) -> Result<Tensor> {
    let x = Var::from_tensor(x)?;
    let outputs = network.interpret(x.as_tensor(), |node, operands| {
        layer(node, weights, operands, true)
    })?;
    let picks = outputs.detach().argmax_keepdim(D::Minus1)?;
    let gradients = outputs.gather(&picks, D::Minus1)?.sum_all()?.backward()?;
    Ok((x.as_detached_tensor() * gradients.get(&x).context("no gradient")?)?)
}

fn layer(
    node: &Node,
    weights: &HashMap<String, Tensor>,
    operands: &[Tensor],
    differentiable: bool,
) -> Result<Tensor> {
    let weight = || weights.get(node.weight()?).context("an unknown weight");
    Ok(match (node.op.as_str(), operands) {
        ("Conv2d", [x]) => x.conv2d(
            weight()?,
            node.square("padding")?,
            node.square("stride")?,
            node.square("dilation")?,
            node.number("groups")?,
        )?,
        ("Linear", [x]) => x.matmul(&weight()?.t()?)?,
        ("Relu", [x]) => x.relu()?,
        // candle has no padding here, and no gradient where windows overlap.
        ("MaxPool2d", [x]) if differentiable || node.square("padding")? > 0 => {
            x.apply_op1(MaxPool {
                kernel: node.square("kernel")?,
                stride: node.pool_stride()?[0],
                padding: node.square("padding")?,
            })?
        }
        ("MaxPool2d", [x]) => {
            x.max_pool2d_with_stride(node.square("kernel")?, node.pool_stride()?[0])?
        }
        ("AdaptiveAvgPool2d", [x]) => {
            let (.., height, width) = x.dims4()?;
            ensure!(
                height == width && height == node.number("height")?,
                "another size"
            );
            x.clone()
        }
        ("GlobalAvgPool", [x]) => x.mean_keepdim(D::Minus1)?.mean_keepdim(D::Minus2)?,
        ("Flatten", [x]) => x.flatten_from(1)?,
        ("Dropout", [x]) => x.clone(),
        ("sum", [a, b]) => (a + b)?,
        (op, _) => bail!("no layer `{op}`"),
    })
}
