//! Layers that cannot be part of a homogeneous network, and functions that only values of degree 0 may pass through.

use super::text::{Part, Text, equal, text};
use super::{Message, aliases, same_name};

/// Why some layers are refused, and what to write instead of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The layers' names, in PyTorch's spelling where PyTorch has them; case and underscores do not matter.
    pub names: &'static [&'static str],
    /// The reason; `{}` stands for the function's name in lower case.
    pub reason: &'static str,
    /// What to write instead.
    pub remedy: &'static str,
    /// Whether the result has the input's shape, so that checking can go on behind the layer.
    pub keeps_shape: bool,
}

const NO_DEGREE: &str = "there is no degree d with {}(a*x) = a^d * {}(x) for all a > 0";
const ACTIVATION: &str =
    "use a homogeneous activation: `Relu`, `LeakyRelu(slope)`, `PRelu` or `Abs`";

/// Every refused layer, and every layer that is refused unless its input has degree 0.
pub const REFUSALS: &[Refusal] = &[
    Refusal {
        names: &[
            "Sigmoid",
            "LogSigmoid",
            "Tanh",
            "Gelu",
            "Silu",
            "Swish",
            "Mish",
            "Elu",
            "Selu",
            "Celu",
            "Softplus",
            "Softsign",
            "Exp",
            "Log",
            "Log1p",
            "Sin",
            "Cos",
            "Tan",
            "Atan",
            "Arctan",
            "Erf",
            "Sinh",
            "Cosh",
            "Gaussian",
            "QuickGelu",
        ],
        reason: NO_DEGREE,
        remedy: ACTIVATION,
        keeps_shape: true,
    },
    Refusal {
        names: &["Hardswish", "Hardsigmoid", "HardSilu"],
        reason: "it is clipped at the constants -3 and 3, which do not scale with the input",
        remedy: ACTIVATION,
        keeps_shape: true,
    },
    Refusal {
        names: &["Relu6", "Hardtanh", "Clamp", "Clip", "Relu1"],
        reason: "it clips at a constant, which does not scale with the input: f(a*x) stays put where a*f(x) grows",
        remedy: "use `Relu`, which clips at 0 only",
        keeps_shape: true,
    },
    Refusal {
        names: &[
            "Threshold",
            "ThresholdedRelu",
            "Hardshrink",
            "Softshrink",
            "Tanhshrink",
        ],
        reason: "its threshold is a constant, which does not scale with the input",
        remedy: "use `Relu`, whose threshold is 0",
        keeps_shape: true,
    },
    Refusal {
        names: &[
            "Softmax",
            "Softmax2d",
            "LogSoftmax",
            "Softmin",
            "Sparsemax",
            "GumbelSoftmax",
            "AdaptiveLogSoftmaxWithLoss",
        ],
        reason: "it is built of exp: softmax(a*x) is no multiple of softmax(x)",
        remedy: "attribute the logit: end the network before it, since softmax belongs to the loss",
        keeps_shape: true,
    },
    Refusal {
        names: &["Glu", "SwiGlu", "GeGlu"],
        reason: "its gate is a sigmoid or another function without a degree",
        remedy: "gate with a homogeneous activation, at degree 2: `product(a: Linear(n) -> Relu, b: Linear(n))`",
        keeps_shape: false,
    },
    Refusal {
        names: &[
            "BatchNorm",
            "BatchNorm1d",
            "BatchNorm2d",
            "BatchNorm3d",
            "LazyBatchNorm1d",
            "LazyBatchNorm2d",
            "LazyBatchNorm3d",
            "BatchNormalization",
            "SyncBatchNorm",
            "BatchRenorm",
        ],
        reason: "it subtracts a mean and adds a shift, constants of degree 0, from a value of another degree",
        remedy: "remove it and start from Fixup's initialisation; what may stay of it is its scale: `norm: Scale(channels)`, or `FrozenScale(channels)` for one that is not trained",
        keeps_shape: true,
    },
    Refusal {
        names: &[
            "InstanceNorm",
            "InstanceNorm1d",
            "InstanceNorm2d",
            "InstanceNorm3d",
            "LazyInstanceNorm1d",
            "LazyInstanceNorm2d",
            "LazyInstanceNorm3d",
        ],
        reason: "its eps is a constant beside the norm, which does not scale with the input",
        remedy: "write `norm: GroupNorm(channels)`, one group a channel, which does without eps",
        keeps_shape: true,
    },
    Refusal {
        names: &["LocalResponseNorm", "Lrn", "CrossMapLRN2d"],
        reason: "it divides by a sum to which a constant was added",
        remedy: "remove it: torchvision's AlexNet does without it, too",
        keeps_shape: true,
    },
    Refusal {
        names: &["WeightNorm", "SpectralNorm"],
        reason: "it is no function of the value that flows in, but another parameterisation of weights",
        remedy: "remove it, and fold its factor into the weights that you load",
        keeps_shape: true,
    },
    Refusal {
        names: &["Bias", "AddBias", "Affine", "BiasAdd", "LinearWithBias"],
        reason: "W(a*x) + b = a*(W(x) + b) for all a > 0 only if b = 0",
        remedy: "remove it; to compare with a network that has biases, declare that one `#[regular]`",
        keeps_shape: true,
    },
    Refusal {
        names: &["Lstm", "Gru", "LstmCell", "GruCell"],
        reason: "its gates are sigmoids, and its state passes through tanh",
        remedy: "use `Rnn(hidden_size)`, which passes its state through a ReLU, or convolutions over time: `Conv1d(channels, kernel = 3)`",
        keeps_shape: false,
    },
    Refusal {
        names: &[
            "Attention",
            "ScaledDotProductAttention",
            "Transformer",
            "TransformerEncoder",
            "TransformerDecoder",
            "TransformerEncoderLayer",
            "TransformerDecoderLayer",
            "SelfAttention",
            "LinearAttention",
        ],
        reason: "it weighs with the softmax of a score of degree 2, and softmax has no degree",
        remedy: "use `MultiheadAttention(heads, kind = normalized_softmax)`, whose queries and keys are unit vectors, and `residual` around it",
        keeps_shape: true,
    },
    Refusal {
        names: &[
            "PositionalEncoding",
            "PositionEmbedding",
            "PositionalEmbedding",
            "ClassToken",
            "ClsToken",
        ],
        reason: "it adds a constant of degree 0 to a value of another degree",
        remedy: "turn features by their positions with `RotaryEmbedding`, or make it an input of the network, which is then attributed to as well",
        keeps_shape: true,
    },
    Refusal {
        names: &["Embedding", "EmbeddingBag"],
        reason: "it reads indices, which cannot be scaled",
        remedy: "look the vectors up outside, and make them an input of the network: they are what is attributed to",
        keeps_shape: false,
    },
    Refusal {
        names: &[
            "LogSumExp",
            "LogSumExpPool",
            "SoftPool",
            "SoftPool2d",
            "AttentionPool",
            "StochasticPool2d",
        ],
        reason: "it weighs with exp, which has no degree",
        remedy: "pool with `MaxPool2d` or `AvgPool2d`",
        keeps_shape: false,
    },
    Refusal {
        names: &["ConstantPad1d", "ConstantPad2d", "ConstantPad3d"],
        reason: "a constant of degree 0 would stand beside values of another degree",
        remedy: "pad with zeros: `ZeroPad2d((left, right, top, bottom))`",
        keeps_shape: false,
    },
    Refusal {
        names: &["AlphaDropout", "FeatureAlphaDropout", "GaussianNoise"],
        reason: "it adds a constant that does not scale with the input",
        remedy: "use `Dropout(p)`, which is linear given its mask",
        keeps_shape: true,
    },
];

