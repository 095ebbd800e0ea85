//! The layers of the language, one family a file.
//!
//! A layer is a plain struct whose fields are its arguments: the same declaration makes the struct, the signature that
//! the language parses and the conversion between the two. Beside it stand three rules, each a `const fn`:
//! `output(input shape)`, `degree(input degree)` and `weights(input shape)`. To add a layer, write them in a file and
//! name the struct in `layers!` below.

use crate::{Argument, Degree, Fault, Literal, Shape, Signature};

/// Declares a layer: a struct whose fields are the arguments, each with a default where it has `= …`.
macro_rules! layer {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $ty:ty $(= $default:expr)?),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $name { $($(#[$field_doc])* pub $field: $ty),* }

        impl $name {
            /// The name and the parameters in the language.
            pub const SIGNATURE: $crate::Signature = $crate::Signature {
                name: stringify!($name),
                parameters: &[$($crate::Parameter {
                    name: stringify!($field),
                    kind: <$ty as $crate::argument::Field>::KIND,
                    optional: <$ty as $crate::argument::Field>::OPTIONAL $(|| { let _: $ty = $default; true })?,
                }),*],
            };

            /// The layer of these arguments, one for each parameter; `None` where one is missing or of the wrong kind.
            #[allow(unused_mut, unused_variables)]
            pub fn from_arguments(arguments: &[Option<$crate::Argument>]) -> Option<Self> {
                let mut arguments = arguments.iter().copied();
                $(
                    #[allow(unused_mut)]
                    let mut $field = arguments.next()?;
                    $(
                        if $field.is_none() {
                            let default: $ty = $default;
                            $field = $crate::argument::Field::to_argument(&default);
                        }
                    )?
                    let $field = <$ty as $crate::argument::Field>::from_argument($field)?;
                )*
                Some(Self { $($field),* })
            }

            /// The arguments, one for each parameter; `None` for an optional one that is not given.
            pub fn arguments(&self) -> Vec<Option<$crate::Argument>> {
                vec![$($crate::argument::Field::to_argument(&self.$field)),*]
            }

            /// The names and values of the fields.
            pub fn fields(&self) -> Vec<(&'static str, $crate::Literal)> {
                vec![$((stringify!($field), $crate::argument::Field::to_literal(&self.$field))),*]
            }
        }
    };
}

/// Gives layers whose degree is that of their input the rule that says so.
macro_rules! keeps_degree {
    ($($layer:ident),*) => {$(
        impl $layer {
            /// The degree of the result: that of the input.
            pub const fn degree(&self, input: $crate::Degree) -> Result<$crate::Degree, $crate::Fault> {
                Ok(input)
            }
        }
    )*};
}

/// Gives layers that are only legal on values of degree 0 the rule that says so.
macro_rules! reads_degree_zero {
    ($($layer:ident),* $(,)?) => {$(
        impl $layer {
            /// The degree of the result: 0, for an input of degree 0. Any other input moves the result in no fixed power.
            pub const fn degree(&self, input: $crate::Degree) -> Result<$crate::Degree, $crate::Fault> {
                if input.same($crate::Degree::ZERO) {
                    Ok(input)
                } else {
                    Err($crate::Fault::NotHomogeneous { degree: input })
                }
            }
        }
    )*};
}

/// Gives layers whose result has the shape of their input, whatever that is, the rule that says so.
macro_rules! keeps_shape {
    ($($layer:ident),* $(,)?) => {$(
        impl $layer {
            /// The shape of the result: that of the input.
            pub const fn output(&self, input: $crate::Shape) -> Result<$crate::Shape, $crate::Fault> {
                Ok(input)
            }
        }
    )*};
}

/// Gives linear layers with an argument `bias` the rule that a bias is added to values of degree 0 only.
macro_rules! keeps_degree_without_bias {
    ($($layer:ident),* $(,)?) => {$(
        impl $layer {
            /// The degree of the result: that of the input, which must be 0 where a bias is added.
            pub const fn degree(&self, input: $crate::Degree) -> Result<$crate::Degree, $crate::Fault> {
                if self.bias && !input.same($crate::Degree::ZERO) {
                    return Err($crate::Fault::Bias { degree: input });
                }
                Ok(input)
            }
        }
    )*};
}

/// Gives layers without weights the rule that says so.
macro_rules! no_weights {
    ($($layer:ident),* $(,)?) => {$(
        impl $layer {
            /// The weights: none.
            pub const fn weights(&self, _: $crate::Shape) -> $crate::layer::Weights {
                $crate::layer::Weights::NONE
            }
        }
    )*};
}

/// Gives pools the rules of their windows: the shape of the result, and the kernel as the default of the stride.
macro_rules! windows {
    ($($name:ident: $sizes:ty, $form:expr, |$pool:ident| $window:expr;)*) => {$(
        impl $name {
            /// The shape of the result.
            pub const fn output(&self, input: $crate::Shape) -> Result<$crate::Shape, $crate::Fault> {
                let $pool = self;
                $window.pool(input, $form)
            }

            /// The step between windows.
            pub const fn stride(&self) -> $sizes {
                match self.stride {
                    Some(stride) => stride,
                    None => self.kernel,
                }
            }
        }
    )*};
}

mod activation;
mod adaptive;
mod attention;
mod channel;
mod convolution;
mod function;
mod linear;
mod norm;
mod order;
mod padding;
mod pool;
mod power;
mod power_mean;
mod recurrent;
mod regularization;
mod resize;
mod softmax;
mod transposed;
mod view;

pub use activation::{Abs, LeakyRelu, PRelu, Relu};
pub use adaptive::{
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, AdaptiveMaxPool1d, AdaptiveMaxPool2d,
    AdaptiveMaxPool3d, GlobalAvgPool, GlobalMaxPool,
};
pub use attention::{AttentionKind, MultiheadAttention, RotaryEmbedding};
pub use channel::{CRelu, FrozenScale, GroupSort, Maxout};
pub use convolution::{Conv1d, Conv2d, Conv3d};
pub use function::{
    Approximation, Bias, Celu, Cos, Elu, Exp, Gelu, Glu, Hardshrink, Hardsigmoid, Hardswish,
    Hardtanh, LocalResponseNorm, Log, LogSigmoid, Mish, Relu6, Selu, Sigmoid, Silu, Sin, Softplus,
    Softshrink, Softsign, Tanh, Tanhshrink, Threshold,
};
pub use linear::{Identity, Linear, Neg, Scale};
pub use norm::{GroupNorm, L2Normalize, LayerNorm, RmsNorm};
pub use order::{MedianPool1d, MedianPool2d, MinPool1d, MinPool2d, MinPool3d, TopKPool};
pub use padding::{
    CircularPad1d, CircularPad2d, ConstantPad1d, ConstantPad2d, ConstantPad3d, Crop1d, Crop2d,
    ReflectionPad1d, ReflectionPad2d, ReplicationPad1d, ReplicationPad2d, ZeroPad1d, ZeroPad2d,
    ZeroPad3d,
};
pub use pool::{AvgPool1d, AvgPool2d, AvgPool3d, MaxPool1d, MaxPool2d, MaxPool3d};
pub use power::{Cube, Power, Sign, Sqrt, Square, SquaredRelu};
pub use power_mean::{GeM, LpPool1d, LpPool2d};
pub use recurrent::Rnn;
pub use regularization::Dropout;
pub use resize::{Interpolation, PixelShuffle, PixelUnshuffle, Upsample};
pub use softmax::{LogSoftmax, Softmax, Softmin};
pub use transposed::{ConvTranspose1d, ConvTranspose2d, ConvTranspose3d};
pub use view::{ChannelShuffle, Flatten, Permute, Reshape};

const LINE: &str = "[channels, length]";
const IMAGE: &str = "[channels, height, width]";
const VOLUME: &str = "[channels, depth, height, width]";

/// The names and shapes of a layer's weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights {
    list: [(&'static str, Shape); Self::MAX],
    len: usize,
}

impl Weights {
    const MAX: usize = 4;
    /// No weights.
    pub const NONE: Self = Self {
        list: [("", Shape::new([])); Self::MAX],
        len: 0,
    };

    /// A single tensor of the name `weight`.
    pub const fn one(shape: Shape) -> Self {
        Self::named("weight", shape)
    }

    /// A single tensor of this name.
    pub const fn named(name: &'static str, shape: Shape) -> Self {
        Self::of(&[(name, shape)])
    }

    /// Tensors of these names, at most 4.
    pub const fn of<const LEN: usize>(list: &[(&'static str, Shape); LEN]) -> Self {
        const { assert!(LEN <= Self::MAX, "a layer has at most 4 weights") };
        let mut weights = Self::NONE;
        while weights.len < LEN {
            weights.list[weights.len] = list[weights.len];
            weights.len += 1;
        }
        weights
    }

    /// A tensor of the name `weight`, and one of the name `bias` with a number for each of `outputs` where there is one.
    const fn with_bias(weight: Shape, bias: bool, outputs: usize) -> Self {
        if bias {
            Self::of(&[("weight", weight), ("bias", Shape::new([outputs]))])
        } else {
            Self::one(weight)
        }
    }

    /// The names and shapes.
    pub const fn as_slice(&self) -> &[(&'static str, Shape)] {
        self.list.split_at(self.len).0
    }
}

/// The position among the dimensions of one sample of a dimension that PyTorch's way counts, with the batch as dimension
/// 0; the last one where none is given.
const fn axis(dim: Option<usize>, input: Shape) -> Result<usize, Fault> {
    let dim = match dim {
        Some(dim) => dim,
        None => input.rank(),
    };
    const EXPECTED: &str = "a dimension of the input: 1 is the first, and 0 would be the batch";
    let (name, expected) = ("dim", EXPECTED);
    match dim.checked_sub(1) {
        None => Err(Fault::Argument { name, expected }),
        Some(axis) if axis >= input.rank() => Err(Fault::Misfit { name, expected }),
        Some(axis) => Ok(axis),
    }
}

/// Whether `f32` holds a number close to this one.
const fn finite(value: f64) -> bool {
    (value as f32).is_finite()
}

/// Lists the layers: one line each is all that the language needs to know them.
macro_rules! layers {
    ($($name:ident),* $(,)?) => {
        /// A layer with its arguments.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Layer { $(#[doc = concat!("[`", stringify!($name), "`].")] $name($name)),* }

        impl Layer {
            /// The name and the parameters of every layer.
            pub const SIGNATURES: &'static [Signature] = &[$($name::SIGNATURE),*];

            /// The layer of that name and these arguments, one for each parameter of its signature.
            ///
            /// `None` where there is no such layer, or where an argument is missing or of the wrong kind.
            pub fn from_arguments(name: &str, arguments: &[Option<Argument>]) -> Option<Self> {
                match name {
                    $(stringify!($name) => $name::from_arguments(arguments).map(Self::$name),)*
                    _ => None,
                }
            }

            /// The arguments, one for each parameter of the signature.
            pub fn arguments(&self) -> Vec<Option<Argument>> {
                match self { $(Self::$name(layer) => layer.arguments()),* }
            }

            /// The names and values of the fields.
            pub fn fields(&self) -> Vec<(&'static str, Literal)> {
                match self { $(Self::$name(layer) => layer.fields()),* }
            }

            /// The name and the parameters.
            pub const fn signature(&self) -> Signature {
                match self { $(Self::$name(_) => $name::SIGNATURE),* }
            }

            /// The shape of the result for one sample of this shape.
            pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
                let output = tri!(match self { $(Self::$name(layer) => layer.output(input)),* });
                let mut i = 0;
                let weights = self.weights(input);
                while i < weights.as_slice().len() {
                    if !weights.as_slice()[i].1.is_computable() { return Err(Fault::TooLarge) }
                    i += 1;
                }
                if output.is_computable() { Ok(output) } else { Err(Fault::TooLarge) }
            }

            /// The degree of the result for an input of this degree.
            pub const fn degree(&self, input: Degree) -> Result<Degree, Fault> {
                match self { $(Self::$name(layer) => layer.degree(input)),* }
            }

            /// The weights for an input of this shape.
            pub const fn weights(&self, input: Shape) -> Weights {
                match self { $(Self::$name(layer) => layer.weights(input)),* }
            }
        }

        $(impl From<$name> for Layer {
            fn from(layer: $name) -> Self {
                Self::$name(layer)
            }
        })*
    };
}

layers! {
    Linear, Scale, FrozenScale,
    Identity, Neg,
    Conv1d, Conv2d, Conv3d,
    ConvTranspose1d, ConvTranspose2d, ConvTranspose3d,
    Relu, LeakyRelu, PRelu, Abs, CRelu, Maxout, GroupSort,
    Power, Square, Cube, Sqrt, SquaredRelu, Sign,
    L2Normalize, RmsNorm, LayerNorm, GroupNorm,
    Bias, Softmax, LogSoftmax, Softmin,
    Sigmoid, LogSigmoid, Tanh, Tanhshrink, Gelu, Silu, Mish, Elu, Selu, Celu, Softplus, Softsign, Glu,
    Hardtanh, Relu6, Hardsigmoid, Hardswish, Threshold, Hardshrink, Softshrink,
    Exp, Log, Sin, Cos,
    LocalResponseNorm,
    MaxPool1d, MaxPool2d, MaxPool3d, AvgPool1d, AvgPool2d, AvgPool3d,
    MinPool1d, MinPool2d, MinPool3d, MedianPool1d, MedianPool2d,
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d,
    AdaptiveMaxPool1d, AdaptiveMaxPool2d, AdaptiveMaxPool3d,
    GlobalAvgPool, GlobalMaxPool, TopKPool,
    LpPool1d, LpPool2d, GeM,
    MultiheadAttention, RotaryEmbedding, Rnn,
    Flatten, Reshape, Permute, ChannelShuffle,
    Dropout,
    Upsample, PixelShuffle, PixelUnshuffle,
    ZeroPad1d, ZeroPad2d, ZeroPad3d, ConstantPad1d, ConstantPad2d, ConstantPad3d,
    ReflectionPad1d, ReflectionPad2d, ReplicationPad1d, ReplicationPad2d, CircularPad1d, CircularPad2d,
    Crop1d, Crop2d,
}

impl Layer {
    /// The name in the language.
    pub const fn name(&self) -> &'static str {
        self.signature().name
    }
}
