//! The arguments of layers: how the language spells them, and how a layer's fields receive them.

use crate::Shape;

/// A value given to a layer in the language.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Argument {
    /// An integer, such as `kernel = 3`.
    Int(usize),
    /// A number, such as the slope in `LeakyRelu(0.01)`.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
    /// Several integers, such as `kernel = (3, 5)`.
    Ints(Shape),
    /// One of a list of names, such as `mode = bilinear`.
    Word(&'static str),
}

/// What a parameter of a layer accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// One integer.
    Int,
    /// As many integers as stated, or one integer that stands for all of them.
    Ints(usize),
    /// A number.
    Float,
    /// `true` or `false`.
    Bool,
    /// One of these names.
    Word(&'static [&'static str]),
    /// All remaining positional arguments, as the dimensions of a shape.
    Dims,
}

/// A parameter of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The name, as in `stride = 2`.
    pub name: &'static str,
    /// What it accepts.
    pub kind: ParameterKind,
    /// Whether it may be left out.
    pub optional: bool,
}

/// The name and the parameters of a layer, in positional order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The layer's name.
    pub name: &'static str,
    /// Its parameters.
    pub parameters: &'static [Parameter],
}

/// The value of a layer's field as Rust source spells it, for code that writes a layer as a constant.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// A `usize`.
    Int(usize),
    /// An `f64`.
    Float(f64),
    /// A `bool`.
    Bool(bool),
    /// A `[usize; N]`.
    Ints(Vec<usize>),
    /// A [`Shape`].
    Shape(Shape),
    /// A variant of an enum of [`layer`](crate::layer).
    Variant {
        /// The enum's name.
        of: &'static str,
        /// The variant's name.
        variant: &'static str,
    },
    /// An `Option`.
    Option(Option<Box<Literal>>),
}

/// A named choice, such as the mode of an interpolation.
pub trait Choice: Copy + Sized + 'static {
    /// The names of the choices in the language.
    const NAMES: &'static [&'static str];
    /// The choice of that name.
    fn from_name(name: &str) -> Option<Self>;
    /// The name of the choice.
    fn name(self) -> &'static str;
}

/// A type that a field of a layer may have.
pub(crate) trait Field: Sized {
    const KIND: ParameterKind;
    const OPTIONAL: bool = false;
    /// `None` in `argument` means that it was left out.
    fn from_argument(argument: Option<Argument>) -> Option<Self>;
    /// `None` when the field says nothing that its default does not.
    fn to_argument(&self) -> Option<Argument>;
    fn to_literal(&self) -> Literal;
}

impl Field for usize {
    const KIND: ParameterKind = ParameterKind::Int;
    fn from_argument(argument: Option<Argument>) -> Option<Self> {
        match argument? {
            Argument::Int(value) => Some(value),
            _ => None,
        }
    }
    fn to_argument(&self) -> Option<Argument> {
        Some(Argument::Int(*self))
    }
    fn to_literal(&self) -> Literal {
        Literal::Int(*self)
    }
}

impl<const N: usize> Field for [usize; N] {
    const KIND: ParameterKind = ParameterKind::Ints(N);
    fn from_argument(argument: Option<Argument>) -> Option<Self> {
        match argument? {
            Argument::Int(value) => Some([value; N]),
            Argument::Ints(values) => values.dims().try_into().ok(),
            _ => None,
        }
    }
    fn to_argument(&self) -> Option<Argument> {
        Shape::from_slice(self).map(Argument::Ints)
    }
    fn to_literal(&self) -> Literal {
        Literal::Ints(self.to_vec())
    }
}

impl Field for f64 {
    const KIND: ParameterKind = ParameterKind::Float;
    fn from_argument(argument: Option<Argument>) -> Option<Self> {
        match argument? {
            Argument::Float(value) => Some(value),
            Argument::Int(value) => Some(value as f64),
            _ => None,
        }
    }
    fn to_argument(&self) -> Option<Argument> {
        Some(Argument::Float(*self))
    }
    fn to_literal(&self) -> Literal {
        Literal::Float(*self)
    }
}

impl Field for bool {
    const KIND: ParameterKind = ParameterKind::Bool;
    fn from_argument(argument: Option<Argument>) -> Option<Self> {
        match argument? {
            Argument::Bool(value) => Some(value),
            _ => None,
        }
    }
    fn to_argument(&self) -> Option<Argument> {
        Some(Argument::Bool(*self))
    }
    fn to_literal(&self) -> Literal {
        Literal::Bool(*self)
    }
}

impl Field for Shape {
    const KIND: ParameterKind = ParameterKind::Dims;
    fn from_argument(argument: Option<Argument>) -> Option<Self> {
        match argument? {
            Argument::Ints(values) => Some(values),
            Argument::Int(value) => Some(Self::new([value])),
            _ => None,
        }
    }
    fn to_argument(&self) -> Option<Argument> {
        Some(Argument::Ints(*self))
    }
    fn to_literal(&self) -> Literal {
        Literal::Shape(*self)
    }
}

impl<F: Field> Field for Option<F> {
    const KIND: ParameterKind = F::KIND;
    const OPTIONAL: bool = true;
    fn from_argument(argument: Option<Argument>) -> Option<Self> {
        match argument {
            None => Some(None),
            given => F::from_argument(given).map(Some),
        }
    }
    fn to_argument(&self) -> Option<Argument> {
        self.as_ref().and_then(F::to_argument)
    }
    fn to_literal(&self) -> Literal {
        Literal::Option(self.as_ref().map(|value| Box::new(value.to_literal())))
    }
}

/// Declares a [`Choice`] that is also a [`Field`]: `choice! { enum Mode { Nearest = "nearest" } }`.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant),* }
        impl $crate::Choice for $name {
            const NAMES: &'static [&'static str] = &[$($text),*];
            fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)* _ => None }
            }
            fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
        impl $crate::argument::Field for $name {
            const KIND: $crate::ParameterKind = $crate::ParameterKind::Word(<Self as $crate::Choice>::NAMES);
            fn from_argument(argument: Option<$crate::Argument>) -> Option<Self> {
                match argument? {
                    $crate::Argument::Word(name) => <Self as $crate::Choice>::from_name(name),
                    _ => None,
                }
            }
            fn to_argument(&self) -> Option<$crate::Argument> {
                Some($crate::Argument::Word($crate::Choice::name(*self)))
            }
            fn to_literal(&self) -> $crate::Literal {
                let variant = match self { $(Self::$variant => stringify!($variant)),* };
                $crate::Literal::Variant { of: stringify!($name), variant }
            }
        }
    };
}
pub(crate) use choice;
