//! Norms, powers, and functions of values of degree 0, each against its formula, written out again.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failing helper is a failing test"
)]

mod common;

use common::derivative::{check_task, largest};
use common::network::{Builder, of_layer, of_layers};
use common::numbers::Numbers;
use common::run::{Leaves, run};
use xdnn_runtime::ir::layer::{
    Approximation, AttentionKind, Bias, CRelu, Celu, ConstantPad1d, ConstantPad2d, ConstantPad3d,
    Cos, Cube, Elu, Exp, FrozenScale, Gelu, Glu, GroupNorm, GroupSort, Hardshrink, Hardsigmoid,
    Hardswish, Hardtanh, L2Normalize, LayerNorm, LocalResponseNorm, Log, LogSigmoid, LogSoftmax,
    Maxout, Mish, MultiheadAttention, Power, Relu6, Reshape, RmsNorm, Rnn, RotaryEmbedding, Scale,
    Selu, Sigmoid, Sign, Silu, Sin, Softmax, Softmin, Softplus, Softshrink, Softsign, Sqrt, Square,
    SquaredRelu, Tanh, Tanhshrink, Threshold,
};
use xdnn_runtime::ir::{Combine, Degree, Fault, Layer, NetworkSpec, Operand, Shape};
use xdnn_runtime::ops::Leaf;
use xdnn_runtime::{Graph, Task};

/// A few roundings of numbers of the size of the largest.
const ROUNDING: f64 = 64.0 * f64::EPSILON;

/// The results of a network for one sample and these weights.
fn forward(spec: &NetworkSpec, x: &[f64], weights: &[Vec<f64>]) -> Vec<f64> {
    let mut graph = Graph::build(spec, Task::Forward, 1).unwrap();
    let mut leaves = Leaves::from([(Leaf::Input(0), x.to_vec())]);
    let weights = weights.iter().cloned().enumerate();
    leaves.extend(weights.map(|(i, data)| (Leaf::Weight(i), data)));
    run(&mut graph, &leaves).remove(0)
}

fn assert_close(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = largest(expected).max(1e-300);
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= ROUNDING * scale, "{what}: {a}, not {b}");
    }
}

/// Compares a layer with its formula over numbers of both signs. A layer that reads values of degree 0 gets them from a
/// norm, scaled so that they are those numbers.
fn compare(
    layer: impl Into<Layer>,
    dims: &[usize],
    formula: impl Fn(&[f64], &[Vec<f64>]) -> Vec<f64>,
) {
    let layer = layer.into();
    let shape = Shape::from_slice(dims).unwrap();
    let mut numbers = Numbers::new(17);
    let x = numbers.spread(shape.elements(), &(-5.0..5.0));
    let own: Vec<_> = layer
        .weights(shape)
        .as_slice()
        .iter()
        .map(|(_, shape)| numbers.reals(shape.elements(), -1.0..1.0))
        .collect();
    let expected = formula(&x, &own);
    let what = format!("{layer} on {shape}");
    if layer.degree(Degree::ONE).is_ok() {
        let spec = of_layer(layer, shape).unwrap();
        return assert_close(&forward(&spec, &x, &own), &expected, &what);
    }
    assert_eq!(
        layer.degree(Degree::ONE),
        Err(Fault::NotHomogeneous {
            degree: Degree::ONE
        })
    );
    let norm = GroupNorm {
        num_groups: 1,
        num_channels: None,
        eps: 0.0,
        affine: false,
    };
    let layers = [
        norm.into(),
        Scale { num_parameters: 1 }.into(),
        Bias { dim: 1 }.into(),
        layer,
    ];
    let spec = of_layers(layers, shape).unwrap();
    assert_eq!(spec.degree(), Some(Degree::ZERO));
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
    let before = [vec![variance.sqrt()], vec![mean; shape.dim(0)]];
    let found = forward(&spec, &x, &[&before[..], &own].concat());
    assert_close(&found, &expected, &what);
}

fn each(layer: impl Into<Layer>, f: impl Fn(f64) -> f64) {
    compare(layer, &[3, 2, 4], |x, _| {
        x.iter().copied().map(&f).collect()
    });
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The error function by its series of positive terms, `2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (1·3·…·(2n + 1))`.
fn erf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, 0.0);
    for n in 0..200 {
        sum += term;
        term *= 2.0 * x * x / f64::from(2 * n + 3);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp()
}

