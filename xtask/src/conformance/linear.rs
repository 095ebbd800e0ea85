//! `Gemm` and `MatMul` by a matrix: the rows of the left operand are samples, the columns of the right one are the rows
//! of the weight.

use xdnn_ir::layer::Linear;

use ndarray::ArrayD;

use super::combine;
use super::operator::{Operator, reshaped, transposed};
use super::skip::Skip;
use super::trial::{Builder, Trial};

/// `α·A·B + β·C`: α scales the weight, β·C is subtracted from the expected output.
pub fn gemm(op: Operator<'_>) -> Result<Trial, Skip> {
    // Before opset 7, `broadcast` allows what shapes say by themselves.
    op.knows(&["alpha", "beta", "broadcast", "transA", "transB"])?;
    let (mut a, mut b) = (op.floats(0)?, op.floats(1)?);
    if op.flag("transA")? {
        a = transposed(&a);
    }
    if !op.flag("transB")? {
        b = transposed(&b);
    }
    let (alpha, beta) = (op.float("alpha", 1.0)?, op.float("beta", 1.0)?);
    let mut expected = op.expected()?;
    if let Some(c) = op.optional_floats(2)? {
        let c = c
            .broadcast(expected.shape())
            .ok_or_else(|| Skip::new("a summand that cannot be broadcast"))?;
        expected.zip_mut_with(&c, |y, c| *y -= f64::from(beta) * f64::from(*c));
    }
    linear(a, b.mapv(|weight| weight * alpha), expected)
}

pub fn mat_mul(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&[])?;
    let (a, b) = (op.floats(0)?, op.floats(1)?);
    let weight = match b.ndim() {
        1 => reshaped(&b, &[1, b.len()])?,
        2 => transposed(&b),
        _ => return combine::mat_mul(op),
    };
    let (rows, features) = (a.len() / weight.shape()[1].max(1), weight.shape()[1]);
    let expected = reshaped(&op.expected()?, &[rows, weight.shape()[0]])?;
    linear(reshaped(&a, &[rows, features])?, weight, expected)
}

fn linear(a: ArrayD<f32>, weight: ArrayD<f32>, expected: ArrayD<f64>) -> Result<Trial, Skip> {
    let (mut network, x) = Builder::of(a)?;
    let layer = Linear {
        out_features: weight.shape()[0],
        bias: false,
    };
    let output = network.weighted(layer, x, [weight])?;
    Ok(network.expect(output, expected))
}
