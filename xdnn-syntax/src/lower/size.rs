//! Sizes: numbers, and calculations with constants that only the compiler knows.

use std::fmt;
use std::rc::Rc;

use xdnn_ir::{Argument, Shape};

use crate::ast::Operator;
use crate::diagnostic::Place;

/// An integer of the language.
#[derive(Clone)]
pub(crate) enum Size {
    Known(i64),
    /// The macro sees the calculation, the compiler its value.
    Open(Rc<Calculation>),
}

/// A calculation with constants of the user's crate or with parameters of the network.
pub(crate) struct Calculation {
    pub kind: CalculationKind,
    /// How many constants and operators it consists of.
    length: usize,
}

pub(crate) enum CalculationKind {
    Constant(syn::Path),
    Negative(Size),
    Binary(Size, Operator, Size),
}

impl Size {
    pub(super) fn constant(path: syn::Path) -> Self {
        Self::Open(Rc::new(Calculation {
            kind: CalculationKind::Constant(path),
            length: 1,
        }))
    }

    pub(super) fn negative(value: Self) -> Self {
        let length = value.length().saturating_add(1);
        let kind = CalculationKind::Negative(value);
        Self::Open(Rc::new(Calculation { kind, length }))
    }

    pub(super) fn binary(left: Self, operator: Operator, right: Self) -> Self {
        let length = left.length().saturating_add(right.length());
        Self::Open(Rc::new(Calculation {
            kind: CalculationKind::Binary(left, operator, right),
            length: length.saturating_add(1),
        }))
    }

    pub(super) fn length(&self) -> usize {
        match self {
            Self::Known(_) => 1,
            Self::Open(calculation) => calculation.length,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Open(_))
    }

    /// The size that is not negative, or 1 in place of one that only the compiler knows.
    pub(crate) fn or_one(&self) -> usize {
        match self {
            Self::Known(value) => usize::try_from(*value).unwrap_or(1),
            Self::Open(_) => 1,
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(value) => write!(f, "{value}"),
            Self::Open(calculation) => match &calculation.kind {
                CalculationKind::Constant(path) => f.write_str(&path_text(path)),
                CalculationKind::Negative(value) => write!(f, "-{}", Operand(value)),
                CalculationKind::Binary(left, operator, right) => {
                    write!(f, "{} {operator} {}", Operand(left), Operand(right))
                }
            },
        }
    }
}

/// A size as part of a calculation, in parentheses where it is one itself.
struct Operand<'s>(&'s Size);

impl fmt::Display for Operand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Size::Open(calculation)
                if !matches!(calculation.kind, CalculationKind::Constant(_)) =>
            {
                write!(f, "({})", self.0)
            }
            size => size.fmt(f),
        }
    }
}

/// A path as it is written, without the spaces between its tokens.
pub(super) fn path_text(path: &syn::Path) -> String {
    let segments: Vec<_> = path
        .segments
        .iter()
        .map(|segment| segment.ident.to_string())
        .collect();
    let leading = path.leading_colon.map_or("", |_| "::");
    format!("{leading}{}", segments.join("::"))
}

/// A size where it is written.
#[derive(Clone)]
pub(crate) struct PlacedSize {
    pub size: Size,
    pub place: Place,
}

/// What is given for a parameter of a layer.
#[derive(Clone)]
pub(crate) enum Given {
    Int(PlacedSize),
    Ints(Vec<PlacedSize>),
    /// The dimensions of a shape: each at least 1.
    Dims(Vec<PlacedSize>),
    Other(Argument),
}

impl Given {
    pub(crate) fn sizes(&self) -> &[PlacedSize] {
        match self {
            Self::Int(size) => std::slice::from_ref(size),
            Self::Ints(sizes) | Self::Dims(sizes) => sizes,
            Self::Other(_) => &[],
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.sizes().iter().any(|placed| placed.size.is_open())
    }

    /// The argument, with 1 in place of what only the compiler knows. `None` where there are too many sizes.
    pub(crate) fn argument(&self) -> Option<Argument> {
        match self {
            Self::Int(placed) => Some(Argument::Int(placed.size.or_one())),
            Self::Ints(list) | Self::Dims(list) => {
                let sizes: Vec<_> = list.iter().map(|placed| placed.size.or_one()).collect();
                Shape::from_slice(&sizes).map(Argument::Ints)
            }
            Self::Other(argument) => Some(*argument),
        }
    }
}

/// `64`, `(3, WIDTH)`, `7, 7` or `0.5`
impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<_> = self
            .sizes()
            .iter()
            .map(|placed| placed.size.to_string())
            .collect();
        match self {
            Self::Int(_) | Self::Dims(_) => f.write_str(&sizes.join(", ")),
            Self::Ints(_) => write!(f, "({})", sizes.join(", ")),
            Self::Other(Argument::Float(value)) => write!(f, "{value:?}"),
            Self::Other(Argument::Bool(value)) => write!(f, "{value}"),
            Self::Other(Argument::Word(value)) => f.write_str(value),
            Self::Other(Argument::Int(_) | Argument::Ints(_)) => Ok(()),
        }
    }
}

/// `[WIDTH, 28, 28]` in the head of a network, where only the compiler knows a dimension.
pub(crate) struct Form {
    pub dims: Vec<PlacedSize>,
    pub place: Place,
}

impl Form {
    pub(crate) fn is_open(&self) -> bool {
        self.open_dims().next().is_some()
    }

    /// The dimensions that only the compiler knows.
    pub(super) fn open_dims(&self) -> impl Iterator<Item = &PlacedSize> {
        self.dims.iter().filter(|dim| dim.size.is_open())
    }

    /// The shape, where the macro knows it.
    pub(crate) fn known(&self) -> Option<Shape> {
        self.shape().filter(|_| !self.is_open())
    }

    /// The shape, with 1 in place of what only the compiler knows. `None` where there are too many dimensions.
    pub(crate) fn shape(&self) -> Option<Shape> {
        let sizes: Vec<_> = self.dims.iter().map(|dim| dim.size.or_one()).collect();
        Shape::from_slice(&sizes)
    }
}

/// `[WIDTH, 28, 28]`
impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dims: Vec<_> = self.dims.iter().map(|dim| dim.size.to_string()).collect();
        write!(f, "[{}]", dims.join(", "))
    }
}
