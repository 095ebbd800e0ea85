//! Names that users of other frameworks will try.

use super::same_name;
use crate::{Combine, Layer};

/// Other names for layers, and the layer's name in the language. Case and underscores do not matter.
pub const LAYERS: &[(&str, &str)] = &[
    ("Dense", "Linear"),
    ("FullyConnected", "Linear"),
    ("Fc", "Linear"),
    ("InnerProduct", "Linear"),
    ("LazyLinear", "Linear"),
    ("Convolution1d", "Conv1d"),
    ("LazyConv1d", "Conv1d"),
    ("Conv", "Conv2d"),
    ("Convolution", "Conv2d"),
    ("Convolution2d", "Conv2d"),
    ("LazyConv2d", "Conv2d"),
    ("Convolution3d", "Conv3d"),
    ("LazyConv3d", "Conv3d"),
    ("Conv1dTranspose", "ConvTranspose1d"),
    ("Deconv1d", "ConvTranspose1d"),
    ("LazyConvTranspose1d", "ConvTranspose1d"),
    ("ConvTranspose", "ConvTranspose2d"),
    ("Conv2dTranspose", "ConvTranspose2d"),
    ("Deconv", "ConvTranspose2d"),
    ("Deconv2d", "ConvTranspose2d"),
    ("Deconvolution", "ConvTranspose2d"),
    ("TransposedConv2d", "ConvTranspose2d"),
    ("LazyConvTranspose2d", "ConvTranspose2d"),
    ("Conv3dTranspose", "ConvTranspose3d"),
    ("Deconv3d", "ConvTranspose3d"),
    ("LazyConvTranspose3d", "ConvTranspose3d"),
    ("Rectifier", "Relu"),
    ("ParametricRelu", "PRelu"),
    ("Absolute", "Abs"),
    ("MaxPooling1d", "MaxPool1d"),
    ("MaxPool", "MaxPool2d"),
    ("MaxPooling", "MaxPool2d"),
    ("MaxPooling2d", "MaxPool2d"),
    ("MaxPooling3d", "MaxPool3d"),
    ("MinPool", "MinPool2d"),
    ("MinPooling", "MinPool2d"),
    ("MinPooling2d", "MinPool2d"),
    ("MedianPool", "MedianPool2d"),
    ("LpPool", "LpPool2d"),
    ("GeMPool", "GeM"),
    ("GeneralizedMeanPooling", "GeM"),
    ("PowerMeanPool", "GeM"),
    ("TopK", "TopKPool"),
    ("KMaxPool", "TopKPool"),
    ("KMaxPooling", "TopKPool"),
    ("MedianBlur", "MedianPool2d"),
    ("MedianFilter", "MedianPool2d"),
    ("AveragePooling1d", "AvgPool1d"),
    ("AveragePool1d", "AvgPool1d"),
    ("AvgPool", "AvgPool2d"),
    ("AveragePooling", "AvgPool2d"),
    ("AveragePooling2d", "AvgPool2d"),
    ("AveragePool2d", "AvgPool2d"),
    ("AveragePooling3d", "AvgPool3d"),
    ("AveragePool3d", "AvgPool3d"),
    ("AdaptiveAveragePool1d", "AdaptiveAvgPool1d"),
    ("AdaptiveAveragePool3d", "AdaptiveAvgPool3d"),
    ("AdaptiveMaxPool", "AdaptiveMaxPool2d"),
    ("AdaptiveAveragePool2d", "AdaptiveAvgPool2d"),
    ("GlobalAveragePool", "GlobalAvgPool"),
    ("GlobalAveragePooling1d", "GlobalAvgPool"),
    ("GlobalAveragePooling2d", "GlobalAvgPool"),
    ("GlobalAvgPool1d", "GlobalAvgPool"),
    ("GlobalAvgPool2d", "GlobalAvgPool"),
    ("GlobalAvgPool3d", "GlobalAvgPool"),
    ("GlobalAveragePooling3d", "GlobalAvgPool"),
    ("GlobalMaxPooling3d", "GlobalMaxPool"),
    ("GlobalMaxPool3d", "GlobalMaxPool"),
    ("GlobalMaxPooling1d", "GlobalMaxPool"),
    ("GlobalMaxPooling2d", "GlobalMaxPool"),
    ("GlobalMaxPool1d", "GlobalMaxPool"),
    ("GlobalMaxPool2d", "GlobalMaxPool"),
    ("View", "Reshape"),
    ("Unflatten", "Reshape"),
    ("Transpose", "Permute"),
    ("SwapAxes", "Permute"),
    ("Interpolate", "Upsample"),
    ("Upsampling2d", "Upsample"),
    ("UpsamplingNearest2d", "Upsample"),
    ("UpsamplingBilinear2d", "Upsample"),
    ("UpsamplingBicubic2d", "Upsample"),
    ("Resize", "Upsample"),
    ("DepthToSpace", "PixelShuffle"),
    ("SpaceToDepth", "PixelUnshuffle"),
    ("ReflectionPad", "ReflectionPad2d"),
    ("ReflectPad", "ReflectionPad2d"),
    ("ReplicationPad", "ReplicationPad2d"),
    ("ReplicatePad", "ReplicationPad2d"),
    ("EdgePad", "ReplicationPad2d"),
    ("CircularPad", "CircularPad2d"),
    ("WrapPad", "CircularPad2d"),
    ("ZeroPad", "ZeroPad2d"),
    ("ZeroPadding1d", "ZeroPad1d"),
    ("ZeroPadding3d", "ZeroPad3d"),
    ("Cropping1d", "Crop1d"),
    ("Crop", "Crop2d"),
    ("CenterCrop", "Crop2d"),
    ("Cropping2d", "Crop2d"),
    ("ZeroPadding2d", "ZeroPad2d"),
    ("LayerScale", "Scale"),
    ("Noop", "Identity"),
    ("Negate", "Neg"),
    ("Negative", "Neg"),
    ("FrozenBatchNorm", "FrozenScale"),
    ("FrozenBatchNorm2d", "FrozenScale"),
    ("ConcatenatedRelu", "CRelu"),
    ("MaxMin", "GroupSort"),
    ("Pow", "Power"),
    ("SquareRoot", "Sqrt"),
    ("Relu2", "SquaredRelu"),
    ("Signum", "Sign"),
    ("Normalize", "L2Normalize"),
    ("L2Norm", "L2Normalize"),
    ("UnitNorm", "L2Normalize"),
    ("RmsNormalization", "RmsNorm"),
    ("RootMeanSquareNorm", "RmsNorm"),
    ("LayerNormalization", "LayerNorm"),
    ("GroupNormalization", "GroupNorm"),
    ("Swish", "Silu"),
    ("Clamp", "Hardtanh"),
    ("Clip", "Hardtanh"),
    ("Logarithm", "Log"),
    ("Exponential", "Exp"),
    ("AddBias", "Bias"),
    ("BiasAdd", "Bias"),
    ("Lrn", "LocalResponseNorm"),
    ("CrossMapLRN2d", "LocalResponseNorm"),
    ("HardSilu", "Hardswish"),
    ("Rotary", "RotaryEmbedding"),
    ("RotaryPositionalEmbeddings", "RotaryEmbedding"),
    ("RoPE", "RotaryEmbedding"),
    ("SimpleRnn", "Rnn"),
    ("ElmanRnn", "Rnn"),
];