#[test]
fn powers() {
    each(Square {}, |x| x * x);
    each(Cube {}, |x| x * x * x);
    each(Sqrt {}, |x| x.max(0.0).sqrt());
    each(SquaredRelu {}, |x| x.max(0.0) * x);
    for exponent in [0.5, 1.0, 1.0 / 3.0, 2.0, 3.5] {
        each(Power { exponent }, |x| x.max(0.0).powf(exponent));
    }
    let negative = |x: f64| if x > 0.0 { x.powf(-1.5) } else { 0.0 };
    each(Power { exponent: -1.5 }, negative);
    each(Sign {}, f64::signum);
}

#[test]
fn functions_of_one_number() {
    each(Sigmoid {}, sigmoid);
    each(LogSigmoid {}, |x| sigmoid(x).ln());
    each(Tanh {}, f64::tanh);
    each(Tanhshrink {}, |x| x - x.tanh());
    let root = std::f64::consts::FRAC_1_SQRT_2;
    let approximate = Approximation::None;
    each(Gelu { approximate }, |x| 0.5 * x * (1.0 + erf(x * root)));
    let approximate = Approximation::Tanh;
    each(Gelu { approximate }, |x| {
        let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
        0.5 * x * (1.0 + inner.tanh())
    });
    each(Silu {}, |x| x * sigmoid(x));
    each(Mish {}, |x| x * x.exp().ln_1p().tanh());
    let elu = |alpha: f64, width: f64| {
        move |x: f64| {
            if x > 0.0 {
                x
            } else {
                alpha * ((x / width).exp() - 1.0)
            }
        }
    };
    each(Elu { alpha: 0.7 }, elu(0.7, 1.0));
    each(Celu { alpha: 0.7 }, elu(0.7, 0.7));
    let selu = elu(1.6732632423543772, 1.0);
    each(Selu {}, |x| 1.0507009873554805 * selu(x));
    each(Softsign {}, |x| x / (1.0 + x.abs()));
    for (beta, threshold) in [(1.0, 20.0), (2.0, 3.0), (-0.5, 1.0)] {
        each(Softplus { beta, threshold }, |x| {
            if beta * x > threshold {
                x
            } else {
                (beta * x).exp().ln_1p() / beta
            }
        });
    }
    each(Exp {}, f64::exp);
    each(Sin {}, f64::sin);
    each(Cos {}, f64::cos);
}

#[test]
fn functions_with_constant_parts() {
    let (min_val, max_val) = (-1.5, 2.0);
    each(Hardtanh { min_val, max_val }, |x| x.clamp(-1.5, 2.0));
    each(Relu6 {}, |x| x.clamp(0.0, 6.0));
    let gate = |x: f64| (x + 3.0).clamp(0.0, 6.0) / 6.0;
    each(Hardsigmoid {}, gate);
    each(Hardswish {}, |x| x * gate(x));
    let (threshold, value) = (0.5, -2.0);
    each(Threshold { threshold, value }, |x| {
        if x > 0.5 { x } else { -2.0 }
    });
    let lambd = 1.25;
    each(
        Hardshrink { lambd },
        |x| if x.abs() > lambd { x } else { 0.0 },
    );
    each(Softshrink { lambd }, |x| {
        x.signum() * (x.abs() - lambd).max(0.0)
    });
}

/// For each element of a `[a, b, c]` value: those that differ from it along one axis only, in order.
fn fibre([a, b, c]: [usize; 3], axis: usize, i: usize) -> Vec<usize> {
    let sizes = [a, b, c];
    let stride: usize = sizes[axis + 1..].iter().product();
    let start = i - i / stride % sizes[axis] * stride;
    (0..sizes[axis]).map(|n| start + n * stride).collect()
}

