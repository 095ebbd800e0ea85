//! What networks compute, in `f64` on the reference backend.

use std::{iter, slice};

use xdnn::backend::reference::execute;
use xdnn::ir::NetworkSpec;
use xdnn::ops::Leaf;
use xdnn::{Graph, Task};

use super::numbers::Numbers;

/// From 4⁻⁵ ≈ 1e-3 to 4⁵ ≈ 1e3. Scaling by powers of 4 does not round, not even in square roots, so that a network that is
/// homogeneous takes the same side of every kink and of every jump.
const FACTORS: [f64; 10] = [
    1.0 / 1024.0,
    1.0 / 256.0,
    1.0 / 64.0,
    1.0 / 16.0,
    0.25,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
];
/// What powers, exponentials and logarithms round. Whatever breaks homogeneity is off by percents at one of the factors.
const TOLERANCE: f64 = 1e-9;

/// What a network shows at a point.
pub enum Seen {
    Right,
    /// It jumps there, or its values are too large to compute with, so that rounding decides.
    Nothing,
    Wrong(String),
}

/// Looks at an accepted network: `F(a·x) = a^k·F(x)`, `F(0) = 0`, and attributions that add up to the output.
pub fn accepted(spec: &NetworkSpec, numbers: &mut Numbers) -> Result<Seen, String> {
    let k = spec.degree().ok_or("it has no degree")?.to_f64();
    let weights = weights(spec, numbers);
    let mut seen = Seen::Nothing;
    for _ in 0..2 {
        let x = sample(spec, numbers);
        let target = numbers.below(spec.output_shape().elements());
        let measured = Measured::new(spec, &weights, x, target)?;
        if measured.evidence(k, 0.0).is_none() {
            seen = Seen::Right;
        } else if !leaves_range(spec, &weights, &measured.x)?
            && let Some(noise) = noise(spec, &weights, &measured, k, numbers)?
        {
            match measured.evidence(k, noise) {
                Some(evidence) => return Ok(Seen::Wrong(evidence)),
                None => seen = Seen::Right,
            }
        }
    }
    Ok(seen)
}

/// Whether a value on the way is so large that a few products of it are no numbers any more, or so small that they are 0.
fn leaves_range(spec: &NetworkSpec, weights: &[Vec<f64>], x: &Sample) -> Result<bool, String> {
    let mut graph = Graph::build(spec, Task::Forward, 1).map_err(|error| error.to_string())?;
    let nodes = graph.nodes().map_err(|error| error.to_string())?;
    let values = nodes.iter().map(|node| node.value).collect();
    graph.set_outputs(values);
    let values = run(&mut graph, weights, slice::from_ref(x), 0)?;
    let leaves = |v: &f64| v.abs() > 1e50 || (*v != 0.0 && v.abs() < 1e-50);
    Ok(values.iter().flatten().any(leaves))
}

/// `F(a·x)` for every factor `a`, and the attributions of one output.
struct Measured {
    x: Sample,
    one: Vec<f64>,
    zero: Vec<f64>,
    scaled: Vec<Vec<f64>>,
    target: usize,
    attributions: Vec<f64>,
}

impl Measured {
    fn new(
        spec: &NetworkSpec,
        weights: &[Vec<f64>],
        x: Sample,
        target: usize,
    ) -> Result<Self, String> {
        let mut rows = outputs(
            spec,
            weights,
            &scaled(&x, &[&[1.0, 0.0], &FACTORS[..]].concat()),
        )?;
        let scaled = rows.split_off(2);
        let [one, zero] = rows.try_into().map_err(|_| "nothing was computed")?;
        let attributions = attributions(spec, weights, slice::from_ref(&x), target)?.concat();
        Ok(Self {
            x,
            one,
            zero,
            scaled,
            target,
            attributions,
        })
    }

