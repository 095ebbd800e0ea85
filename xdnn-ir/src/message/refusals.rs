//! Layers that cannot be part of a homogeneous network.

use super::same_name;

/// Why some layers are refused, and what to write instead of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The layers' names, in PyTorch's spelling where PyTorch has them; case and underscores do not matter.
    pub names: &'static [&'static str],
    /// The reason; `{f}` stands for the function's name in lower case.
    pub reason: &'static str,
    /// What to write instead.
    pub remedy: &'static str,
    /// Whether the result has the input's shape, so that checking can go on behind the layer.
    pub keeps_shape: bool,
}

const NO_DEGREE: &str = "there is no degree d with {f}(a*x) = a^d * {f}(x) for all a > 0";
const ACTIVATION: &str =
    "use a homogeneous activation: `Relu`, `LeakyRelu(slope)`, `PRelu` or `Abs`";
const NORM: &str = "remove it; bias-free residual networks train without normalisation from Fixup's initialisation";

/// Every refused layer.
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
        remedy: "remove it and start from Fixup's initialisation; what may stay of it is its scale: `norm: Scale(channels)`",
        keeps_shape: true,
    },
    Refusal {
        names: &[
            "LayerNorm",
            "LayerNormalization",
            "GroupNorm",
            "GroupNormalization",
            "RmsNorm",
            "InstanceNorm",
            "InstanceNorm1d",
            "InstanceNorm2d",
            "InstanceNorm3d",
            "LazyInstanceNorm1d",
            "LazyInstanceNorm2d",
            "LazyInstanceNorm3d",
        ],
        reason: "its eps is a constant beside the norm; without eps the scale cancels, and at degree 0 nothing can be attributed",
        remedy: NORM,
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
        remedy: "use convolutions over time: `Conv1d(channels, kernel = 3)`",
        keeps_shape: false,
    },
    Refusal {
        names: &[
            "MultiheadAttention",
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
        remedy: "mix tokens with `Linear` or `Conv1d`",
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
        remedy: "remove it, or make it an input of the network, which is then attributed to as well",
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

impl Refusal {
    /// The reason, about the function of this name.
    pub fn reason(&self, name: &str) -> String {
        self.reason.replace("{f}", &name.to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::{REFUSALS, find};
    use crate::Layer;
    use crate::message::aliases;

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
    fn no_name_is_refused_that_is_a_layer_or_will_be_one() {
        for signature in Layer::SIGNATURES {
            assert_eq!(find(signature.name), None, "{}", signature.name);
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
