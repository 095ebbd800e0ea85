//! Functions of the user.

use xdnn_ir::{Degree, Function};

use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::ops::{Map, Slopes};

/// `f(1)·x^p` for `x > 0`, `f(−1)·|x|^p` for `x < 0`.
pub(super) fn function(graph: &mut Graph, function: &Function, x: Value) -> Result<Value> {
    let slopes = |negative| Slopes {
        positive: function.positive,
        zero: function.at_zero,
        negative,
    };
    if function.degree == Degree::ZERO {
        return graph.map(Map::Slope(slopes(function.negative)), x);
    }
    if function.degree == Degree::ONE {
        return graph.map(Map::PiecewiseLinear(slopes(-function.negative)), x);
    }
    let power = Map::Power(function.degree.to_f64());
    if function.positive == function.negative {
        let size = graph.map(Map::PiecewiseLinear(Slopes::ABS), x)?;
        let power = graph.map(power, size)?;
        return graph.scale(power, function.positive);
    }
    let mut parts = Vec::new();
    for (value, sign) in [(function.positive, 1.0), (function.negative, -1.0)] {
        if value != 0.0 {
            let side = graph.scale(x, sign)?;
            let power = graph.map(power, side)?;
            parts.push(graph.scale(power, value)?);
        }
    }
    match parts.as_slice() {
        [positive, negative] => graph.add(*positive, *negative),
        [part] => Ok(*part),
        _ => graph.scale(x, 0.0),
    }
}
