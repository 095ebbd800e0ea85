//! Networks at random: whatever the rules of `xdnn-ir` accept may come out.

use xdnn_runtime::ir::layer::{
    Abs, AdaptiveAvgPool2d, Approximation, AttentionKind, AvgPool1d, AvgPool2d, Bias, CRelu, Celu,
    Conv1d, Conv2d, Cos, Cube, Dropout, Elu, Exp, Flatten, FrozenScale, Gelu, GlobalAvgPool,
    GlobalMaxPool, Glu, GroupNorm, GroupSort, Hardshrink, Hardsigmoid, Hardswish, Hardtanh,
    Interpolation, L2Normalize, LayerNorm, LeakyRelu, Linear, LocalResponseNorm, Log, LogSigmoid,
    LogSoftmax, MaxPool1d, MaxPool2d, Maxout, Mish, MultiheadAttention, PRelu, PixelShuffle, Power,
    Relu, Relu6, Reshape, RmsNorm, Rnn, RotaryEmbedding, Scale, Selu, Sigmoid, Sign, Silu, Sin,
    Softmax, Softmin, Softplus, Softshrink, Softsign, Sqrt, Square, SquaredRelu, Tanh, Tanhshrink,
    Threshold, Upsample, ZeroPad2d,
};
use xdnn_runtime::ir::{Argument, Combine, Degree, Layer, NetworkSpec, Operand, Shape};

use super::network::Builder;
use super::numbers::Numbers;
use super::random_structure::{even_pool, rearranged, selected, volume};

/// No value has more elements a sample.
const LARGEST: usize = 160;
/// Where the seeds begin. The first hundreds of networks from here on have every kind of layer, and no output that is so
/// small a remainder of larger terms that single precision loses it.
const FIRST: u64 = 1_000_000;
const HIGHEST: Degree = Degree::integer(4);

/// The network of a seed: one to three inputs, up to 14 steps, degrees 1 to 4.
pub fn random_network(seed: u64) -> NetworkSpec {
    let mut numbers = Numbers::new(FIRST + seed);
    let inputs: Vec<Shape> = (0..numbers.choose(&[1, 1, 2, 3]))
        .map(|_| input(&mut numbers))
        .collect();
    let mut network = Growing {
        builder: Builder::new(&inputs),
        values: (0..inputs.len()).map(Operand::Input).collect(),
        numbers,
    };
    for _ in 0..network.numbers.within(3..=14) {
        network.grow();
    }
    // A network that returns its input is none.
    while network.builder.spec().nodes().is_empty() {
        network.grow();
    }
    let output = network.output();
    network.builder.finish(output)
}

fn input(numbers: &mut Numbers) -> Shape {
    let mut dim = |largest: usize| numbers.within(1..=largest);
    match dim(5) {
        1 => Shape::new([dim(12)]),
        2 => Shape::new([dim(4), dim(12)]),
        3 => Shape::new([dim(3), dim(3), dim(4), dim(3)]),
        _ => Shape::new([dim(4), dim(6), dim(6)]),
    }
}

struct Growing {
    builder: Builder,
    values: Vec<Operand>,
    numbers: Numbers,
}

impl Growing {
    fn grow(&mut self) {
        let x = self.recent();
        match self.numbers.below(15) {
            8 => self.unpooled(x),
            0 => self.residual(x),
            1 => self.combine(x),
            2 => self.product(x),
            3 => self.gate(x),
            4 => self.power(x),
            5 => self.quotient(x),
            6 => self.matrix_product(x),
            7 => self.sequence(x),
            _ => {
                self.layer(x);
            }
        }
    }

    /// Later values more often than earlier ones, so that networks grow deep.
    fn recent(&mut self) -> Operand {
        let last = self.values.len() - 1;
        let back = self.numbers.below(3).min(self.numbers.below(last + 1));
        self.values[last - back]
    }

    fn shape(&self, x: Operand) -> Shape {
        self.builder.spec().shape_of(x)
    }

    fn degree(&self, x: Operand) -> Degree {
        self.builder.spec().degree_of(x).unwrap()
    }

    /// Keeps a value that is neither too large nor of too high a degree, nor of one that is no whole number above 0.
    fn keep(
        &mut self,
        mut attempt: impl FnMut(&mut Builder) -> Option<Operand>,
    ) -> Option<Operand> {
        let before = self.builder.clone();
        let kept = attempt(&mut self.builder).filter(|value| {
            let degree = self.degree(*value);
            let whole = degree.denominator() == 1 && degree.is_positive();
            let low = degree.to_f64() <= HIGHEST.to_f64();
            whole && low && self.shape(*value).elements() <= LARGEST
        });
        match kept {
            Some(value) => self.values.push(value),
            None => self.builder = before,
        }
        kept
    }

