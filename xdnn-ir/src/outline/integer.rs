//! Calculations with constants whose values only the compiler knows.

use crate::message::Explanation;
use crate::message::text::{Part, text};

/// The value of a calculation, or what is wrong with it. A value on the way to a size may be negative.
#[derive(Clone, Copy, Debug)]
pub struct Integer(Result<i64, Trouble>);

#[derive(Clone, Copy, Debug)]
enum Trouble {
    TooLarge,
    DivisionByZero,
}

/// Declares arithmetic that hands on the trouble of its operands.
macro_rules! arithmetic {
    ($($(#[$doc:meta])* $name:ident = $checked:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[must_use]
        pub const fn $name(self, other: Self) -> Self {
            match (self.0, other.0) {
                (Ok(a), Ok(b)) => Self::fits(a.$checked(b)),
                (Err(_), _) => self,
                _ => other,
            }
        }
    )*};
}

/// A constant of the user's crate. In a struct, the compiler points at the constant alone where its type is wrong.
#[derive(Clone, Copy, Debug)]
pub struct Constant {
    /// Its value.
    pub value: usize,
}

impl Constant {
    /// Its value as part of a calculation.
    pub const fn integer(self) -> Integer {
        if self.value > i64::MAX as usize {
            return Integer(Err(Trouble::TooLarge));
        }
        Integer(Ok(self.value as i64))
    }
}

impl Integer {
    /// A literal.
    pub const fn literal(value: i64) -> Self {
        Self(Ok(value))
    }

    const fn fits(value: Option<i64>) -> Self {
        match value {
            Some(value) => Self(Ok(value)),
            None => Self(Err(Trouble::TooLarge)),
        }
    }

    arithmetic! {
        /// `self + other`
        plus = checked_add,
        /// `self - other`
        minus = checked_sub,
        /// `self * other`
        times = checked_mul,
    }

    /// `-self`
    #[must_use]
    pub const fn negative(self) -> Self {
        Self::literal(0).minus(self)
    }

    /// `self / other`, rounded towards 0
    #[must_use]
    pub const fn over(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Ok(_), Ok(0)) => Self(Err(Trouble::DivisionByZero)),
            (Ok(a), Ok(b)) => Self::fits(a.checked_div(b)),
            (Err(_), _) => self,
            _ => other,
        }
    }

    /// `self % other`
    #[must_use]
    pub const fn modulo(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Ok(_), Ok(0)) => Self(Err(Trouble::DivisionByZero)),
            (Ok(a), Ok(b)) => Self::fits(a.checked_rem(b)),
            (Err(_), _) => self,
            _ => other,
        }
    }

    /// Whether it is at least `least`.
    pub const fn is_at_least(self, least: usize) -> bool {
        matches!(self.0, Ok(value) if value >= 0 && value as usize >= least)
    }

    /// The size, or 1 where it is none.
    pub const fn size(self) -> usize {
        match self.0 {
            Ok(value) if value >= 0 => value as usize,
            _ => 1,
        }
    }

    /// What is wrong with it as a size that should be at least 0 or 1, but is not.
    pub(super) const fn explain(self) -> Explanation {
        Explanation::new(match self.0 {
            Err(Trouble::DivisionByZero) => text("division by zero", &[]),
            Err(Trouble::TooLarge) => text("this integer is too large to compute with", &[]),
            Ok(value) if value < 0 => text(
                "a size cannot be negative, but this is -{}",
                &[Part::Number(value.unsigned_abs() as usize)],
            ),
            Ok(_) => text("a dimension must be at least 1", &[]),
        })
    }
}
