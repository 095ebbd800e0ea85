//! Derivatives against central differences.

use std::ops::Range;

use xdnn_runtime::autodiff::{jvp, vjp};
use xdnn_runtime::graph::Value;
use xdnn_runtime::ir::{NetworkSpec, Shape};
use xdnn_runtime::ops::Leaf;
use xdnn_runtime::{Graph, Result, Task};

use super::numbers::Numbers;
use super::run::{Leaves, run};

/// The step of the differences. Their truncation, `h²/6 · f‴ ≈ 1e-11 · f‴`, and their rounding, `2⁻⁵³ / h · f ≈ 1.5e-11
/// · f`, are about the same.
const STEP: f64 = 1.0 / 131_072.0;

/// A function as a graph computes it: real variables to results.
pub trait Function: Fn(&mut Graph, &[Value]) -> Result<Vec<Value>> {}
impl<F: Fn(&mut Graph, &[Value]) -> Result<Vec<Value>>> Function for F {}

/// A graph with the variables and the results of a function.
pub struct Traced {
    pub graph: Graph,
    pub variables: Vec<Value>,
    pub results: Vec<Value>,
}

/// Checks both derivatives of a function of variables of these shapes, at a point of `domain`.
pub fn check(shapes: &[Shape], domain: &Range<f64>, function: impl Function) {
    check_traced(|| trace(shapes, &function), domain);
}

/// Checks both derivatives of the outputs of a network's task by each of its leaves that is real.
pub fn check_task(spec: &NetworkSpec, task: Task, batch: usize, domain: &Range<f64>) {
    check_traced(|| trace_task(spec, task, batch), domain);
}

/// The graph of a function. Its variables are the leaves `Weight(i)`.
pub fn trace(shapes: &[Shape], function: &impl Function) -> Traced {
    let mut graph = Graph::new();
    let leaf = |(i, shape): (usize, &Shape)| graph.leaf(Leaf::Weight(i), *shape).unwrap();
    let variables: Vec<Value> = shapes.iter().enumerate().map(leaf).collect();
    let results = function(&mut graph, &variables).unwrap();
    Traced {
        graph,
        variables,
        results,
    }
}

/// The graph of a network's task. Its variables are the inputs and the weights.
pub fn trace_task(spec: &NetworkSpec, task: Task, batch: usize) -> Traced {
    let graph = Graph::build(spec, task, batch).unwrap();
    let real = |leaf: &Leaf| matches!(leaf, Leaf::Input(_) | Leaf::Weight(_));
    let leaves = graph.leaves().into_iter().filter(|(leaf, _)| real(leaf));
    let (variables, results) = (
        leaves.map(|(_, value)| value).collect(),
        graph.outputs().to_vec(),
    );
    Traced {
        graph,
        variables,
        results,
    }
}

/// `x ↦ J(x)ᵀ·u` for a fixed `u`: the leaves `Seed(first)`, `Seed(first + 1)`, ….
pub fn gradient(function: impl Function, first: usize) -> impl Function {
    move |graph: &mut Graph, x: &[Value]| {
        let results = function(graph, x)?;
        let seeds = seeds(graph, first, &results)?;
        vjp(graph, &seeds, x)
    }
}

/// `x ↦ J(x)·t` for a fixed `t`: the leaves `Seed(first)`, `Seed(first + 1)`, ….
pub fn tangent(function: impl Function, first: usize) -> impl Function {
    move |graph: &mut Graph, x: &[Value]| {
        let results = function(graph, x)?;
        let seeds = seeds(graph, first, x)?;
        jvp(graph, &seeds, &results)
    }
}

/// Each value with a leaf of its shape.
pub fn seeds(graph: &mut Graph, first: usize, of: &[Value]) -> Result<Vec<(Value, Value)>> {
    let seed = |(i, value): (usize, &Value)| {
        Ok((*value, graph.leaf(Leaf::Seed(first + i), value.shape())?))
    };
    of.iter().enumerate().map(seed).collect()
}

/// Numbers for every leaf of a graph.
pub fn values(graph: &Graph, domain: &Range<f64>, seed: u64) -> Leaves {
    let value = |(leaf, value): (Leaf, Value)| {
        let n = value.shape().elements();
        let mut numbers = Numbers::new(seed ^ fingerprint(leaf));
        let data = match leaf {
            Leaf::Input(_) | Leaf::Weight(_) | Leaf::LaidOut(..) => numbers.spread(n, domain),
            Leaf::Target => (0..n).map(|i| (i % 2) as f64).collect(),
            Leaf::DropoutMask(_) => (0..n).map(|_| numbers.choose(&[0.0, 2.0])).collect(),
            Leaf::PriorStrength => vec![0.75],
            Leaf::Seed(_) => numbers.reals(n, -1.0..1.0),
        };
        (leaf, data)
    };
    graph.leaves().into_iter().map(value).collect()
}