    fn layer(&mut self, x: Operand) -> Option<Operand> {
        let shape = self.shape(x);
        let layer = random_layer(&mut self.numbers, shape);
        self.keep(|builder| builder.layer(layer, x).ok())
    }

    /// `x + f(x)`, where `f` has one or two layers that keep the shape.
    fn residual(&mut self, x: Operand) {
        let shape = self.shape(x);
        let branch: Vec<Layer> = (0..self.numbers.within(1..=2))
            .flat_map(|_| {
                [
                    same_shape(&mut self.numbers, shape),
                    activation(&mut self.numbers, shape),
                ]
            })
            .collect();
        self.keep(|builder| {
            let branch = builder.chain(x, branch.iter().copied()).ok()?;
            builder.combine(Combine::Sum, &[branch, x]).ok()
        });
    }

    /// What a maximum pool has taken, changed and put back.
    fn unpooled(&mut self, x: Operand) {
        let shape = self.shape(x);
        let Some(pool) = even_pool(&mut self.numbers, shape) else {
            return;
        };
        let change = activation(&mut self.numbers, shape);
        self.keep(|builder| {
            let values = builder.chain(x, [pool, change]).ok()?;
            builder.combine(Combine::Unpool, &[values, x]).ok()
        });
    }

    /// A sum, difference, concatenation, maximum or minimum of two or three values of one degree.
    fn combine(&mut self, x: Operand) {
        let rule = self.numbers.choose(&[
            Combine::Sum,
            Combine::Difference,
            Combine::Concat,
            Combine::Max,
            Combine::Min,
        ]);
        let operands = self.partners(x, |growing, other| {
            growing.degree(other) == growing.degree(x)
        });
        self.keep(|builder| builder.combine(rule, &operands).ok());
    }

    fn product(&mut self, x: Operand) {
        let operands = self.partners(x, |_, _| true);
        self.keep(|builder| builder.combine(Combine::Product, &operands).ok());
    }

    /// `x·y / (|x| + |y|)`: no operand of it is close to 0 without the result's being so.
    fn quotient(&mut self, x: Operand) {
        let operands = self.partners(x, |growing, other| {
            growing.degree(other) == growing.degree(x)
        });
        self.keep(|builder| {
            let product = builder.combine(Combine::Product, &operands).ok()?;
            let sizes = operands
                .iter()
                .map(|operand| builder.layer(Abs {}, *operand));
            let sizes: Vec<Operand> = sizes.collect::<Result<_, _>>().ok()?;
            let size = builder.combine(Combine::Sum, &sizes).ok()?;
            builder.combine(Combine::Quotient, &[product, size]).ok()
        });
    }

    /// A layer that reads the first dimension as tokens or as time.
    fn sequence(&mut self, x: Operand) {
        let shape = self.shape(x);
        let rows = if shape.rank() > 1 { shape.dim(0) } else { 1 };
        let tokens = Reshape {
            shape: Shape::new([rows, shape.elements() / rows]),
        };
        let num_heads = self.numbers.within(1..=2);
        let kind = self.numbers.choose(&[
            AttentionKind::Relu,
            AttentionKind::NormalizedRelu,
            AttentionKind::NormalizedSoftmax,
        ]);
        let layer: Layer = match self.numbers.below(4) {
            0 => Rnn {
                hidden_size: self.numbers.within(1..=5),
                last: self.numbers.once_in(2),
            }
            .into(),
            1 => RotaryEmbedding {
                num_heads,
                base: 100.0,
            }
            .into(),
            _ => MultiheadAttention {
                num_heads,
                kind,
                is_causal: self.numbers.once_in(2),
                rotary: self.numbers.once_in(2),
            }
            .into(),
        };
        self.keep(|builder| builder.chain(x, [tokens.into(), layer]).ok());
    }

    /// The products of the rows of `x` with those of another value of its shape.
    fn matrix_product(&mut self, x: Operand) {
        let operands = self.partners(x, |_, _| true);
        let shape = self.shape(x);
        let rows = if shape.rank() > 1 { shape.dim(0) } else { 1 };
        let columns = shape.elements() / rows;
        self.keep(|builder| {
            let as_matrix = |dims| Reshape {
                shape: Shape::new(dims),
            };
            let left = builder.layer(as_matrix([rows, columns]), x).ok()?;
            let right = builder.layer(as_matrix([columns, rows]), *operands.last()?);
            builder.combine(Combine::MatMul, &[left, right.ok()?]).ok()
        });
    }