#[test]
fn functions_along_a_dimension() {
    const DIMS: [usize; 3] = [2, 4, 3];
    for (dim, axis) in [(Some(1), 0), (Some(2), 1), (Some(3), 2), (None, 2)] {
        let share = |x: &[f64], sign: f64| -> Vec<f64> {
            let sum = |i: usize| -> f64 {
                let fibre = fibre(DIMS, axis, i);
                fibre.iter().map(|j| (sign * x[*j]).exp()).sum()
            };
            let each = x.iter().enumerate();
            each.map(|(i, x)| (sign * x).exp() / sum(i)).collect()
        };
        compare(Softmax { dim }, &DIMS, |x, _| share(x, 1.0));
        compare(Softmin { dim }, &DIMS, |x, _| share(x, -1.0));
        compare(LogSoftmax { dim }, &DIMS, |x, _| {
            share(x, 1.0).into_iter().map(f64::ln).collect()
        });
        let dim = dim.unwrap_or(3);
        compare(L2Normalize { dim }, &DIMS, |x, _| {
            let square = |i: usize| -> f64 {
                let fibre = fibre(DIMS, axis, i);
                fibre.iter().map(|j| x[*j] * x[*j]).sum()
            };
            let each = x.iter().enumerate();
            each.map(|(i, x)| x / square(i).sqrt()).collect()
        });
        compare(Bias { dim }, &DIMS, |x, w| {
            let position = |i: usize| fibre(DIMS, axis, i).iter().position(|j| *j == i).unwrap();
            let each = x.iter().enumerate();
            each.map(|(i, x)| x + w[0][position(i)]).collect()
        });
    }
    let halves = |x: &[f64], n: usize| -> Vec<f64> {
        let rows = x.chunks(2 * n);
        rows.flat_map(|row| (0..n).map(|i| row[i] * sigmoid(row[n + i])))
            .collect()
    };
    compare(Glu { dim: None }, &[3, 4], |x, _| halves(x, 2));
    compare(Glu { dim: Some(1) }, &[4, 3], |x, _| halves(x, 6));
}

fn moments(x: &[f64]) -> (f64, f64) {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
    (mean, variance.sqrt())
}

#[test]
fn norms() {
    for (shape, size) in [
        (None, 4),
        (Some(Shape::new([4])), 4),
        (Some(Shape::new([2, 4])), 8),
    ] {
        for elementwise_affine in [false, true] {
            let norm = RmsNorm {
                normalized_shape: shape,
                eps: 0.0,
                elementwise_affine,
            };
            let factor = |w: &[Vec<f64>], i: usize| w.first().map_or(1.0, |w| w[i % size]);
            compare(norm, &[3, 2, 4], |x, w| {
                let row = |row: &[f64]| {
                    let square = row.iter().map(|x| x * x).sum::<f64>() / size as f64;
                    row.iter().map(|x| x / square.sqrt()).collect::<Vec<_>>()
                };
                let rows = x.chunks(size).flat_map(row).enumerate();
                rows.map(|(i, y)| factor(w, i) * y).collect()
            });
            for bias in [false, true] {
                let norm = LayerNorm {
                    normalized_shape: shape,
                    eps: 0.0,
                    elementwise_affine,
                    bias,
                };
                compare(norm, &[3, 2, 4], |x, w| {
                    let shift = |i: usize| w.get(1).map_or(0.0, |w| w[i % size]);
                    let row = |row: &[f64]| {
                        let (mean, deviation) = moments(row);
                        row.iter()
                            .map(|x| (x - mean) / deviation)
                            .collect::<Vec<_>>()
                    };
                    let rows = x.chunks(size).flat_map(row).enumerate();
                    rows.map(|(i, y)| factor(w, i) * y + shift(i)).collect()
                });
            }
        }
    }
    for num_groups in [1, 2, 4] {
        let norm = GroupNorm {
            num_groups,
            num_channels: Some(4),
            eps: 0.0,
            affine: true,
        };
        compare(norm, &[4, 3, 2], |x, w| {
            let row = |row: &[f64]| {
                let (mean, deviation) = moments(row);
                row.iter()
                    .map(|x| (x - mean) / deviation)
                    .collect::<Vec<_>>()
            };
            let rows = x.chunks(24 / num_groups).flat_map(row).enumerate();
            rows.map(|(i, y)| w[0][i / 6] * y + w[1][i / 6]).collect()
        });
    }
    let norm = LocalResponseNorm {
        size: 4,
        alpha: 0.3,
        beta: 0.75,
        k: 2.0,
    };
    compare(norm, &[5, 3], |x, _| {
        let sum = |i: usize| -> f64 {
            let neighbours = (i / 3).saturating_sub(2)..(i / 3 + 2).min(5);
            neighbours.map(|c| x[c * 3 + i % 3].powi(2)).sum()
        };
        let each = x.iter().enumerate();
        each.map(|(i, x)| x / (2.0 + 0.3 / 4.0 * sum(i)).powf(0.75))
            .collect()
    });
}