fn fingerprint(leaf: Leaf) -> u64 {
    match leaf {
        Leaf::Input(i) => 0x1000 + i as u64,
        Leaf::Weight(i) => 0x2000 + i as u64,
        Leaf::Target => 0x3000,
        Leaf::DropoutMask(i) => 0x4000 + i as u64,
        Leaf::LaidOut(i, _) => 0x5000 + i as u64,
        Leaf::PriorStrength => 0xa000,
        Leaf::Seed(i) => 0x10_0000 + i as u64,
    }
}

const TANGENT: usize = 10_000;
const COTANGENT: usize = 20_000;

/// For each variable alone, and for all of them: `J·t` is the difference quotient along `t`, and `⟨u, J·t⟩ = ⟨Jᵀ·u, t⟩`.
fn check_traced(trace: impl Fn() -> Traced, domain: &Range<f64>) {
    let count = trace().variables.len();
    let alone = (0..count).map(|i| i..i + 1);
    for chosen in alone.chain((count > 1).then_some(0..count)) {
        check_variables(trace(), trace(), chosen, domain);
    }
}

fn check_variables(primal: Traced, derived: Traced, chosen: Range<usize>, domain: &Range<f64>) {
    let Traced {
        mut graph,
        variables,
        results,
    } = derived;
    let variables = variables[chosen.clone()].to_vec();
    let directions = seeds(&mut graph, TANGENT, &variables).unwrap();
    let covectors = seeds(&mut graph, COTANGENT, &results).unwrap();
    let tangents = jvp(&mut graph, &directions, &results).unwrap();
    let cotangents = vjp(&mut graph, &covectors, &variables).unwrap();
    let leaves = values(&graph, domain, 1);
    let named = graph.leaves();
    let of = |value: &Value| named.iter().find(|(_, other)| other == value).unwrap().0;
    let t: Vec<_> = directions
        .iter()
        .map(|(_, seed)| &leaves[&of(seed)])
        .collect();
    let u: Vec<_> = covectors
        .iter()
        .map(|(_, seed)| &leaves[&of(seed)])
        .collect();
    graph.set_outputs([tangents, cotangents].concat());
    let mut j_t = run(&mut graph, &leaves);
    let jt_u = j_t.split_off(results.len());

    let mut function = primal.graph;
    function.set_outputs(primal.results);
    let mut at = |step: f64| {
        let mut moved = leaves.clone();
        for (variable, t) in variables.iter().zip(&t) {
            let x = moved.get_mut(&of(variable)).unwrap();
            x.iter_mut().zip(*t).for_each(|(x, t)| *x += step * t);
        }
        run(&mut function, &moved)
    };
    let (above, below) = (at(STEP), at(-STEP));
    let mut moves = false;
    for (((above, below), j_t), i) in above.iter().zip(&below).zip(&j_t).zip(0..) {
        // Where a result does not move, its own size, of which the rounding is a part, is the scale.
        let scale = largest(above).max(largest(j_t));
        for ((above, below), exact) in above.iter().zip(below).zip(j_t) {
            let difference = (above - below) / (2.0 * STEP);
            assert!(
                (difference - exact).abs() <= 1e-8 * scale,
                "result {i} by variables {chosen:?}: {difference} by differences, {exact} by jvp, scale {scale}"
            );
        }
        moves |= largest(j_t) > 0.0;
    }
    assert!(moves, "nothing depends on variables {chosen:?}");

    let products = |a: &[&Vec<f64>], b: &[Vec<f64>]| -> Vec<f64> {
        let pairs = a.iter().copied().flatten().zip(b.iter().flatten());
        pairs.map(|(a, b)| a * b).collect()
    };
    let (left, right) = (products(&u, &j_t), products(&t, &jt_u));
    let scale: f64 = left.iter().chain(&right).map(|x| x.abs()).sum();
    let gap = left.iter().sum::<f64>() - right.iter().sum::<f64>();
    assert!(
        gap.abs() <= 1e-12 * scale,
        "⟨u, J t⟩ − ⟨Jᵀ u, t⟩ = {gap} by variables {chosen:?}, scale {scale}"
    );
}

/// The largest absolute value.
pub fn largest(data: &[f64]) -> f64 {
    data.iter().fold(0.0, |a, b| a.max(b.abs()))
}