    /// Why the network does not have the degree `k`, if it has not, where rounding moves its outputs by no more than `noise`.
    fn evidence(&self, k: f64, noise: f64) -> Option<String> {
        let one = &self.one;
        if self.zero.iter().any(|y| *y != 0.0) {
            return Some(format!("F(0) = {:?}", self.zero));
        }
        for (a, row) in FACTORS.iter().zip(&self.scaled) {
            if !fits(one, row, *a, k, noise) {
                return Some(format!("F(x) = {one:?}, F({a}·x) = {row:?}"));
            }
        }
        let (sum, output) = (self.attributions.iter().sum::<f64>(), one[self.target]);
        // A nearly constant value that is normalised has gradients far larger than the output that they add up to.
        let scale: f64 = self.attributions.iter().map(|a| a.abs()).sum();
        let close = (sum - output).abs() <= TOLERANCE * (scale + output.abs()) + noise;
        (!close).then(|| {
            format!("the attributions add up to {sum}, not to {output} (terms of {scale})")
        })
    }
}

/// Whether what comes out of a network depends on what flows in: a value less itself, or windows of padding alone, do not.
pub fn is_alive(spec: &NetworkSpec, numbers: &mut Numbers) -> bool {
    (0..3).any(|_| {
        let weights = weights(spec, numbers);
        let samples = [sample(spec, numbers), sample(spec, numbers)];
        let Ok(Ok([one, other])) = outputs(spec, &weights, &samples).map(<[_; 2]>::try_from) else {
            return false;
        };
        let mut pairs = one.iter().zip(&other);
        pairs.any(|(one, other)| (one - other).abs() > 1e-9)
    })
}

/// Whether a network behaves as if it were homogeneous: one degree fits all inputs and weights that are tried.
pub fn seems_homogeneous(spec: &NetworkSpec, numbers: &mut Numbers) -> Result<bool, String> {
    let mut found: Option<f64> = None;
    for _ in 0..12 {
        let weights = weights(spec, numbers);
        for _ in 0..4 {
            let x = sample(spec, numbers);
            let rows = outputs(
                spec,
                &weights,
                &scaled(&x, &[&[1.0], &FACTORS[..]].concat()),
            )?;
            let [one, scaled @ ..] = rows.as_slice() else {
                return Err("nothing was computed".into());
            };
            let k = match found {
                Some(k) => k,
                None => {
                    let (before, after) = (largest(one), largest(&scaled[5]));
                    if before == 0.0 && scaled.iter().all(|row| largest(row) == 0.0) {
                        continue;
                    }
                    // Degrees are fractions of small numbers.
                    ((after / before).ln() / FACTORS[5].ln() * 60.0).round() / 60.0
                }
            };
            if !k.is_finite()
                || !FACTORS
                    .iter()
                    .zip(scaled)
                    .all(|(a, row)| fits(one, row, *a, k, 0.0))
            {
                return Ok(false);
            }
            found = Some(k);
        }
    }
    Ok(true)
}

fn fits(one: &[f64], scaled: &[f64], a: f64, k: f64, noise: f64) -> bool {
    let power = a.powf(k);
    let scale = largest(scaled).max(power * largest(one));
    let bound = TOLERANCE * scale + power * noise;
    let close = |(y, one): (&f64, &f64)| (y - power * one).abs() <= bound;
    scale.is_finite() && scaled.iter().zip(one).all(close)
}

/// What is left of a value that cancels, such as `x - cbrt(x³)`, is its rounding: how far the outputs at all scales, and the
/// sum of the attributions, move when the inputs are off by some roundings, and a thousand times that. A jump, such as that
/// of a norm at a constant value, may take many tries to show. `None` where rounding moves the output by so much that it
/// must jump.
fn noise(
    spec: &NetworkSpec,
    weights: &[Vec<f64>],
    measured: &Measured,
    k: f64,
    numbers: &mut Numbers,
) -> Result<Option<f64>, String> {
    let mut moved = |a: f64| {
        let mut moved = scaled(&measured.x, &[a]).swap_remove(0);
        for x in moved.iter_mut().flatten() {
            *x *= 1.0 + numbers.real(&(-1e-14..1e-14));
        }
        moved
    };
    let mut noise: f64 = 1e-15; // of inputs of the size 1
    let rows = iter::once((1.0, &measured.one)).chain(FACTORS.into_iter().zip(&measured.scaled));
    for (a, row) in rows {
        let samples: Vec<Sample> = (0..100).map(|_| moved(a)).collect();
        for other in outputs(spec, weights, &samples)? {
            let moves = other.iter().zip(row);
            let moves = moves.map(|(y, one)| (y - one).abs() / a.powf(k));
            noise = moves.fold(noise, f64::max);
        }
    }
    let samples: Vec<Sample> = (0..100).map(|_| moved(1.0)).collect();
    let sum = |attributions: &Vec<f64>| attributions.iter().sum::<f64>();
    for other in attributions(spec, weights, &samples, measured.target)? {
        noise = noise.max((sum(&other) - sum(&measured.attributions)).abs());
    }
    let jumps = noise > 1e-6 * largest(&measured.one).max(1e-9);
    Ok((!jumps).then_some(1e3 * noise))
}

