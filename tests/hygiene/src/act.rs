//! Functions for this crate and for others.

/// `x` above 0, and a tenth of it below.
#[::neural::xdnn]
#[must_use]
pub fn shrink(x: f32) -> f32 {
    if x > 0.0 { x } else { 0.1 * x }
}

/// `x·|x|`, of degree 2.
#[::neural::xdnn]
pub(crate) fn signed_square(x: f32) -> f32 {
    x * x.abs()
}

#[::neural::xdnn]
fn nobody_else_sees(x: f32) -> f32 {
    x.max(0.0)
}

/// Functions of other files.
pub mod deep {
    #[::neural::xdnn]
    #[cfg(any())]
    fn absent(x: f32) -> f32 {
        x
    }

    /// Of the same name as another.
    #[::neural::xdnn]
    #[must_use]
    pub fn shrink(x: f32) -> f32 {
        0.5 * x
    }
}

::neural::network! {
    /// A network of functions.
    pub struct Acting(x: [4]) -> [2] {
        fc1: Linear(4) -> shrink -> nobody_else_sees;
        fc2: Linear(4) -> self::deep::shrink -> crate::act::signed_square;
        cut: shrink -> head: Linear(2);
    }
}
