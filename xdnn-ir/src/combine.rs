//! Combinations of several values: `sum`, `product`, `concat`, `max`, `min`.

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
}

impl Combine {
    /// Every combination.
    pub const ALL: [Self; 5] = [Self::Sum, Self::Product, Self::Concat, Self::Max, Self::Min];

    /// The name in the language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Product => "product",
            Self::Concat => "concat",
            Self::Max => "max",
            Self::Min => "min",
        }
    }

    /// The shape of the result.
    pub const fn output(self, operands: &[Shape]) -> Result<Shape, Fault> {
        let Some((first, rest)) = operands.split_first() else {
            return Err(Fault::NoOperands);
        };
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