    /// `x · f(x)`, where `f` has degree 0: a norm or a sign, and functions behind it.
    fn gate(&mut self, x: Operand) {
        let shape = self.shape(x);
        let degree_zero = degree_zero(&mut self.numbers, shape);
        let mut functions = vec![];
        for _ in 0..self.numbers.below(3) {
            functions.extend(function(&mut self.numbers, shape));
        }
        let halved = Glu { dim: Some(1) };
        let halves = self.numbers.once_in(6) && halved.output(shape).is_ok();
        self.keep(|builder| {
            let gate = builder.layer(degree_zero, x).ok()?;
            let mut gate = builder.chain(gate, functions.iter().copied()).ok()?;
            let mut value = x;
            if halves {
                gate = builder.layer(halved, gate).ok()?;
                value = builder.layer(Maxout { pieces: 2 }, x).ok()?;
            }
            builder.combine(Combine::Product, &[gate, value]).ok()
        });
    }

    /// Powers one after the other, whose exponents make a whole number.
    fn power(&mut self, x: Operand) {
        let power = |exponent: f64| Power { exponent }.into();
        let powers: &[Layer] = match self.numbers.below(6) {
            0 => &[Square {}.into()],
            1 => &[Cube {}.into()],
            2 => &[SquaredRelu {}.into()],
            3 => &[Abs {}.into(), Sqrt {}.into(), Square {}.into()],
            4 => &[Abs {}.into(), power(1.0 / 3.0), Cube {}.into()],
            _ => &[power(1.5), power(2.0)],
        };
        self.keep(|builder| builder.chain(x, powers.iter().copied()).ok());
    }

    /// `x` with one or two values of its shape: earlier ones that fit, or new ones made from `x`.
    fn partners(&mut self, x: Operand, fits: impl Fn(&Self, Operand) -> bool) -> Vec<Operand> {
        let shape = self.shape(x);
        let mut operands = vec![x];
        for _ in 0..self.numbers.within(1..=2) {
            let fitting = |value: &Operand| self.shape(*value) == shape && fits(self, *value);
            let earlier: Vec<Operand> = self.values.iter().copied().filter(fitting).collect();
            let partner = if self.numbers.once_in(2) && !earlier.is_empty() {
                Some(self.numbers.choose(&earlier))
            } else {
                let layer = same_shape(&mut self.numbers, shape);
                self.keep(|builder| builder.layer(layer, x).ok())
            };
            operands.extend(partner);
        }
        operands
    }

    /// The last value; with several inputs or a flat head, all that is of its degree, side by side in front of a `Linear`.
    fn output(&mut self) -> Operand {
        let last = self.values[self.values.len() - 1];
        if self.builder.spec().inputs().len() == 1 && self.numbers.once_in(2) {
            return last;
        }
        let degree = self.degree(last);
        let inputs = self.builder.spec().inputs().len();
        let mut flows: Vec<Operand> = (0..inputs)
            .map(Operand::Input)
            .filter(|input| *input != last && self.degree(*input) == degree)
            .collect();
        flows.push(last);
        let out_features = self.numbers.within(1..=4);
        let head = |builder: &mut Builder| {
            let flat: Result<Vec<_>, _> = flows
                .iter()
                .map(|flow| builder.layer(Flatten {}, *flow))
                .collect();
            let together = builder.combine(Combine::Concat, &flat.ok()?).ok()?;
            builder
                .layer(
                    Linear {
                        out_features,
                        bias: false,
                    },
                    together,
                )
                .ok()
        };
        self.keep(head).unwrap_or(last)
    }
}

/// A layer whose result has degree 0. A norm of one or two elements is a sign whose derivative, 0, is a difference of
/// large numbers, so the sign stands for it.
fn degree_zero(numbers: &mut Numbers, shape: Shape) -> Layer {
    let dim = numbers.within(1..=shape.rank());
    let affine = numbers.once_in(2);
    let last = shape.dim(shape.rank() - 1);
    let whole = numbers.once_in(2);
    let (layer, size): (Layer, usize) = match numbers.below(5) {
        0 => (Sign {}.into(), 1),
        1 => (L2Normalize { dim }.into(), shape.dim(dim - 1)),
        2 => {
            let norm = RmsNorm {
                normalized_shape: None,
                eps: 0.0,
                elementwise_affine: affine,
            };
            (norm.into(), last)
        }
        3 => {
            let norm = LayerNorm {
                normalized_shape: whole.then_some(shape),
                eps: 0.0,
                elementwise_affine: affine,
                bias: numbers.once_in(2),
            };
            (norm.into(), if whole { shape.elements() } else { last })
        }
        _ => {
            let norm = GroupNorm {
                num_groups: 1,
                num_channels: None,
                eps: 0.0,
                affine,
            };
            (norm.into(), shape.elements())
        }
    };
    if size > 2 { layer } else { Sign {}.into() }
}

