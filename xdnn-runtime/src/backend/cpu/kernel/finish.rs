//! What happens to the elements of a result where they are: all that elementwise operators do.

use std::fmt;

use super::super::operands::Operands;
use super::super::parallel::{GRAIN, Threads, jobs_on};
use super::super::simd::{select, vectorised};
use crate::error::Result;
use crate::ops::{Map, Op, Select, Slopes, Stage, WORD};

/// Stages that elements pass through, each with the number of the operand that it reads.
#[derive(Default)]
pub(in super::super) struct Finish(Vec<(Stage, usize)>);

impl Finish {
    /// The operator that is computed before, and what happens then. An elementwise operator is no more than what happens to its
    /// first operand: none is computed before.
    pub(in super::super) fn of(op: &Op) -> (Option<&Op>, Self) {
        let (first, stages) = match op {
            Op::Fused(fused) => (&*fused.op, fused.numbered().collect()),
            op => (op, Vec::new()),
        };
        match Stage::of(first, 0) {
            Some((stage, other)) => {
                let stage = (stage, other.unwrap_or_default());
                (None, Self([vec![stage], stages].concat()))
            }
            None => (Some(first), Self(stages)),
        }
    }

    /// Finishes `y`, the elements of the result from `start` on.
    pub(in super::super) fn apply(
        &self,
        operands: &Operands<'_>,
        start: usize,
        y: &mut [f32],
    ) -> Result<()> {
        for (stage, operand) in &self.0 {
            match stage {
                Stage::Map(map) => apply_map(*map, y),
                Stage::Add => {
                    let x = &operands.read(*operand)?[start..];
                    vectorised(|| y.iter_mut().zip(x).for_each(|(y, x)| *y += x));
                }
                Stage::Mul => {
                    let x = &operands.read(*operand)?[start..];
                    vectorised(|| y.iter_mut().zip(x).for_each(|(y, x)| *y *= x));
                }
                Stage::Select(select) => apply_select(*select, operands.read(*operand)?, start, y),
            }
        }
        Ok(())
    }

    /// Finishes a whole result.
    pub(in super::super) fn all(&self, operands: &Operands<'_>, y: &mut [f32]) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let work = GRAIN * self.work();
        let threads = Threads::for_work(y.len() * self.work());
        jobs_on(threads, y, GRAIN, work, |i, y| {
            self.apply(operands, i * GRAIN, y)
        })
    }

    /// The simple operations for each element, more or less.
    pub(super) fn work(&self) -> usize {
        let work = |stage: &Stage| match stage {
            Stage::Map(Map::Scale(_) | Map::Slope(_) | Map::PiecewiseLinear(_) | Map::Recip) => 1,
            Stage::Map(_) => 8,
            _ => 1,
        };
        self.0.iter().map(|(stage, _)| work(stage)).sum()
    }
}

fn apply_map(map: Map, y: &mut [f32]) {
    match map {
        Map::Scale(factor) => {
            let factor = factor as f32;
            each(y, |y| factor * y);
        }
        Map::Slope(slopes) => {
            let slopes = Slopes32::from(slopes);
            each(y, |y| slopes.at(y));
        }
        Map::PiecewiseLinear(Slopes::RELU) => each(y, |y| if y <= 0.0 { 0.0 } else { y }),
        Map::PiecewiseLinear(slopes) => {
            let slopes = Slopes32::from(slopes);
            each(y, |y| slopes.times(y));
        }
        Map::Recip => each(y, |y| if y == 0.0 { 0.0 } else { y.recip() }),
        Map::Sqrt => each(y, f32::sqrt),
        Map::Power(2.0) => each(y, |y| if y <= 0.0 { 0.0 } else { y * y }),
        Map::Power(0.5) => each(y, |y| if y <= 0.0 { 0.0 } else { y.sqrt() }),
        Map::Power(-0.5) => each(y, |y| if y <= 0.0 { 0.0 } else { y.sqrt().recip() }),
        map => y.iter_mut().for_each(|y| *y = map.apply(*y)),
    }
}

