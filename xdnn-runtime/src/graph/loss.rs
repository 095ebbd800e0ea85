//! Losses.

use xdnn_ir::Shape;

use super::{Graph, Value};
use crate::error::{Error, Result};
use crate::ops::{Leaf, Map, OneHot, Permute, PoolGather, PoolWindow, PoolWinner, Winner};

/// A loss to train with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Loss {
    /// `−ln softmax(logits)[target]`, for outputs `[classes]`. For outputs `[classes, …]` the mean over all positions, each
    /// of which has its target, in row-major order.
    CrossEntropy,
    /// `ln(1 + eᶻ) − y·z`, for outputs `[1]`, the logit `z` of class 1, and targets `y` of 0 or 1: the cross-entropy of
    /// `σ(z)`.
    BinaryCrossEntropy,
}

/// A loss in a graph.
pub(super) struct Built {
    /// The mean over the batch, a scalar.
    pub loss: Value,
    /// The logits that attributions explain, with 1 where the target of each sample, or of each position, is.
    pub explained: (Value, Value),
}

impl Loss {
    /// Adds the loss of a network's output.
    pub(super) fn build(self, graph: &mut Graph, output: Value) -> Result<Built> {
        match self {
            Self::CrossEntropy => cross_entropy(graph, output),
            Self::BinaryCrossEntropy => binary_cross_entropy(graph, output),
        }
    }
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
fn cross_entropy(graph: &mut Graph, output: Value) -> Result<Built> {
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
    Ok(Built {
        loss: mean(graph, losses)?,
        explained: (logits, chosen),
    })
}

/// `mean(ln(1 + eᶻ) − y·z)`.
fn binary_cross_entropy(graph: &mut Graph, output: Value) -> Result<Built> {
    let shape = output.shape();
    let [batch, 1] = *shape.dims() else {
        let sample = Shape::from_slice(shape.dims().get(1..).unwrap_or_default()).unwrap_or(shape);
        return Err(Error::NotOneLogit { output: sample });
    };
    let logits = graph.reshape(output, Shape::new([batch]))?;
    let target = graph.leaf(Leaf::Target, Shape::new([batch]))?;
    let softplus = graph.map(Map::Softplus, logits)?;
    let selected = graph.mul(target, logits)?;
    let selected = graph.scale(selected, -1.0)?;
    let losses = graph.add(softplus, selected)?;
    let ones = graph.constant(1.0, logits.shape())?;
    Ok(Built {
        loss: mean(graph, losses)?,
        explained: (logits, ones),
    })
}

fn mean(graph: &mut Graph, losses: Value) -> Result<Value> {
    let total = graph.sum(losses, [0])?;
    graph.scale(total, 1.0 / losses.shape().elements().max(1) as f64)
}