/// Other names for combinations.
pub const COMBINATIONS: &[(&str, Combine)] = &[
    ("Add", Combine::Sum),
    ("Plus", Combine::Sum),
    ("Sub", Combine::Difference),
    ("Subtract", Combine::Difference),
    ("Minus", Combine::Difference),
    ("Div", Combine::Quotient),
    ("Divide", Combine::Quotient),
    ("Ratio", Combine::Quotient),
    ("Bmm", Combine::MatMul),
    ("MatrixProduct", Combine::MatMul),
    ("Mul", Combine::Product),
    ("Multiply", Combine::Product),
    ("Cat", Combine::Concat),
    ("Concatenate", Combine::Concat),
    ("Maximum", Combine::Max),
    ("Minimum", Combine::Min),
    ("MaxUnpool", Combine::Unpool),
    ("MaxUnpool1d", Combine::Unpool),
    ("MaxUnpool2d", Combine::Unpool),
    ("MaxUnpool3d", Combine::Unpool),
    ("MaxUnpooling2d", Combine::Unpool),
];

/// Layers that are homogeneous but that the language does not have yet.
pub const LATER: &[&str] = &[
    "Bilinear",
    "DropBlock2d",
    "DropPath",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "FeatureDropout",
    "Fold",
    "FractionalMaxPool2d",
    "ReGlu",
    "RnnCell",
    "RRelu",
    "SeparableConv2d",
    "DepthwiseConv2d",
    "StochasticDepth",
    "Unfold",
];

