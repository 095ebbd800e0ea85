//! Layers of other crates.

use std::any::Any;
use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};

use xdnn_ir::{Custom, NetworkSpec, Node, Scalar, Shape};

use crate::backend::reference::execute;
use crate::error::{DegreeEvidence, invalid};
use crate::graph::{Graph, Value};
use crate::ops::Leaf;
use crate::{Error, Parameters, Result, Seed};

/// A layer of your own: what it computes, as operators of the dialect.
///
/// `#[xdnn(layer, degree = …)]` in front of a struct makes it a layer of the language, with its fields as arguments, and
/// describes the rules that stand beside this trait. The derivative, and with it the attribution and the training step,
/// follow from the operators.
///
/// # The degree is verified
///
/// Nothing proves the degree that a crate declares. So before a network with such a layer is first compiled, the layer is
/// computed in `f64`, with random weights and inputs of both signs, at scales from 4⁻⁵ ≈ 1e-3 to 4⁵ ≈ 1e3 and at 0. Where
/// `f(a·x) = a^p · f(x)` does not hold to 1e-9, or samples of a batch are mixed, the network is refused with
/// [`Error::DegreeRefuted`]. This happens once for each layer, arguments and shape in a process.
pub trait CustomLayer: Copy + Debug + Send + Sync + 'static {
    /// The layer's result for a batch: from `(N, …)` to `(N, …)`. The weights are those of its rule `weights`, in order.
    ///
    /// # Errors
    ///
    /// Those of the graph's methods.
    fn lower(&self, graph: &mut Graph, x: Value, weights: &[Value]) -> Result<Value>;
}

/// What `#[xdnn(layer)]` says of a struct.
#[doc(hidden)]
pub trait Definition: CustomLayer {
    /// The struct of its weights.
    type Weights: Parameters;
    /// How networks hold it.
    const IMPLEMENTATION: &'static (dyn Any + Send + Sync) = &Implementation(lower::<Self>);
    /// The layer of these arguments.
    fn of(arguments: &[Scalar]) -> Option<Self>;
}

type Lower = fn(&[Scalar], &mut Graph, Value, &[Value]) -> Result<Value>;

struct Implementation(Lower);

fn lower<L: Definition>(
    arguments: &[Scalar],
    graph: &mut Graph,
    x: Value,
    weights: &[Value],
) -> Result<Value> {
    let layer = L::of(arguments).ok_or_else(|| invalid("arguments do not fit their layer"))?;
    layer.lower(graph, x, weights)
}

fn fault(custom: &Custom, cause: String) -> Error {
    Error::CustomLayer {
        layer: custom.to_string(),
        cause,
    }
}

/// Adds the operators of a layer of another crate.
pub(crate) fn custom(
    graph: &mut Graph,
    custom: &Custom,
    x: Value,
    weights: &[Value],
) -> Result<Value> {
    let Some(Implementation(lower)) = custom.implementation.downcast_ref() else {
        return Err(fault(
            custom,
            "it was defined with another version of xdnn; use one version in all crates".into(),
        ));
    };
    lower(custom.arguments.as_slice(), graph, x, weights)
}

/// Scaling by powers of 4 does not round, not even in square roots.
const FACTORS: [f64; 6] = [4.0, 1.0 / 16.0, 64.0, 1.0 / 1024.0, 1024.0, 0.0];
/// What powers, exponentials and sums round.
const TOLERANCE: f64 = 1e-9;
const TRIES: u64 = 3;

