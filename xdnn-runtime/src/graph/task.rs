//! What a compiled network can be asked for, as a graph.

use xdnn_ir::{NetworkSpec, Shape};

use super::build::{Mode, forward};
use super::{Graph, Loss, Value, loss, prior, rules};
use crate::autodiff::vjp;
use crate::custom;
use crate::error::{Error, Result};
use crate::ops::{Leaf, OneHot};

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
    /// The same with [`Prior::Gini`](crate::training::Prior::Gini): the mean loss, the output and the Gini coefficient as a
    /// scalar, then the gradient of `loss − strength · Gini` with respect to each weight. The strength is a leaf.
    TrainWithGini(Loss),
}

impl Task {
    /// Whether it computes gradients of weights, which then change from run to run.
    pub(crate) fn trains(self) -> bool {
        matches!(self, Self::Train(_) | Self::TrainWithGini(_))
    }
}

impl Graph {
    /// The graph that does `task` for a batch of `batch` samples of the network.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] for a batch of 0, [`Error::OutOfMemory`] for one that no machine could hold, [`Error::NotClasses`]
    /// and [`Error::NotOneLogit`] for an output that the loss does not fit, [`Error::NotHomogeneous`] and [`Error::Degree`]
    /// for attributions of a network that has no degree above 0, [`Error::Graph`] where the description of the network is
    /// not consistent, [`Error::DegreeRefuted`] where a layer of another crate does not have the degree that it declares,
    /// and [`Error::CustomLayer`] where it cannot be built.
    pub fn build(spec: &NetworkSpec, task: Task, batch: usize) -> Result<Self> {
        rules::check(spec)?;
        check_batch(spec, batch)?;
        custom::verify(spec)?;
        let mut graph = Self::new();
        let mode = if task.trains() {
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
            Task::Train(loss) => {
                let loss = loss.build(&mut graph, output)?.loss;
                let one = graph.constant(1.0, loss.shape())?;
                let gradients = vjp(&mut graph, &[(loss, one)], &network.weights)?;
                [vec![loss, output], gradients].concat()
            }
            Task::TrainWithGini(loss) => {
                rules::attributable_degree(spec)?;
                let loss::Built { loss, explained } = loss.build(&mut graph, output)?;
                let gini = prior::gini(&mut graph, &network.inputs, explained)?;
                let one = graph.constant(1.0, loss.shape())?;
                let strength = graph.leaf(Leaf::PriorStrength, gini.shape())?;
                let reward = graph.scale(strength, -1.0)?;
                let seeds = [(loss, one), (gini, reward)];
                let gradients = vjp(&mut graph, &seeds, &network.weights)?;
                [vec![loss, output, gini], gradients].concat()
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