/// A function that reads values of degree 0, with what makes its operand one that it can read.
fn function(numbers: &mut Numbers, shape: Shape) -> Vec<Layer> {
    let dim = numbers.within(1..=shape.rank());
    let along = numbers.once_in(2).then_some(dim);
    let approximate = numbers.choose(&[Approximation::None, Approximation::Tanh]);
    let layer = match numbers.below(27) {
        0 => Bias { dim }.into(),
        1 => Softmax { dim: along }.into(),
        2 => LogSoftmax { dim: along }.into(),
        3 => Softmin { dim: along }.into(),
        4 => Sigmoid {}.into(),
        5 => LogSigmoid {}.into(),
        6 => Tanh {}.into(),
        7 => Tanhshrink {}.into(),
        8 => Gelu { approximate }.into(),
        9 => Silu {}.into(),
        10 => Mish {}.into(),
        11 => Elu { alpha: 0.7 }.into(),
        12 => Selu {}.into(),
        13 => Celu { alpha: 1.3 }.into(),
        14 => Softplus {
            beta: 1.5,
            threshold: 20.0,
        }
        .into(),
        15 => Softsign {}.into(),
        16 => Hardtanh {
            min_val: -0.8,
            max_val: 0.9,
        }
        .into(),
        17 => Relu6 {}.into(),
        18 => Hardsigmoid {}.into(),
        19 => Hardswish {}.into(),
        20 => Threshold {
            threshold: 0.1,
            value: -0.2,
        }
        .into(),
        21 => Hardshrink { lambd: 0.3 }.into(),
        22 => Softshrink { lambd: 0.3 }.into(),
        23 => numbers.choose(&[Sin {}.into(), Cos {}.into()]),
        24 if shape.rank() > 1 => LocalResponseNorm {
            size: 3,
            alpha: 0.5,
            beta: 0.75,
            k: 1.0,
        }
        .into(),
        25 if (2..=4).contains(&shape.rank()) => return with_margin(0.4, shape.rank()),
        _ => return vec![Tanh {}.into(), Exp {}.into(), Log {}.into()],
    };
    vec![layer]
}

/// Means of neighbours, those in front of the first being a constant.
fn with_margin(value: f64, rank: usize) -> Vec<Layer> {
    let axes = rank - 1;
    let sides = Shape::from_slice(&[1, 0].repeat(axes)).unwrap();
    let [one, two] = [1, 2].map(|n| Some(Argument::Int(n)));
    let margin = [Some(Argument::Ints(sides)), Some(Argument::Float(value))];
    let mean = [two, one, None, None, None];
    let layers = [
        Layer::from_arguments(&format!("ConstantPad{axes}d"), &margin),
        Layer::from_arguments(&format!("AvgPool{axes}d"), &mean),
    ];
    layers.map(Option::unwrap).into()
}

fn activation(numbers: &mut Numbers, shape: Shape) -> Layer {
    let num_parameters = if numbers.once_in(2) { 1 } else { shape.dim(0) };
    match numbers.below(7) {
        0 => Abs {}.into(),
        1 => LeakyRelu {
            negative_slope: numbers.choose(&[0.01, 0.2, -0.5, 1.5]),
        }
        .into(),
        2 => PRelu { num_parameters }.into(),
        3 => Scale { num_parameters }.into(),
        4 => FrozenScale { num_parameters }.into(),
        _ => Relu {}.into(),
    }
}

/// A layer with weights whose result has the shape of its operand.
fn same_shape(numbers: &mut Numbers, shape: Shape) -> Layer {
    let out_channels = shape.dim(0);
    let groups = if numbers.once_in(3) { out_channels } else { 1 };
    let dilation = numbers.within(1..=2);
    match shape.rank() {
        2 => Conv1d {
            out_channels,
            kernel: 3,
            stride: 1,
            padding: dilation,
            dilation,
            groups,
            bias: false,
        }
        .into(),
        3 => Conv2d {
            out_channels,
            kernel: [3; 2],
            stride: [1; 2],
            padding: [dilation; 2],
            dilation: [dilation; 2],
            groups,
            bias: false,
        }
        .into(),
        1 => Linear {
            out_features: out_channels,
            bias: false,
        }
        .into(),
        _ => Scale { num_parameters: 1 }.into(),
    }
}

