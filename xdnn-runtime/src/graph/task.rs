//! What a compiled network can be asked for, as a graph.

use xdnn_ir::{NetworkSpec, Shape};

use super::build::{Mode, forward};
use super::{Graph, Value, rules};
use crate::autodiff::vjp;
use crate::custom;
use crate::error::{Error, Result};
use crate::ops::{Leaf, Map, OneHot, Permute, PoolGather, PoolWindow, PoolWinner, Winner};

/// What a graph computes. The outputs of the graph are listed in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Task {
    /// The network's output, `(N, …)`.
    Forward,
    /// The output, then the gradient of each sample's target output with respect to each input.
    Gradient,
    /// The output, then the X-Gradient of each input, `x · ∂F_target/∂x / k`.
    Attribute,
    /// The mean loss of the batch as a scalar, the output, then the gradient of the loss with respect to each weight.
    /// Dropout is active.
    Train(Loss),
}

/// A loss to train with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Loss {
    /// `−ln softmax(logits)[target]`, for outputs `[classes]`. For outputs `[classes, …]` the mean over all positions, each
    /// of which has its target, in row-major order.
    CrossEntropy,
}

impl Graph {
    /// The graph that does `task` for a batch of `batch` samples of the network.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] for a batch of 0, [`Error::OutOfMemory`] for one that no machine could hold, [`Error::Graph`]
    /// where the task does not fit the network, [`Error::DegreeRefuted`] where a layer of another crate does not have the
    /// degree that it declares, and [`Error::CustomLayer`] where it cannot be built.
    pub fn build(spec: &NetworkSpec, task: Task, batch: usize) -> Result<Self> {
        rules::check(spec)?;
        check_batch(spec, batch)?;
        custom::verify(spec)?;
        let mut graph = Self::new();
        let mode = if matches!(task, Task::Train(_)) {
            Mode::Training
        } else {
            Mode::Inference
        };
        let network = forward(&mut graph, spec, batch, mode)?;
        let output = network.output;
        let outputs = match task {
            Task::Forward => vec![output],
            Task::Gradient => {
                let gradients = target_gradients(&mut graph, output, &network.inputs)?;
                [vec![output], gradients].concat()
            }
            Task::Attribute => {
                let degree = rules::attributable_degree(spec)?;
                let gradients = target_gradients(&mut graph, output, &network.inputs)?;
                let mut outputs = vec![output];
                for (input, gradient) in network.inputs.iter().zip(gradients) {
                    let product = graph.mul(*input, gradient)?;
                    outputs.push(graph.scale(product, 1.0 / degree.to_f64())?);
                }
                outputs
            }
            Task::Train(Loss::CrossEntropy) => {
                let loss = cross_entropy(&mut graph, output)?;
                let one = graph.constant(1.0, loss.shape())?;
                let gradients = vjp(&mut graph, &[(loss, one)], &network.weights)?;
                [vec![loss, output], gradients].concat()
            }
        };
        graph.set_outputs(outputs);
        #[cfg(debug_assertions)]
        super::verify::verify(&graph)?;
        Ok(graph)
    }
}

/// The bytes that the processors of today can address. Sizes below it leave room to count in.
const ADDRESSABLE: u64 = 1 << 47;

fn check_batch(spec: &NetworkSpec, batch: usize) -> Result<()> {
    if batch == 0 {
        return Err(Error::option("batch", "at least 1", batch));
    }
    let inputs = spec.inputs().iter().map(|input| input.shape);
    let values = inputs.chain(spec.nodes().iter().map(|node| node.shape));
    let largest = values.map(|shape| shape.elements()).max().unwrap_or(1);
    let bytes = largest
        .saturating_mul(batch)
        .saturating_mul(size_of::<f64>());
    if bytes as u64 <= ADDRESSABLE && isize::try_from(bytes).is_ok() {
        return Ok(());
    }
    Err(Error::OutOfMemory {
        what: format!("a batch of {batch}").into(),
        bytes,
    })
}

/// `∂F_target/∂x` for each input, the target of each sample given by [`Leaf::Target`].
fn target_gradients(graph: &mut Graph, output: Value, inputs: &[Value]) -> Result<Vec<Value>> {
    let (batch, outputs) = (output.shape().dim(0), output.shape().elements());
    let scores = graph.reshape(output, Shape::new([batch, outputs / batch.max(1)]))?;
    let target = graph.leaf(Leaf::Target, Shape::new([batch]))?;
    let chosen = graph.apply(OneHot, &[scores, target])?;
    let cotangent = graph.reshape(chosen, output.shape())?;
    vjp(graph, &[(output, cotangent)], inputs)
}

/// `(N, classes, …)` as a row of logits for each position of each sample.
fn rows(graph: &mut Graph, output: Value) -> Result<Value> {
    let shape = output.shape();
    let [batch, classes, rest @ ..] = shape.dims() else {
        let output = Shape::new([]);
        return Err(Error::NotClasses { output });
    };
    if rest.is_empty() {
        return Ok(output);
    }
    let (batch, classes, positions) = (*batch, *classes, rest.iter().product::<usize>());
    let flat = graph.reshape(output, Shape::new([batch, classes, positions]))?;
    let axes = vec![0, 2, 1];
    let last = graph.apply(Permute { axes }, &[flat])?;
    graph.reshape(last, Shape::new([batch * positions, classes]))
}

/// `mean(ln Σ eᶻ − z_target)`, with the largest logit taken out of the exponent.
fn cross_entropy(graph: &mut Graph, output: Value) -> Result<Value> {
    let logits = rows(graph, output)?;
    let shape = logits.shape();
    let (batch, classes) = (shape.dim(0), shape.dim(1));
    let target = graph.leaf(Leaf::Target, Shape::new([batch]))?;
    let chosen = graph.apply(OneHot, &[logits, target])?;

    let window = PoolWindow::global([1, 1, classes]);
    let rows = graph.reshape(logits, Shape::new([batch, 1, classes]))?;
    let winner = graph.apply(
        PoolWinner {
            window,
            winner: Winner::Max,
        },
        &[rows],
    )?;
    let largest = graph.apply(PoolGather { window }, &[rows, winner])?;
    let largest = graph.reshape(largest, Shape::new([batch]))?;
    let negative = graph.scale(largest, -1.0)?;
    let negative = graph.broadcast(negative, [1], shape)?;
    let shifted = graph.add(logits, negative)?;

    let exponentials = graph.map(Map::Exp, shifted)?;
    let sum = graph.sum(exponentials, [1])?;
    let log_sum = graph.map(Map::Ln, sum)?;
    let selected = graph.mul(shifted, chosen)?;
    let selected = graph.sum(selected, [1])?;
    let selected = graph.scale(selected, -1.0)?;
    let losses = graph.add(log_sum, selected)?;
    let total = graph.sum(losses, [0])?;
    graph.scale(total, 1.0 / batch.max(1) as f64)
}
