//! From an ONNX operator to a network.

use super::operator::Operator;
use super::skip::Skip;
use super::trial::Trial;
use super::{activation, combine, convolution, image, linear, pool, view};
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
        "Gemm" => linear::gemm,
        "MatMul" => linear::mat_mul,
        "Add" | "Sum" => combine::sum,
        "Sub" => combine::difference,
        "Mul" => combine::product,
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