#[test]
fn layers_over_channels() {
    compare(CRelu {}, &[2, 3], |x, _| {
        let positive = x.iter().map(|x| x.max(0.0));
        positive.chain(x.iter().map(|x| (-x).max(0.0))).collect()
    });
    compare(Maxout { pieces: 3 }, &[6, 2], |x, _| {
        let largest = |i: usize| {
            let members = (0..3).map(|p| x[(i / 2 * 3 + p) * 2 + i % 2]);
            members.fold(f64::MIN, f64::max)
        };
        (0..4).map(largest).collect()
    });
    for group_size in [1, 2, 3, 6] {
        compare(GroupSort { group_size }, &[6, 2], |x, _| {
            let mut sorted = x.to_vec();
            for group in 0..6 / group_size {
                for column in 0..2 {
                    let place = |member: usize| (group * group_size + member) * 2 + column;
                    let mut members: Vec<f64> = (0..group_size).map(|m| x[place(m)]).collect();
                    members.sort_by(f64::total_cmp);
                    members
                        .iter()
                        .enumerate()
                        .for_each(|(m, x)| sorted[place(m)] = *x);
                }
            }
            sorted
        });
    }
    compare(FrozenScale { num_parameters: 2 }, &[2, 3], |x, w| {
        let each = x.iter().enumerate();
        each.map(|(i, x)| w[0][i / 3] * x).collect()
    });
}

/// `ln` of what a sigmoid has made positive, and 0 where there is no logarithm.
#[test]
fn logarithms() {
    let layers = [
        L2Normalize { dim: 1 }.into(),
        Sigmoid {}.into(),
        Log {}.into(),
    ];
    let spec = of_layers(layers, Shape::new([2])).unwrap();
    let expected = [0.6, -0.8].map(|x: f64| sigmoid(x).ln());
    assert_close(&forward(&spec, &[3.0, -4.0], &[]), &expected, "Log");
    let of_signs = of_layers([Sign {}.into(), Log {}.into()], Shape::new([3])).unwrap();
    assert_eq!(forward(&of_signs, &[-2.0, 0.0, 2.0], &[]), [0.0; 3]);
}

/// Both derivatives of networks in which degree 0 gates values of degree 1 and 2, and those of their gradients.
#[test]
fn gated_networks_can_be_differentiated_twice() {
    let norms: [Layer; 4] = [
        L2Normalize { dim: 1 }.into(),
        RmsNorm {
            normalized_shape: None,
            eps: 0.0,
            elementwise_affine: true,
        }
        .into(),
        LayerNorm {
            normalized_shape: None,
            eps: 0.0,
            elementwise_affine: true,
            bias: true,
        }
        .into(),
        GroupNorm {
            num_groups: 2,
            num_channels: None,
            eps: 0.0,
            affine: true,
        }
        .into(),
    ];
    let functions: [Layer; 6] = [
        Gelu {
            approximate: Approximation::None,
        }
        .into(),
        Softmax { dim: None }.into(),
        Mish {}.into(),
        Selu {}.into(),
        Softplus {
            beta: 1.5,
            threshold: 20.0,
        }
        .into(),
        Hardswish {}.into(),
    ];
    for (norm, functions) in norms.into_iter().zip(functions.windows(3)) {
        let mut builder = Builder::new(&[Shape::new([4])]);
        let x = Operand::Input(0);
        let gate = builder.layer(norm, x).unwrap();
        let gate = builder.chain(gate, functions.iter().copied()).unwrap();
        let square = builder.layer(Square {}, x).unwrap();
        let y = builder.combine(Combine::Product, &[gate, square]).unwrap();
        let spec = builder.finish(y);
        assert_eq!(spec.degree(), Some(Degree::integer(2)));
        check_task(&spec, Task::Attribute, 2, &(-2.0..2.0));
    }
}