#[inline]
fn each(y: &mut [f32], f: impl Fn(f32) -> f32) {
    vectorised(|| y.iter_mut().for_each(|y| *y = f(*y)));
}

/// [`Select`] from element `start` on.
fn apply_select(select: Select, signs: &[f32], start: usize, y: &mut [f32]) {
    let before = (start.next_multiple_of(WORD) - start).min(y.len());
    let (head, rest) = y.split_at_mut(before);
    for (i, y) in (start..).zip(head) {
        let set = signs[i / WORD].to_bits() >> (i % WORD) & 1 == 1;
        *y = select.apply(*y, set);
    }
    let [positive, other] = [select.positive as f32, select.other as f32];
    let signs = signs.get((start + before) / WORD..).unwrap_or_default();
    // A slope of 0 cuts off whatever stands there, and of 1 nothing happens: both without a product.
    match (positive, other) {
        (1.0, 0.0) => words(rest, signs, |y, set| if set | y.is_nan() { y } else { 0.0 }),
        _ => words(rest, signs, |y, set| {
            let slope = if set { positive } else { other };
            if (slope == 0.0) & !y.is_nan() {
                0.0
            } else {
                slope * y
            }
        }),
    }
}

/// Calls `f` for each element and its bit.
#[inline]
fn words(y: &mut [f32], signs: &[f32], f: impl Fn(f32, bool) -> f32) {
    vectorised(|| {
        let (whole, rest) = y.as_chunks_mut::<WORD>();
        for (y, word) in whole.iter_mut().zip(signs) {
            let bits = word.to_bits();
            for (i, y) in y.iter_mut().enumerate() {
                *y = f(*y, bits & (1 << i) != 0);
            }
        }
        let last = signs.get(whole.len()).map_or(0, |word| word.to_bits());
        for (i, y) in rest.iter_mut().enumerate() {
            *y = f(*y, last & (1 << i) != 0);
        }
    });
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
    #[inline(always)]
    fn at(self, x: f32) -> f32 {
        let other = select(x < 0.0, self.negative, self.zero);
        select(x > 0.0, self.positive, other)
    }

    /// A slope of 0 cuts off whatever stands there, infinities included, but not what is no number.
    #[inline(always)]
    fn times(self, x: f32) -> f32 {
        let slope = self.at(x);
        let cut = (slope == 0.0) & !x.is_nan();
        select(cut, 0.0, slope * x)
    }
}

/// `add → piecewise-linear 1/0/0`.
impl fmt::Display for Finish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (stage, _)) in self.0.iter().enumerate() {
            f.write_str(if i > 0 { " → " } else { "" })?;
            match stage {
                Stage::Map(map) => write_map(f, *map)?,
                Stage::Add => f.write_str("add")?,
                Stage::Mul => f.write_str("mul")?,
                Stage::Select(Select { positive, other }) => {
                    write!(f, "select {positive}/{other}")?
                }
            }
        }
        Ok(())
    }
}

fn write_map(f: &mut fmt::Formatter<'_>, map: Map) -> fmt::Result {
    match map {
        Map::Scale(factor) => write!(f, "scale {factor}"),
        Map::Slope(Slopes {
            positive,
            zero,
            negative,
        }) => write!(f, "slope {positive}/{zero}/{negative}"),
        Map::PiecewiseLinear(Slopes {
            positive,
            zero,
            negative,
        }) => write!(f, "piecewise-linear {positive}/{zero}/{negative}"),
        Map::Exp => f.write_str("exp"),
        Map::Ln => f.write_str("ln"),
        Map::Recip => f.write_str("recip"),
        Map::Sqrt => f.write_str("sqrt"),
        Map::Power(exponent) => write!(f, "power {exponent}"),
        Map::ExpM1 => f.write_str("exp-m1"),
        Map::Sin => f.write_str("sin"),
        Map::Cos => f.write_str("cos"),
        Map::Sigmoid => f.write_str("sigmoid"),
        Map::Tanh => f.write_str("tanh"),
        Map::Erf => f.write_str("erf"),
        Map::Softplus => f.write_str("softplus"),
    }
}
