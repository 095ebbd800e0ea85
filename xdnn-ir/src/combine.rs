//! Combinations of several values: `sum`, `difference`, `product`, `quotient`, `matmul`, `concat`, `max`, `min`, `unpool`.

use crate::window::MAX_POOL;
use crate::{Degree, Fault, Shape};

/// How several values become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Combine {
    /// Elementwise sum. Degrees must agree: `a^k` factors out.
    Sum,
    /// The first operand less the second, elementwise. Degrees must agree.
    Difference,
    /// Elementwise product. Degrees add.
    Product,
    /// The first operand divided by the second, elementwise. The degree of the divisor is subtracted. Whatever is divided
    /// by 0, 0 included, gives 0, and so does the derivative there.
    Quotient,
    /// The matrix product of two values, `[…, n, k] · […, k, m] → […, n, m]`. Degrees add.
    MatMul,
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
    pub const ALL: [Self; 9] = [
        Self::Sum,
        Self::Difference,
        Self::Product,
        Self::Quotient,
        Self::MatMul,
        Self::Concat,
        Self::Max,
        Self::Min,
        Self::Unpool,
    ];

    /// The name in the language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Difference => "difference",
            Self::Product => "product",
            Self::Quotient => "quotient",
            Self::MatMul => "matmul",
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
        if self.takes_two() && rest.len() != 1 {
            return Err(Fault::Operands {
                expected: 2,
                found: operands.len(),
            });
        }
        let mut output = *first;
        let mut i = 0;
        while i < rest.len() {
            let differ = Fault::ShapesDiffer {
                first: *first,
                other: rest[i],
                operand: i as u32 + 1,
            };
            if matches!(self, Self::MatMul) {
                output = match matrix_product(*first, rest[i]) {
                    Some(output) => output,
                    None => return Err(differ),
                };
            } else if matches!(self, Self::Concat) {
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
            let combined = match self {
                Self::Product | Self::MatMul => Some(degree.plus(rest[i])),
                Self::Quotient => Some(degree.minus(rest[i])),
                _ => None,
            };
            if let Some(combined) = combined {
                degree = match combined {
                    Some(combined) => combined,
                    None => return Err(Fault::DegreeTooLarge),
                };
            } else if !first.same(rest[i]) {
                return Err(Fault::DegreesDiffer {
                    first: *first,
                    other: rest[i],
                    operand: i as u32 + 1,
                });
            }
            i += 1;
        }
        Ok(degree)
    }

    /// Whether the combination takes exactly two operands, in that order.
    const fn takes_two(self) -> bool {
        matches!(self, Self::Difference | Self::Quotient | Self::MatMul)
    }
}

/// The shape of `a · b`: matrices, or stacks of as many of them.
const fn matrix_product(a: Shape, b: Shape) -> Option<Shape> {
    let rank = a.rank();
    if rank < 2 || b.rank() != rank || a.dim(rank - 1) != b.dim(rank - 2) {
        return None;
    }
    let product = a.with_dim(rank - 1, b.dim(rank - 1));
    let stack = b
        .with_dim(rank - 2, product.dim(rank - 2))
        .with_dim(rank - 1, product.dim(rank - 1));
    if stack.same(&product) {
        Some(product)
    } else {
        None
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

    #[test]
    fn stacks_of_matrices_multiply() {
        let output = |a: &[usize], b: &[usize]| {
            let shape = |dims| Shape::from_slice(dims).unwrap();
            Combine::MatMul.output(&[shape(a), shape(b)]).ok()
        };
        assert_eq!(output(&[2, 3], &[3, 4]), Some(Shape::new([2, 4])));
        assert_eq!(output(&[5, 2, 3], &[5, 3, 1]), Some(Shape::new([5, 2, 1])));
        for (a, b) in [
            (&[3][..], &[3][..]),
            (&[2, 3], &[4, 3]),
            (&[2, 3], &[1, 3, 4]),
            (&[5, 2, 3], &[4, 3, 1]),
        ] {
            assert_eq!(output(a, b), None, "{a:?} {b:?}");
        }
    }

    #[test]
    fn degrees_add_subtract_and_agree() {
        let (two, three) = (Degree::integer(2), Degree::integer(3));
        let degree = |combine: Combine| combine.degree(&[two, three]);
        assert_eq!(degree(Combine::Product), Ok(Degree::integer(5)));
        assert_eq!(degree(Combine::MatMul), Ok(Degree::integer(5)));
        assert_eq!(degree(Combine::Quotient), Ok(Degree::integer(-1)));
        for combine in [Combine::Sum, Combine::Difference, Combine::Max] {
            let fault = degree(combine).unwrap_err();
            assert!(matches!(fault, Fault::DegreesDiffer { .. }));
        }
    }

    #[test]
    fn some_combinations_take_two_operands() {
        let shapes = [Shape::new([2, 2]); 3];
        for combine in Combine::ALL {
            let many = combine.output(&shapes).is_ok();
            let alone = combine.output(&shapes[..1]).is_ok();
            let takes_two = Fault::Operands {
                expected: 2,
                found: 3,
            };
            assert_eq!(many, combine.output(&shapes) != Err(takes_two));
            assert_eq!(many, alone);
            assert!(combine.output(&shapes[..2]).is_ok());
        }
    }
}