/// At 0 every norm, power and quotient is 0 and so is its derivative: nothing is infinite, nothing is no number.
#[test]
fn nothing_breaks_at_zero() {
    let layers: [Layer; 7] = [
        L2Normalize { dim: 1 }.into(),
        RmsNorm {
            normalized_shape: None,
            eps: 0.0,
            elementwise_affine: false,
        }
        .into(),
        LayerNorm {
            normalized_shape: None,
            eps: 0.0,
            elementwise_affine: false,
            bias: false,
        }
        .into(),
        Sqrt {}.into(),
        Power { exponent: -2.5 }.into(),
        Power { exponent: 0.25 }.into(),
        Sign {}.into(),
    ];
    for layer in layers {
        let spec = of_layer(layer, Shape::new([3])).unwrap();
        let mut graph = Graph::build(&spec, Task::Gradient, 1).unwrap();
        let leaves = [(Leaf::Input(0), vec![0.0; 3]), (Leaf::Target, vec![1.0])];
        let results = run(&mut graph, &leaves.into());
        assert!(results.iter().flatten().all(|y| *y == 0.0), "{layer}");
    }
}

/// The mean of equal numbers is often not that number, and a norm would make a value of the rest.
#[test]
fn equal_elements_less_their_mean_are_nothing() {
    let (eps, elementwise_affine, bias) = (0.0, false, false);
    let group = GroupNorm {
        num_groups: 1,
        num_channels: None,
        eps,
        affine: false,
    };
    let layer = LayerNorm {
        normalized_shape: None,
        eps,
        elementwise_affine,
        bias,
    };
    for layer in [Layer::from(group), layer.into()] {
        for (size, value) in [(3, 0.1), (7, 0.3), (7, -1e9), (49, 1e-7 / 3.0)] {
            let spec = of_layer(layer, Shape::new([size])).unwrap();
            let mut graph = Graph::build(&spec, Task::Gradient, 1).unwrap();
            let leaves = [
                (Leaf::Input(0), vec![value; size]),
                (Leaf::Target, vec![1.0]),
            ];
            let results = run(&mut graph, &leaves.into());
            assert!(results.iter().flatten().all(|y| *y == 0.0), "{layer}");
        }
    }
}

/// Large values overflow nothing that has a limit.
#[test]
fn large_values_keep_to_their_limits() {
    let functions: [(Layer, f64, f64); 8] = [
        (Sigmoid {}.into(), 0.0, 1.0),
        (Tanh {}.into(), -1.0, 1.0),
        (Elu { alpha: 1.0 }.into(), -1.0, 1e4),
        (
            Gelu {
                approximate: Approximation::None,
            }
            .into(),
            0.0,
            1e4,
        ),
        (Silu {}.into(), 0.0, 1e4),
        (Mish {}.into(), 0.0, 1e4),
        (
            Softplus {
                beta: 1.0,
                threshold: 20.0,
            }
            .into(),
            0.0,
            1e4,
        ),
        (LogSigmoid {}.into(), -1e4, 0.0),
    ];
    for (layer, low, high) in functions {
        let sign = Sign {}.into();
        let scale = Scale { num_parameters: 1 }.into();
        let spec = of_layers([sign, scale, layer], Shape::new([2])).unwrap();
        let found = forward(&spec, &[-1.0, 1.0], &[vec![1e4]]);
        assert_close(&found, &[low, high], layer.name());
        let mut graph = Graph::build(&spec, Task::Gradient, 1).unwrap();
        let leaves = [
            (Leaf::Input(0), vec![-1.0, 1.0]),
            (Leaf::Target, vec![0.0]),
            (Leaf::Weight(0), vec![1e4]),
        ];
        let gradient = run(&mut graph, &leaves.into());
        assert!(gradient.iter().flatten().all(|g| g.is_finite()), "{layer}");
    }
}