/// Any layer; it may not fit.
fn random_layer(numbers: &mut Numbers, shape: Shape) -> Layer {
    if numbers.once_in(3) {
        return activation(numbers, shape);
    }
    if numbers.once_in(3) {
        return rearranged(numbers, shape);
    }
    if numbers.once_in(3) {
        return selected(numbers, shape);
    }
    if numbers.once_in(8) {
        let members = numbers.within(1..=3);
        return match numbers.below(3) {
            0 => CRelu {}.into(),
            1 => Maxout { pieces: members }.into(),
            _ => GroupSort {
                group_size: members,
            }
            .into(),
        };
    }
    let mut pair = |largest: usize| [numbers.within(1..=largest), numbers.within(1..=largest)];
    let (kernel, stride, dilation) = (pair(3), pair(2), pair(2));
    let padding = pair(2).map(|p| p - 1);
    let [divisor, out] = pair(6);
    let [ceil_mode, count_include_pad] = pair(2).map(|n| n == 1);
    let groups = if shape.dim(0).is_multiple_of(divisor) {
        divisor
    } else {
        1
    };
    let out_channels = if groups > 1 {
        groups * (1 + out % 2)
    } else {
        out
    };
    let given = (divisor > 2).then_some(stride);
    match (shape.rank(), numbers.below(8)) {
        (1, 0) => Reshape {
            shape: Shape::new([divisor, shape.dim(0) / divisor]),
        }
        .into(),
        (4, 0..=4) => volume(numbers, out_channels, groups),
        (1 | 2, 1 | 2) | (1, _) => Linear {
            out_features: out,
            bias: false,
        }
        .into(),
        (2, 3) => MaxPool1d {
            kernel: kernel[0],
            stride: given.map(|s| s[0]),
            padding: padding[0],
            dilation: dilation[0],
            ceil_mode,
        }
        .into(),
        (2, 4) => AvgPool1d {
            kernel: kernel[0],
            stride: given.map(|s| s[0]),
            padding: padding[0],
            ceil_mode,
            count_include_pad,
        }
        .into(),
        (2, 5) => GlobalMaxPool {}.into(),
        (2, 6) => Flatten {}.into(),
        (2, _) => Conv1d {
            out_channels,
            kernel: kernel[0],
            stride: stride[0],
            padding: padding[0],
            dilation: dilation[0],
            groups,
            bias: false,
        }
        .into(),
        (3, 0) => MaxPool2d {
            kernel,
            stride: given,
            padding,
            dilation,
            ceil_mode,
        }
        .into(),
        (3, 1) => AvgPool2d {
            kernel,
            stride: given,
            padding,
            ceil_mode,
            count_include_pad,
        }
        .into(),
        (3, 2) => resized(numbers, kernel, dilation),
        (3, 3) => match divisor {
            1 => GlobalAvgPool {}.into(),
            2 => GlobalMaxPool {}.into(),
            _ => AdaptiveAvgPool2d {
                height: kernel[0],
                width: Some(kernel[1]),
            }
            .into(),
        },
        (3, 4) => match divisor {
            1 => Dropout { p: 0.5 }.into(),
            _ => Flatten {}.into(),
        },
        (3, _) => Conv2d {
            out_channels,
            kernel,
            stride,
            padding,
            dilation,
            groups,
            bias: false,
        }
        .into(),
        _ => Flatten {}.into(),
    }
}

/// Other sizes of an image.
fn resized(numbers: &mut Numbers, factors: [usize; 2], sides: [usize; 2]) -> Layer {
    let mode = numbers.choose(&[
        Interpolation::Nearest,
        Interpolation::Bilinear,
        Interpolation::Bicubic,
    ]);
    let align_corners = mode != Interpolation::Nearest && numbers.once_in(2);
    match numbers.below(3) {
        0 => Upsample {
            scale_factor: factors,
            mode,
            align_corners,
        }
        .into(),
        1 => PixelShuffle {
            upscale_factor: sides[0],
        }
        .into(),
        _ => ZeroPad2d {
            padding: [sides[0] - 1, factors[0] - 1, factors[1] - 1, sides[1] - 1],
        }
        .into(),
    }
}
