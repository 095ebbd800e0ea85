//! How long a work takes at least where layers are sums of products, and how near ours is.

use std::fmt::Write as _;

use anyhow::Result;
use xdnn::ir::NetworkSpec;

use super::ceiling::Ceiling;
use super::network;
use super::peers::OURS;
use super::row::{Row, Unit, threads};
use super::work::Task;

/// A layer in one direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pass {
    pub flop: f64,
    pub bytes: f64,
}

/// The layers of a network in the directions that a task takes.
///
/// Two operations for each product of a convolution or a linear layer, forward and for the gradient of its input. Weights
/// are read once in each direction, outputs once. The gradient of one output needs one row of the last layer.
///
/// A training step with a prior on the X-Gradients of one logit needs two more products: of the tangents along which the
/// prior changes, and of these, with the loss's share of the layer's input, and the gradients of its outputs.
pub fn passes(spec: &NetworkSpec, task: Task, batch: usize) -> Vec<Pass> {
    let batch = batch as f64;
    let weights = spec.weights();
    let layers = spec.nodes().iter().filter_map(|node| {
        let weight = weights.get(node.weights.clone())?.first()?;
        Some((node, weight))
    });
    let layers: Vec<_> = layers.collect();
    let mut passes = Vec::new();
    for (i, (node, weight)) in layers.iter().enumerate() {
        let outputs = node.shape.elements() as f64;
        let size = weight.shape.elements() as f64;
        let row = size / weight.shape.dims().first().copied().unwrap_or(1) as f64;
        passes.push(Pass {
            flop: 2.0 * batch * outputs * row,
            bytes: 4.0 * (size + batch * outputs),
        });
        if task == Task::Forward {
            continue;
        }
        let last = i + 1 == layers.len();
        passes.push(Pass {
            flop: 2.0 * batch * row * if last { 1.0 } else { outputs },
            bytes: 4.0 * if last { batch * row } else { size },
        });
        if task == Task::Step {
            let product = Pass {
                flop: 2.0 * batch * outputs * row,
                bytes: 4.0 * size,
            };
            passes.extend([product; 2]);
        }
    }
    passes
}

/// What was measured beside the floors.
pub fn table(rows: &[Row], ceilings: &[Ceiling]) -> Result<String> {
    let ceilings_of = |ceiling: &Ceiling| {
        let threads = threads(ceiling.threads);
        let Ceiling {
            product,
            by,
            reading,
            ..
        } = ceiling;
        format!(
            "On {threads} products of matrices reach {product:.0} GFLOP/s ({by}), and reading {reading:.1} GB/s."
        )
    };
    let sentences: Vec<_> = ceilings.iter().map(ceilings_of).collect();
    let mut table = sentences.join(" ");
    table += "\n\n| work | threads | GFLOP | MB | GFLOP/s | GB/s | floor | measured | measured / floor |\n|---|";
    table += &"--:|".repeat(8);
    for row in rows {
        let Some(ours) = row.value(OURS) else {
            continue;
        };
        if !row.work.is_alike() {
            continue;
        }
        let Some(ceiling) = ceilings
            .iter()
            .find(|ceiling| ceiling.threads == row.threads)
        else {
            continue;
        };
        let passes = passes(
            network::spec(row.work.network)?,
            row.work.task,
            row.work.batch,
        );
        let [flop, bytes] = [|pass: &Pass| pass.flop, |pass: &Pass| pass.bytes]
            .map(|of| passes.iter().map(of).sum::<f64>());
        let floor = 1e3 * floor(&passes, ceiling);
        let _ = write!(
            table,
            "\n| {} | {} | {:.2} | {:.1} | {:.0} | {:.1} | {} | {} | {:.2} |",
            row.name,
            row.threads,
            1e-9 * flop,
            1e-6 * bytes,
            1e-6 * flop / ours,
            1e-6 * bytes / ours,
            Unit::Milliseconds.figure(floor),
            Unit::Milliseconds.figure(ours),
            ours / floor
        );
    }
    Ok(table)
}

/// Seconds.
fn floor(passes: &[Pass], ceiling: &Ceiling) -> f64 {
    let passes = passes.iter();
    let seconds = passes.map(|pass| {
        let computing = pass.flop / (1e9 * ceiling.product);
        computing.max(pass.bytes / (1e9 * ceiling.reading))
    });
    seconds.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(passes: &[Pass], of: fn(&Pass) -> f64) -> f64 {
        passes.iter().map(of).sum()
    }

    #[test]
    fn operations_are_those_of_the_literature() {
        let forward = passes(network::spec("XResNet50").unwrap(), Task::Forward, 1);
        let billions = 1e-9 * total(&forward, |pass| pass.flop);
        assert!((billions - 8.18).abs() < 0.01, "{billions}");
    }

    #[test]
    fn the_last_layer_needs_a_row_for_a_gradient() {
        let spec = network::spec("NhanesMlp").unwrap();
        let passes = passes(spec, Task::Attribute, 100);
        assert_eq!(passes.len(), 8);
        assert_eq!(
            passes.last(),
            Some(&Pass {
                flop: 2.0 * 100.0 * 32.0,
                bytes: 4.0 * 100.0 * 32.0,
            })
        );
    }

    #[test]
    fn each_layer_waits_for_what_takes_longer() {
        let passes = [
            Pass {
                flop: 4e9,
                bytes: 1e9,
            },
            Pass {
                flop: 1e9,
                bytes: 3e9,
            },
        ];
        let ceiling = Ceiling {
            threads: 1,
            product: 2.0,
            by: "",
            reading: 1.0,
        };
        assert_eq!(floor(&passes, &ceiling), 2.0 + 3.0);
    }
}