/// Other names for parameters of layers. The first that the layer has is meant.
pub const PARAMETERS: &[(&str, &str)] = &[
    ("use_bias", "bias"),
    ("kernel_size", "kernel"),
    ("ksize", "kernel"),
    ("pool_size", "kernel"),
    ("window", "kernel"),
    ("size", "kernel"),
    ("size", "scale_factor"),
    ("k", "kernel"),
    ("strides", "stride"),
    ("step", "stride"),
    ("pad", "padding"),
    ("pads", "padding"),
    ("dilation_rate", "dilation"),
    ("dilations", "dilation"),
    ("group", "groups"),
    ("filters", "out_channels"),
    ("channels", "out_channels"),
    ("num_filters", "out_channels"),
    ("units", "out_channels"),
    ("out_features", "out_channels"),
    ("out_channels", "out_features"),
    ("filters", "out_features"),
    ("out", "out_channels"),
    ("out", "out_features"),
    ("output", "out_features"),
    ("units", "out_features"),
    ("features", "out_features"),
    ("num_outputs", "out_features"),
    ("slope", "negative_slope"),
    ("alpha", "negative_slope"),
    ("leak", "negative_slope"),
    ("rate", "p"),
    ("prob", "p"),
    ("probability", "p"),
    ("scale", "scale_factor"),
    ("factor", "scale_factor"),
    ("factor", "upscale_factor"),
    ("interpolation", "mode"),
    ("output_size", "height"),
    ("output_size", "length"),
    ("output_size", "depth"),
    ("perm", "dims"),
    ("axes", "dims"),
    ("permutation", "dims"),
    ("pad", "cropping"),
    ("padding", "cropping"),
    ("margin", "cropping"),
    ("block_size", "downscale_factor"),
    ("block_size", "upscale_factor"),
    ("factor", "downscale_factor"),
    ("num_groups", "groups"),
    ("p", "norm_type"),
    ("norm", "norm_type"),
    ("norm_type", "p"),
    ("exponent", "p"),
    ("learnable", "learned"),
    ("trainable", "learned"),
    ("top_k", "k"),
    ("dims", "shape"),
    ("channels", "num_parameters"),
    ("epsilon", "eps"),
    ("axis", "dim"),
    ("affine", "elementwise_affine"),
    ("elementwise_affine", "affine"),
    ("groups", "num_groups"),
    ("dims", "normalized_shape"),
    ("p", "exponent"),
    ("num_pieces", "pieces"),
    ("k", "pieces"),
    ("group", "group_size"),
    ("lambda", "lambd"),
    ("heads", "num_heads"),
    ("hidden", "hidden_size"),
    ("units", "hidden_size"),
    ("causal", "is_causal"),
];

/// Parameters of other frameworks that layers of the language do without, and why.
pub const NEEDLESS: &[(&str, &str)] = &[
    (
        "in_channels",
        "leave it out: the number of input channels is inferred",
    ),
    (
        "embed_dim",
        "leave it out: the number of features is inferred",
    ),
    ("batch_first", "leave it out: the batch is always first"),
    (
        "nonlinearity",
        "leave it out: the state passes through a ReLU, since tanh has no degree",
    ),
    (
        "in_features",
        "leave it out: the number of input features is inferred",
    ),
    (
        "input_shape",
        "leave it out: shapes are inferred from the network's inputs",
    ),
    (
        "inplace",
        "leave it out: the compiler decides where values are stored",
    ),
    ("padding_mode", "leave it out: the padding is with zeros"),
    (
        "return_indices",
        "leave it out: the compiler keeps the indices where it needs them",
    ),
    (
        "device",
        "leave it out: the device is chosen when the network is compiled to run",
    ),
    ("dtype", "leave it out: weights are `f32`"),
    (
        "activation",
        "write the activation as the next step: `-> Relu`",
    ),
    (
        "name",
        "write the name in front of the layer, as a label: `name: Layer(…)`",
    ),
    (
        "start_dim",
        "leave it out: everything but the batch is flattened; `Reshape` does the rest",
    ),
    (
        "end_dim",
        "leave it out: everything but the batch is flattened; `Reshape` does the rest",
    ),
    (
        "divisor_override",
        "leave it out, and multiply by a `Scale` instead",
    ),
];

/// The layer that is meant by another framework's name or another case.
pub fn layer(name: &str) -> Option<&'static str> {
    let own = Layer::SIGNATURES.iter().map(|signature| signature.name);
    own.map(|own| (own, own))
        .chain(LAYERS.iter().copied())
        .find_map(|(other, own)| same_name(other, name).then_some(own))
}

/// The combination that is meant by another framework's name or another case.
pub fn combination(name: &str) -> Option<Combine> {
    let own = Combine::ALL
        .iter()
        .map(|combine| (combine.name(), *combine));
    own.chain(COMBINATIONS.iter().copied())
        .find_map(|(other, combine)| same_name(other, name).then_some(combine))
}

/// The name of a layer that is homogeneous but that the language does not have yet.
pub fn later(name: &str) -> Option<&'static str> {
    LATER.iter().copied().find(|later| same_name(later, name))
}

#[cfg(test)]
mod tests {
    use super::{LATER, LAYERS, PARAMETERS, combination, layer};
    use crate::{Combine, Layer};

    #[test]
    fn aliases_lead_to_layers() {
        assert_eq!(layer("ReLU"), Some("Relu"));
        assert_eq!(layer("Conv2D"), Some("Conv2d"));
        assert_eq!(layer("MaxPooling2D"), Some("MaxPool2d"));
        assert_eq!(combination("Concatenate"), Some(Combine::Concat));
        for (alias, own) in LAYERS {
            let is_layer = |name: &str| {
                Layer::SIGNATURES
                    .iter()
                    .any(|signature| signature.name == name)
            };
            assert!(is_layer(own) && !is_layer(alias), "{alias}");
        }
    }

    #[test]
    fn aliases_lead_to_parameters() {
        for (_, own) in PARAMETERS {
            let mut parameters = Layer::SIGNATURES
                .iter()
                .flat_map(|signature| signature.parameters);
            assert!(parameters.any(|parameter| parameter.name == *own), "{own}");
        }
    }

    #[test]
    fn what_comes_later_is_not_here_yet() {
        for later in LATER {
            assert_eq!(layer(later), None, "{later}");
        }
    }
}