#[test]
fn an_eps_is_legal_at_degree_zero_only() {
    let norm = |eps: f64| RmsNorm {
        normalized_shape: None,
        eps,
        elementwise_affine: false,
    };
    let input = Shape::new([4]);
    let fault = of_layer(norm(1e-5), input).unwrap_err();
    assert_eq!(
        fault,
        Fault::Epsilon {
            degree: Degree::ONE
        }
    );
    assert_eq!(fault.argument(), Some("eps"));
    let spec = of_layers([norm(0.0).into(), norm(3.0).into()], input).unwrap();
    let found = forward(&spec, &[1.0, -1.0, 1.0, 1.0], &[]);
    assert_eq!(found, [0.5, -0.5, 0.5, 0.5]); // 1 / √(1 + 3)
}

/// `name(a, b)` of two inputs of these shapes.
fn combined(rule: Combine, shapes: [Shape; 2], values: [&[f64]; 2]) -> Vec<f64> {
    let mut builder = Builder::new(&shapes);
    let operands = [Operand::Input(0), Operand::Input(1)];
    let y = builder.combine(rule, &operands).unwrap();
    let spec = builder.finish(y);
    let mut graph = Graph::build(&spec, Task::Forward, 1).unwrap();
    let leaves = values.into_iter().enumerate();
    let leaves = leaves.map(|(i, x)| (Leaf::Input(i), x.to_vec())).collect();
    run(&mut graph, &leaves).remove(0)
}

#[test]
fn combinations_of_two() {
    let vectors = [Shape::new([3]); 2];
    let (a, b) = ([6.0, -1.0, 0.0], [3.0, 0.5, 0.0]);
    let difference = combined(Combine::Difference, vectors, [&a, &b]);
    assert_eq!(difference, [3.0, -1.5, 0.0]);
    let quotient = combined(Combine::Quotient, vectors, [&a, &b]);
    assert_eq!(quotient, [2.0, -2.0, 0.0]); // 0/0 = 0
    let quotient = combined(Combine::Quotient, vectors, [&b, &a]);
    assert_eq!(quotient, [0.5, -0.5, 0.0]);
    let by_zero = combined(Combine::Quotient, vectors, [&a, &[0.0; 3]]);
    assert_eq!(by_zero, [0.0; 3]);
    let matrices = [Shape::new([2, 3]), Shape::new([3, 1])];
    let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 10.0, 100.0]);
    let product = combined(Combine::MatMul, matrices, [&a, &b]);
    assert_eq!(product, [321.0, 654.0]);
    let stacks = [Shape::new([2, 1, 3]), Shape::new([2, 3, 1])];
    let product = combined(Combine::MatMul, stacks, [&a, &[b, b].concat()]);
    assert_eq!(product, [321.0, 654.0]);
}

/// `x·y / (|x| + |y|)` and `x·xᵀ` and their gradients, twice.
#[test]
fn quotients_and_matrix_products_can_be_differentiated_twice() {
    let mut builder = Builder::new(&[Shape::new([2, 3]); 2]);
    let operands = [Operand::Input(0), Operand::Input(1)];
    let product = builder.combine(Combine::Product, &operands).unwrap();
    let sizes = operands.map(|x| builder.layer(Square {}, x).unwrap());
    let size = builder.combine(Combine::Sum, &sizes).unwrap();
    let quotient = builder
        .combine(Combine::Quotient, &[product, size])
        .unwrap();
    let gated = builder
        .combine(Combine::Product, &[quotient, operands[0]])
        .unwrap();
    let shape = Shape::new([3, 2]);
    let turned = builder.layer(Reshape { shape }, operands[1]).unwrap();
    let y = builder.combine(Combine::MatMul, &[gated, turned]).unwrap();
    let spec = builder.finish(y);
    assert_eq!(spec.degree(), Some(Degree::integer(2)));
    check_task(&spec, Task::Attribute, 2, &(0.5..2.0));
}