/// Verifies the degrees of all layers of other crates, of those that have not been verified before.
pub(crate) fn verify(spec: &NetworkSpec) -> Result<()> {
    static VERIFIED: Mutex<Option<HashSet<String>>> = Mutex::new(None);
    for node in spec.nodes() {
        let xdnn_ir::Operation::Custom(custom) = node.operation else {
            continue;
        };
        let Some(operand) = node.operands.first() else {
            return Err(invalid(format!("`{}` reads nothing", custom.name)));
        };
        let input = spec.shape_of(*operand);
        let key = format!(
            "{:p} {custom} {} {input}",
            custom.implementation, custom.degree
        );
        let seen = |key: &str| {
            let mut verified = VERIFIED.lock().unwrap_or_else(PoisonError::into_inner);
            verified.get_or_insert_default().contains(key)
        };
        if !seen(&key) {
            let weights = spec.weights().get(node.weights.clone()).unwrap_or_default();
            let weights: Vec<Shape> = weights.iter().map(|weight| weight.shape).collect();
            verify_one(node, &custom, input, &weights)?;
            let mut verified = VERIFIED.lock().unwrap_or_else(PoisonError::into_inner);
            verified.get_or_insert_default().insert(key);
        }
    }
    Ok(())
}

/// Computes a batch of `x` and `a·x` for each factor `a`, in one go, so that samples that are mixed show, too.
fn verify_one(node: &Node, custom: &Custom, input: Shape, weights: &[Shape]) -> Result<()> {
    let mut graph = Graph::new();
    let shape = |shape: Shape| {
        shape
            .batched(2)
            .ok_or_else(|| invalid(format!("{shape} has no room for a batch dimension")))
    };
    let x = graph.leaf(Leaf::Input(0), shape(input)?)?;
    let mut leaves = Vec::new();
    for (i, weight) in weights.iter().enumerate() {
        leaves.push(graph.leaf(Leaf::Weight(i), *weight)?);
    }
    let y = self::custom(&mut graph, custom, x, &leaves)?;
    if y.shape() != shape(node.shape)? {
        let cause = format!(
            "it computes {} for a batch of 2, but its `output` says {} for each sample; make the two agree",
            y.shape(),
            node.shape,
        );
        return Err(fault(custom, cause));
    }
    graph.set_outputs(vec![y]);
    let present: Vec<Leaf> = graph.leaves().into_iter().map(|(leaf, _)| leaf).collect();
    let power = custom.degree.to_f64();
    for n in 0..TRIES {
        let mut numbers = Seed(n).stream(custom.name);
        let mut draw = |shape: &Shape| -> Vec<f64> {
            let number = || rand::RngExt::random_range(&mut numbers, -1.0..1.0);
            std::iter::repeat_with(number)
                .take(shape.elements())
                .collect()
        };
        let sample = draw(&input);
        let weights: Vec<Vec<f64>> = weights.iter().map(&mut draw).collect();
        for factor in FACTORS {
            let both: Vec<f64> = sample
                .iter()
                .copied()
                .chain(sample.iter().map(|x| factor * x))
                .collect();
            let data: Vec<&[f64]> = present
                .iter()
                .map(|leaf| match leaf {
                    Leaf::Weight(i) => weights[*i].as_slice(),
                    _ => both.as_slice(),
                })
                .collect();
            let y = execute(&mut graph, &data)?.swap_remove(0);
            let (one, scaled) = y.split_at(y.len() / 2);
            // At degree 0 a function may jump at 0.
            let expected = if factor == 0.0 && power == 0.0 {
                continue;
            } else {
                factor.powf(power)
            };
            let largest = |row: &[f64]| row.iter().fold(0.0, |max: f64, y| max.max(y.abs()));
            let bound = TOLERANCE * (expected * largest(one)).max(largest(scaled));
            let wrong = one.iter().zip(scaled).position(|(one, scaled)| {
                let off = (scaled - expected * one).abs();
                off > bound || off.is_nan()
            });
            if let Some(i) = wrong {
                return Err(Error::DegreeRefuted(Box::new(DegreeEvidence {
                    layer: custom.to_string(),
                    path: node.path.to_string(),
                    degree: custom.degree,
                    factor,
                    at_one: one[i],
                    at_factor: scaled[i],
                })));
            }
        }
    }
    Ok(())
}