fn largest(row: &[f64]) -> f64 {
    row.iter().fold(0.0, |max, y| {
        if y.is_nan() {
            f64::INFINITY
        } else {
            max.max(y.abs())
        }
    })
}

/// Of variance `1 / fan-in`, and biases between -1 and 1.
fn weights(spec: &NetworkSpec, numbers: &mut Numbers) -> Vec<Vec<f64>> {
    let weight = |weight: &xdnn::ir::Weight| {
        let fan_in: usize = weight.shape.dims().iter().skip(1).product();
        let bound = (3.0 / fan_in as f64).sqrt();
        numbers.reals(weight.shape.elements(), -bound..bound)
    };
    spec.weights().iter().map(weight).collect()
}

/// The inputs of one sample.
type Sample = Vec<Vec<f64>>;

fn sample(spec: &NetworkSpec, numbers: &mut Numbers) -> Sample {
    let inputs = spec.inputs().iter();
    inputs
        .map(|input| numbers.reals(input.shape.elements(), -1.0..1.0))
        .collect()
}

/// `a·x` for each factor `a`.
fn scaled(x: &Sample, factors: &[f64]) -> Vec<Sample> {
    let scale = |a: &f64| {
        let inputs = x.iter();
        inputs.map(|x| x.iter().map(|x| a * x).collect()).collect()
    };
    factors.iter().map(scale).collect()
}

/// `F(x)` of each sample.
fn outputs(
    spec: &NetworkSpec,
    weights: &[Vec<f64>],
    samples: &[Sample],
) -> Result<Vec<Vec<f64>>, String> {
    let mut graph =
        Graph::build(spec, Task::Forward, samples.len()).map_err(|error| error.to_string())?;
    let output = run(&mut graph, weights, samples, 0)?.swap_remove(0);
    let size = spec.output_shape().elements();
    Ok(output.chunks(size).map(<[f64]>::to_vec).collect())
}

/// The attributions of the output `target` in each sample.
fn attributions(
    spec: &NetworkSpec,
    weights: &[Vec<f64>],
    samples: &[Sample],
    target: usize,
) -> Result<Vec<Vec<f64>>, String> {
    let mut graph =
        Graph::build(spec, Task::Attribute, samples.len()).map_err(|error| error.to_string())?;
    let inputs = run(&mut graph, weights, samples, target)?.split_off(1);
    let sample = |i| {
        let of = |input: &Vec<f64>| {
            let size = input.len() / samples.len();
            input[i * size..][..size].to_vec()
        };
        inputs.iter().flat_map(of).collect()
    };
    Ok((0..samples.len()).map(sample).collect())
}

fn run(
    graph: &mut Graph,
    weights: &[Vec<f64>],
    samples: &[Sample],
    target: usize,
) -> Result<Vec<Vec<f64>>, String> {
    let leaf = |leaf: &Leaf| match *leaf {
        Leaf::Input(i) => samples.iter().flat_map(|x| x[i].clone()).collect(),
        Leaf::Weight(i) => weights[i].clone(),
        _ => vec![target as f64; samples.len()],
    };
    let leaves: Vec<Vec<f64>> = graph.leaves().iter().map(|(of, _)| leaf(of)).collect();
    let slices: Vec<&[f64]> = leaves.iter().map(Vec::as_slice).collect();
    execute(graph, &slices).map_err(|error| error.to_string())
}
