//! Combinations of several values: `sum`, `product`, `concat`, `max`, `min`, `unpool`.

use crate::window::MAX_POOL;
use crate::{Degree, Fault, Shape};

/// How several values become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Combine {
    /// Elementwise sum. Degrees must agree: `a^k` factors out.
    Sum,
    /// Elementwise product. Degrees add.
    Product,
    /// Concatenation along the first dimension (the channels). Degrees must agree.
    Concat,
    /// Elementwise maximum. Degrees must agree; at ties the first operand wins.
    Max,
    /// Elementwise minimum. Degrees must agree; at ties the first operand wins.
    Min,
    /// What undoes a maximum pool: `unpool(values, like)` puts each of the values where the maximum of its window of
    /// `like` is, and zeros elsewhere. The windows divide `like` evenly. The degree is that of the values, as positions
    /// do not move when `like` is scaled; at ties the first element of a window wins.
    Unpool,
}

impl Combine {
    /// Every combination.
    pub const ALL: [Self; 6] = [
        Self::Sum,
        Self::Product,
        Self::Concat,
        Self::Max,
        Self::Min,
        Self::Unpool,
    ];

    /// The name in the language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Product => "product",
            Self::Concat => "concat",
            Self::Max => "max",
            Self::Min => "min",
            Self::Unpool => "unpool",
        }
    }

    /// The shape of the result.
    pub const fn output(self, operands: &[Shape]) -> Result<Shape, Fault> {
        let Some((first, rest)) = operands.split_first() else {
            return Err(Fault::NoOperands);
        };
        if matches!(self, Self::Unpool) {
            return unpooled(operands);
        }
        let mut output = *first;
        let mut i = 0;
        while i < rest.len() {
            let differ = Fault::ShapesDiffer {
                first: *first,
                other: rest[i],
                operand: i + 1,
            };
            if matches!(self, Self::Concat) {
                if first.rank() == 0 || !first.same(&rest[i].with_dim(0, first.dim(0))) {
                    return Err(differ);
                }
                output = output.with_dim(0, output.dim(0).saturating_add(rest[i].dim(0)));
            } else if !first.same(&rest[i]) {
                return Err(differ);
            }
            i += 1;
        }
        if !output.is_computable() {
            return Err(Fault::TooLarge);
        }
        Ok(output)
    }

    /// The degree of the result.
    pub const fn degree(self, operands: &[Degree]) -> Result<Degree, Fault> {
        let Some((first, rest)) = operands.split_first() else {
            return Err(Fault::NoOperands);
        };
        if matches!(self, Self::Unpool) {
            return Ok(*first);
        }
        let mut degree = *first;
        let mut i = 0;
        while i < rest.len() {
            if matches!(self, Self::Product) {
                degree = match degree.plus(rest[i]) {
                    Some(sum) => sum,
                    None => return Err(Fault::DegreeTooLarge),
                };
            } else if !first.same(rest[i]) {
                return Err(Fault::DegreesDiffer {
                    first: *first,
                    other: rest[i],
                    operand: i + 1,
                });
            }
            i += 1;
        }
        Ok(degree)
    }
}

/// The shape of `like`, which has to have the channels of the values and a multiple of each of their other sizes.
const fn unpooled(operands: &[Shape]) -> Result<Shape, Fault> {
    let [values, like] = operands else {
        return Err(Fault::Operands {
            expected: 2,
            found: operands.len(),
        });
    };
    let spatial = values.rank() >= 2 && values.rank() <= 4;
    let mut fits = spatial && values.rank() == like.rank() && values.dim(0) == like.dim(0);
    let (mut window, mut axis) = (1_usize, 1);
    while fits && axis < values.rank() {
        match like.dim(axis).checked_rem(values.dim(axis)) {
            Some(0) if like.dim(axis) > 0 => {
                window = window.saturating_mul(like.dim(axis) / values.dim(axis));
            }
            _ => fits = false,
        }
        axis += 1;
    }
    if !fits {
        return Err(Fault::ShapesDiffer {
            first: *values,
            other: *like,
            operand: 1,
        });
    }
    if window > MAX_POOL || !like.is_computable() {
        return Err(Fault::TooLarge);
    }
    Ok(*like)
}

#[cfg(test)]
mod tests {
    use super::Combine;
    use crate::{Degree, Fault, Shape};

    #[test]
    fn values_are_spread_over_even_windows() {
        let output = |values: &[usize], like: &[usize]| {
            let operands = [values, like].map(|dims| Shape::from_slice(dims).unwrap());
            Combine::Unpool.output(&operands)
        };
        assert_eq!(output(&[4, 3, 2], &[4, 6, 6]), Ok(Shape::new([4, 6, 6])));
        assert_eq!(output(&[4, 3], &[4, 3]), Ok(Shape::new([4, 3])));
        for (values, like) in [
            (&[4, 3, 2][..], &[4, 7, 6][..]),
            (&[2, 3, 2], &[4, 6, 6]),
            (&[4, 6, 6], &[4, 3, 2]),
            (&[4, 3], &[4, 6, 6]),
            (&[4], &[8]),
        ] {
            let fault = output(values, like).unwrap_err();
            assert_eq!(fault.operand(), Some(1), "{values:?} like {like:?}");
        }
        let alone = Combine::Unpool.output(&[Shape::new([4, 3])]);
        assert_eq!(
            alone,
            Err(Fault::Operands {
                expected: 2,
                found: 1
            })
        );
    }

    #[test]
    fn positions_have_no_degree() {
        let degrees = [Degree::integer(3), Degree::ONE];
        assert_eq!(Combine::Unpool.degree(&degrees), Ok(Degree::integer(3)));
    }
}
