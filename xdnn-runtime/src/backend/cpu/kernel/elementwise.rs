//! Elementwise operators, which may write over an operand.

use std::fmt;

use super::super::parallel::{GRAIN, chunks};
use super::{Kernel, Operands, Scratch};
use crate::error::Result;
use crate::ops::{self, Slopes};

/// `a + b`.
pub(super) struct Add;

/// `a · b`.
pub(super) struct Mul;

/// A function of each element.
pub(super) struct Map(pub ops::Map);

impl Kernel for Add {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], _: Scratch<'_>) -> Result<()> {
        binary(operands, output, |a, b| a + b)
    }

    fn in_place(&self) -> bool {
        true
    }
}

impl Kernel for Mul {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], _: Scratch<'_>) -> Result<()> {
        binary(operands, output, |a, b| a * b)
    }

    fn in_place(&self) -> bool {
        true
    }
}

impl Kernel for Map {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], _: Scratch<'_>) -> Result<()> {
        match self.0 {
            ops::Map::Scale(factor) => {
                let factor = factor as f32;
                unary(operands, output, 1, move |x| factor * x)
            }
            ops::Map::Slope(slopes) => {
                let slopes = Slopes32::from(slopes);
                unary(operands, output, 1, move |x| slopes.at(x))
            }
            ops::Map::PiecewiseLinear(slopes) => {
                let slopes = Slopes32::from(slopes);
                unary(operands, output, 1, move |x| slopes.times(x))
            }
            ops::Map::Recip => unary(
                operands,
                output,
                1,
                |x| {
                    if x == 0.0 { 0.0 } else { x.recip() }
                },
            ),
            ops::Map::Sqrt => unary(operands, output, 1, f32::sqrt),
            ops::Map::Power(2.0) => {
                unary(operands, output, 1, |x| if x <= 0.0 { 0.0 } else { x * x })
            }
            ops::Map::Power(0.5) => {
                unary(
                    operands,
                    output,
                    1,
                    |x| {
                        if x <= 0.0 { 0.0 } else { x.sqrt() }
                    },
                )
            }
            ops::Map::Power(-0.5) => unary(operands, output, 1, |x| {
                if x <= 0.0 { 0.0 } else { x.sqrt().recip() }
            }),
            ops::Map::Exp => unary(operands, output, 8, f32::exp),
            ops::Map::Ln => unary(operands, output, 8, f32::ln),
            map => unary(operands, output, 8, move |x| map.apply(x)),
        }
    }

    fn in_place(&self) -> bool {
        true
    }
}

/// [`Slopes`] in single precision.
#[derive(Clone, Copy)]
struct Slopes32 {
    positive: f32,
    zero: f32,
    negative: f32,
}

impl From<Slopes> for Slopes32 {
    fn from(slopes: Slopes) -> Self {
        Self {
            positive: slopes.positive as f32,
            zero: slopes.zero as f32,
            negative: slopes.negative as f32,
        }
    }
}

impl Slopes32 {
    fn at(self, x: f32) -> f32 {
        let other = if x < 0.0 { self.negative } else { self.zero };
        if x > 0.0 { self.positive } else { other }
    }

    /// A slope of 0 cuts off whatever stands there, infinities included, but not what is no number.
    fn times(self, x: f32) -> f32 {
        let slope = self.at(x);
        let cut = slope == 0.0 && !x.is_nan();
        if cut { 0.0 } else { slope * x }
    }
}

fn unary(
    operands: &Operands<'_>,
    output: &mut [f32],
    work: usize,
    f: impl Fn(f32) -> f32 + Sync,
) -> Result<()> {
    let x = operands.get(0)?;
    let work = GRAIN * work;
    match x {
        None => chunks(output, GRAIN, work, |_, y| {
            y.iter_mut().for_each(|y| *y = f(*y))
        }),
        Some(x) => chunks(output, GRAIN, work, |i, y| {
            y.iter_mut()
                .zip(&x[i * GRAIN..])
                .for_each(|(y, x)| *y = f(*x));
        }),
    }
    Ok(())
}

fn binary(
    operands: &Operands<'_>,
    output: &mut [f32],
    f: impl Fn(f32, f32) -> f32 + Sync,
) -> Result<()> {
    match (operands.get(0)?, operands.get(1)?) {
        (None, None) => chunks(output, GRAIN, GRAIN, |_, y| {
            y.iter_mut().for_each(|y| *y = f(*y, *y))
        }),
        (None, Some(b)) => chunks(output, GRAIN, GRAIN, |i, y| {
            y.iter_mut()
                .zip(&b[i * GRAIN..])
                .for_each(|(y, b)| *y = f(*y, *b));
        }),
        (Some(a), None) => chunks(output, GRAIN, GRAIN, |i, y| {
            y.iter_mut()
                .zip(&a[i * GRAIN..])
                .for_each(|(y, a)| *y = f(*a, *y));
        }),
        (Some(a), Some(b)) => chunks(output, GRAIN, GRAIN, |i, y| {
            y.iter_mut()
                .zip(&a[i * GRAIN..])
                .zip(&b[i * GRAIN..])
                .for_each(|((y, a), b)| *y = f(*a, *b));
        }),
    }
    Ok(())
}

impl fmt::Display for Add {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("add")
    }
}

impl fmt::Display for Mul {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("mul")
    }
}

impl fmt::Display for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ops::Map::Scale(factor) => write!(f, "scale {factor}"),
            ops::Map::Slope(Slopes {
                positive,
                zero,
                negative,
            }) => write!(f, "slope {positive}/{zero}/{negative}"),
            ops::Map::PiecewiseLinear(Slopes {
                positive,
                zero,
                negative,
            }) => write!(f, "piecewise-linear {positive}/{zero}/{negative}"),
            ops::Map::Exp => f.write_str("exp"),
            ops::Map::Ln => f.write_str("ln"),
            ops::Map::Recip => f.write_str("recip"),
            ops::Map::Sqrt => f.write_str("sqrt"),
            ops::Map::Power(exponent) => write!(f, "power {exponent}"),
            ops::Map::ExpM1 => f.write_str("exp-m1"),
            ops::Map::Sin => f.write_str("sin"),
            ops::Map::Cos => f.write_str("cos"),
            ops::Map::Sigmoid => f.write_str("sigmoid"),
            ops::Map::Tanh => f.write_str("tanh"),
            ops::Map::Erf => f.write_str("erf"),
            ops::Map::Softplus => f.write_str("softplus"),
        }
    }
}
