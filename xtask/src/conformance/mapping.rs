//! From an ONNX operator to a network.

use super::operator::Operator;
use super::skip::Skip;
use super::trial::Trial;
use super::{activation, combine, convolution, function, image, linear, pool, view};
use crate::onnx::Case;

/// The network that computes what a test computes. One line an operator; which layer it becomes, if any, its attributes
/// and operands decide.
pub fn trial(case: &Case) -> Result<Trial, Skip> {
    let [node] = case.nodes.as_slice() else {
        let types: Vec<&str> = case
            .nodes
            .iter()
            .map(|node| node.op_type.as_str())
            .collect();
        return Err(Skip::new("a graph of several operators").detail(types.join(", ")));
    };
    let map = match node.op_type.as_str() {
        "Conv" => convolution::conv,
        "ConvTranspose" => convolution::conv_transpose,
        "MaxPool" => pool::max_pool,
        "AveragePool" => pool::average_pool,
        "LpPool" => pool::lp_pool,
        "GlobalLpPool" => pool::global_lp_pool,
        "GlobalAveragePool" => pool::global_average_pool,
        "GlobalMaxPool" => pool::global_max_pool,
        "Relu" => activation::relu,
        "LeakyRelu" => activation::leaky_relu,
        "PRelu" => activation::prelu,
        "Abs" => activation::abs,
        "Neg" => activation::neg,
        "Clip" => activation::clip,
        "Identity" => activation::identity,
        "Dropout" => activation::dropout,
        "BatchNormalization" => activation::batch_normalization,
        "Sigmoid" | "Tanh" | "Exp" | "Log" | "Sin" | "Cos" | "Softplus" | "Softsign" | "Mish"
        | "HardSwish" | "Sign" | "Sqrt" => function::plain,
        "Elu" => function::elu,
        "Celu" => function::celu,
        "Selu" => function::selu,
        "Swish" => function::swish,
        "HardSigmoid" => function::hard_sigmoid,
        "Gelu" => function::gelu,
        "ThresholdedRelu" => function::thresholded_relu,
        "Shrink" => function::shrink,
        "Pow" => function::pow,
        "Softmax" | "LogSoftmax" => function::softmax,
        "LpNormalization" => function::lp_normalization,
        "LayerNormalization" | "RMSNormalization" => function::layer_norm,
        "GroupNormalization" | "InstanceNormalization" => function::group_norm,
        "LRN" => function::local_response_norm,
        "Gemm" => linear::gemm,
        "MatMul" => linear::mat_mul,
        "Add" | "Sum" => combine::sum,
        "Sub" => combine::difference,
        "Mul" => combine::product,
        "Div" => combine::quotient,
        "Mean" => combine::mean,
        "Max" => combine::max,
        "Min" => combine::min,
        "Concat" => combine::concat,
        "Flatten" => view::flatten,
        "Reshape" => view::reshape,
        "Transpose" => view::transpose,
        "Squeeze" => view::squeeze,
        "Unsqueeze" => view::unsqueeze,
        "Resize" => image::resize,
        "Upsample" => image::upsample_of_old,
        "DepthToSpace" => image::depth_to_space,
        "SpaceToDepth" => image::space_to_depth,
        "Pad" => image::pad,
        other => return Err(Skip::operator(other)),
    };
    map(Operator { case, node })
}