/// The refusal of the layer of this name, where it is refused.
pub fn find(name: &str) -> Option<&'static Refusal> {
    REFUSALS
        .iter()
        .find(|refusal| refusal.names.iter().any(|refused| same_name(refused, name)))
}

/// The layer that is meant by another framework's name for a function that only values of degree 0 may pass through.
pub fn meant(name: &str) -> Option<&'static str> {
    find(name).and_then(|_| aliases::layer(name))
}

/// What is said of a refused layer by whatever name it is called.
pub fn message(name: &str) -> Option<Message> {
    let refusal = find(name)?;
    let headline = format!("`{name}` is not nonnegatively homogeneous");
    Some(
        Message::new(headline)
            .note(refusal.reason(name))
            .help(refusal.remedy(meant(name))),
    )
}

/// The refusal of a layer of the language.
pub(super) const fn of_layer(name: &str) -> Option<&'static Refusal> {
    let mut i = 0;
    while i < REFUSALS.len() {
        let (names, mut n) = (REFUSALS[i].names, 0);
        while n < names.len() {
            if equal(names[n], name) {
                return Some(&REFUSALS[i]);
            }
            n += 1;
        }
        i += 1;
    }
    None
}

impl Refusal {
    /// The reason, about the function of this name.
    pub(super) const fn reason(&self, name: &str) -> Text {
        text(self.reason, &[Part::Lower(name); 2])
    }

    /// What to write instead of the function of this name, and where the layer that computes it is legal.
    pub(super) const fn remedy(&self, layer: Option<&str>) -> Text {
        const LEGAL: &str =
            "{}; `{}` is legal on a value of degree 0, such as the result of `RmsNorm`";
        match layer {
            Some(layer) => text(LEGAL, &[Part::Str(self.remedy), Part::Str(layer)]),
            None => text(self.remedy, &[]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{REFUSALS, find};
    use crate::message::aliases;
    use crate::{Argument, Degree, Fault, Layer};

    #[test]
    fn spelling_does_not_matter() {
        for name in [
            "ReLU6",
            "relu6",
            "Relu6",
            "SiLU",
            "GELU",
            "batch_norm2d",
            "LSTM",
            "log_softmax",
        ] {
            assert!(find(name).is_some(), "{name}");
        }
    }

    #[test]
    fn the_layers_that_are_refused_are_those_that_need_degree_zero() {
        for signature in Layer::SIGNATURES {
            let arguments: Vec<_> = signature
                .parameters
                .iter()
                .map(|parameter| (!parameter.optional).then_some(Argument::Int(2)))
                .collect();
            let layer = Layer::from_arguments(signature.name, &arguments);
            let refused = layer.is_some_and(|layer| {
                let fault = layer.degree(Degree::ONE).err();
                matches!(fault, Some(Fault::NotHomogeneous { .. }))
            });
            let name = signature.name;
            assert_eq!(find(name).is_some(), refused, "{name}");
        }
        for name in aliases::LATER {
            assert_eq!(find(name), None, "{name}");
        }
    }

    #[test]
    fn each_name_is_refused_once() {
        let mut names: Vec<_> = REFUSALS
            .iter()
            .flat_map(|refusal| refusal.names)
            .map(|name| name.to_lowercase())
            .collect();
        let len = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), len);
    }
}