/// Rows of a row-major matrix of `columns`.
fn rows(data: &[f64], columns: usize) -> Vec<Vec<f64>> {
    data.chunks(columns).map(<[f64]>::to_vec).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `W·x` for each row `x`.
fn linear(weight: &[f64], x: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let weight = rows(weight, x[0].len());
    let row = |x: &Vec<f64>| weight.iter().map(|w| dot(w, x)).collect();
    x.iter().map(row).collect()
}

/// The pairs of features of each row turned by its position.
fn turned(x: &[Vec<f64>], base: f64) -> Vec<Vec<f64>> {
    let turn = |(t, x): (usize, &Vec<f64>)| {
        let pairs = x.chunks(2).enumerate().flat_map(|(i, pair)| {
            let angle = t as f64 * base.powf(-2.0 * i as f64 / x.len() as f64);
            let (sin, cos) = angle.sin_cos();
            [pair[0] * cos - pair[1] * sin, pair[1] * cos + pair[0] * sin]
        });
        pairs.collect()
    };
    x.iter().enumerate().map(turn).collect()
}

#[test]
fn positions_turn_pairs() {
    for (num_heads, base) in [(1, 10_000.0), (2, 7.0), (4, 10.0)] {
        let layer = RotaryEmbedding { num_heads, base };
        compare(layer, &[5, 8], |x, _| {
            let width = 8 / num_heads;
            let mut y = x.to_vec();
            for head in 0..num_heads {
                let part = |row: &Vec<f64>| row[head * width..][..width].to_vec();
                let of_head: Vec<_> = rows(x, 8).iter().map(part).collect();
                for (t, row) in turned(&of_head, base).into_iter().enumerate() {
                    y[t * 8 + head * width..][..width].copy_from_slice(&row);
                }
            }
            y
        });
    }
}

#[test]
fn attention_weighs_values() {
    const TOKENS: usize = 4;
    const FEATURES: usize = 6;
    for kind in [
        AttentionKind::Relu,
        AttentionKind::NormalizedRelu,
        AttentionKind::NormalizedSoftmax,
    ] {
        for (num_heads, is_causal, rotary) in [
            (1, false, false),
            (3, false, true),
            (3, true, false),
            (1, true, true),
        ] {
            let layer = MultiheadAttention {
                num_heads,
                kind,
                is_causal,
                rotary,
            };
            let width = FEATURES / num_heads;
            let score = |q: &[f64], k: &[f64]| match kind {
                AttentionKind::Relu => dot(q, k).max(0.0) / ((width as f64).sqrt() * TOKENS as f64),
                AttentionKind::NormalizedRelu => dot(q, k).max(0.0),
                AttentionKind::NormalizedSoftmax => {
                    let cosine = dot(q, k) / (dot(q, q) * dot(k, k)).sqrt();
                    (cosine * (width as f64).sqrt()).exp()
                }
            };
            compare(layer, &[TOKENS, FEATURES], |x, w| {
                let projected = linear(&w[0], &rows(x, FEATURES));
                let mut mixed = vec![vec![0.0; FEATURES]; TOKENS];
                for head in 0..num_heads {
                    let part = |part: usize| -> Vec<Vec<f64>> {
                        let start = part * FEATURES + head * width;
                        let row = |row: &Vec<f64>| row[start..][..width].to_vec();
                        projected.iter().map(row).collect()
                    };
                    let [q, k] = [0, 1].map(|i| match rotary {
                        true => turned(&part(i), 10_000.0),
                        false => part(i),
                    });
                    let v = part(2);
                    for (i, q) in q.iter().enumerate() {
                        let seen = if is_causal { i + 1 } else { TOKENS };
                        let weights: Vec<f64> = k[..seen].iter().map(|k| score(q, k)).collect();
                        let sum: f64 = weights.iter().sum();
                        let divisor = match kind {
                            AttentionKind::Relu => 1.0,
                            _ if sum == 0.0 => 1.0,
                            _ => sum,
                        };
                        for (weight, v) in weights.iter().zip(&v) {
                            for (n, v) in v.iter().enumerate() {
                                mixed[i][head * width + n] += weight / divisor * v;
                            }
                        }
                    }
                }
                linear(&w[1], &mixed).concat()
            });
        }
    }
}

#[test]
fn states_follow_states() {
    for last in [false, true] {
        let layer = Rnn {
            hidden_size: 3,
            last,
        };
        compare(layer, &[5, 2], |x, w| {
            let mut states = vec![vec![0.0; 3]];
            for x in rows(x, 2) {
                let driven = linear(&w[0], &[x]).remove(0);
                let before = states[states.len() - 1].clone();
                let moved = linear(&w[1], &[before]).remove(0);
                let sum = driven.iter().zip(&moved).map(|(a, b)| (a + b).max(0.0));
                states.push(sum.collect());
            }
            states.drain(..if last { 5 } else { 1 });
            states.concat()
        });
    }
}

#[test]
fn attention_and_recurrences_can_be_differentiated_twice() {
    let attention = |kind| MultiheadAttention {
        num_heads: 2,
        kind,
        is_causal: true,
        rotary: true,
    };
    for kind in [
        AttentionKind::Relu,
        AttentionKind::NormalizedRelu,
        AttentionKind::NormalizedSoftmax,
    ] {
        let spec = of_layer(attention(kind), Shape::new([3, 4])).unwrap();
        check_task(&spec, Task::Attribute, 3, &(-1.0..1.0));
    }
    for last in [false, true] {
        let rnn = Rnn {
            hidden_size: 3,
            last,
        };
        let spec = of_layer(rnn, Shape::new([4, 2])).unwrap();
        check_task(&spec, Task::Attribute, 2, &(0.1..1.0));
    }
}

/// Vectors of an embedding are an input like any other: the attribution of a token is the sum over its features.
#[test]
fn embedded_tokens_are_inputs() {
    let rnn = Rnn {
        hidden_size: 3,
        last: true,
    };
    let spec = of_layer(rnn, Shape::new([4, 2])).unwrap();
    let table = [[0.5, -1.0], [1.0, 2.0], [-0.5, 0.25]];
    let tokens = [1, 0, 2, 1];
    let embedded: Vec<f64> = tokens.iter().flat_map(|token| table[*token]).collect();
    let mut graph = Graph::build(&spec, Task::Attribute, 1).unwrap();
    let mut numbers = Numbers::new(3);
    let leaves = [
        (Leaf::Input(0), embedded),
        (Leaf::Weight(0), numbers.reals(6, 0.1..1.0)),
        (Leaf::Weight(1), numbers.reals(9, 0.1..1.0)),
        (Leaf::Target, vec![1.0]),
    ];
    let results = run(&mut graph, &leaves.into());
    let of_tokens: Vec<f64> = rows(&results[1], 2)
        .iter()
        .map(|row| row.iter().sum())
        .collect();
    assert_eq!(of_tokens.len(), tokens.len());
    let gap = of_tokens.iter().sum::<f64>() - results[0][1];
    assert!(gap.abs() <= ROUNDING * largest(&of_tokens) && largest(&of_tokens) > 0.0);
}

/// `[channels, depth, height, width]`, surrounded by a constant.
fn surrounded(x: &[f64], size: [usize; 4], margins: [usize; 6], value: f64) -> Vec<f64> {
    let [channels, depth, height, width] = size;
    let [left, right, top, bottom, front, back] = margins;
    let mut padded = Vec::new();
    for channel in 0..channels {
        for d in 0..front + depth + back {
            for h in 0..top + height + bottom {
                for w in 0..left + width + right {
                    let inside = (front..front + depth).contains(&d)
                        && (top..top + height).contains(&h)
                        && (left..left + width).contains(&w);
                    padded.push(if inside {
                        let row = (channel * depth + d - front) * height + h - top;
                        x[row * width + w - left]
                    } else {
                        value
                    });
                }
            }
        }
    }
    padded
}

#[test]
fn constant_paddings() {
    for value in [0.75, -2.0, 0.0] {
        let padding = [2, 1];
        compare(ConstantPad1d { padding, value }, &[2, 4], |x, _| {
            surrounded(x, [2, 1, 1, 4], [2, 1, 0, 0, 0, 0], value)
        });
        let padding = [1, 0, 2, 3];
        compare(ConstantPad2d { padding, value }, &[2, 3, 2], |x, _| {
            surrounded(x, [2, 1, 3, 2], [1, 0, 2, 3, 0, 0], value)
        });
        let padding = [0, 1, 0, 0, 2, 1];
        compare(ConstantPad3d { padding, value }, &[2, 2, 1, 3], |x, _| {
            surrounded(x, [2, 2, 1, 3], padding, value)
        });
    }
}
