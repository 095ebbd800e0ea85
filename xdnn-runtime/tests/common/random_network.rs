//! Networks at random: whatever the rules of `xdnn-ir` accept may come out.

use xdnn_runtime::ir::layer::{
    Abs, AdaptiveAvgPool2d, AvgPool1d, AvgPool2d, Conv1d, Conv2d, Dropout, Flatten, GlobalAvgPool,
    GlobalMaxPool, Interpolation, LeakyRelu, Linear, MaxPool1d, MaxPool2d, PRelu, PixelShuffle,
    Relu, Reshape, Scale, Upsample, ZeroPad2d,
};
use xdnn_runtime::ir::{Combine, Degree, Layer, NetworkSpec, Operand, Shape};

use super::network::Builder;
use super::numbers::Numbers;
use super::random_structure::{even_pool, rearranged, selected, volume};

/// No value has more elements a sample.
const LARGEST: usize = 160;
const HIGHEST: Degree = Degree::integer(4);

/// The network of a seed: one to three inputs, up to 14 steps, degrees 1 to 4.
pub fn random_network(seed: u64) -> NetworkSpec {
    let mut numbers = Numbers::new(seed);
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
        match self.numbers.below(9) {
            8 => self.unpooled(x),
            0 => self.residual(x),
            1 => self.combine(x),
            2 => self.product(x),
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

    /// Keeps a value that is neither too large nor of too high a degree.
    fn keep(
        &mut self,
        mut attempt: impl FnMut(&mut Builder) -> Option<Operand>,
    ) -> Option<Operand> {
        let before = self.builder.clone();
        let kept = attempt(&mut self.builder).filter(|value| {
            let degree = self.degree(*value);
            let low = degree.to_f64() <= HIGHEST.to_f64();
            low && self.shape(*value).elements() <= LARGEST
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

    /// A sum, concatenation, maximum or minimum of two or three values of one degree.
    fn combine(&mut self, x: Operand) {
        let rule =
            self.numbers
                .choose(&[Combine::Sum, Combine::Concat, Combine::Max, Combine::Min]);
        let operands = self.partners(x, |growing, other| {
            growing.degree(other) == growing.degree(x)
        });
        self.keep(|builder| builder.combine(rule, &operands).ok());
    }

    fn product(&mut self, x: Operand) {
        let operands = self.partners(x, |_, _| true);
        self.keep(|builder| builder.combine(Combine::Product, &operands).ok());
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

fn activation(numbers: &mut Numbers, shape: Shape) -> Layer {
    let num_parameters = if numbers.once_in(2) { 1 } else { shape.dim(0) };
    match numbers.below(6) {
        0 => Abs {}.into(),
        1 => LeakyRelu {
            negative_slope: numbers.choose(&[0.01, 0.2, -0.5, 1.5]),
        }
        .into(),
        2 => PRelu { num_parameters }.into(),
        3 => Scale { num_parameters }.into(),
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
