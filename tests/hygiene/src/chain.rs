//! Structs of layers, for this crate and for others.

/// A convolution with what belongs to it.
#[::neural::xdnn(crate = ::neural)]
#[must_use]
pub struct Stem {
    /// The first convolution.
    #[layer(4, kernel = 3)]
    conv1: Conv2d,
    act: super::act::shrink,
    pool1: MaxPool2d<2>,
}

/// A network that is a block, too, and has another one inside.
#[::neural::xdnn(input = [1, 12, 12], crate = ::neural)]
pub struct Features {
    stem: Stem,
    flatten: Flatten,
    r#type: Linear<8>,
}

#[::neural::xdnn(crate = ::neural)]
pub(crate) struct OfTheCrate {
    act: self::deep::halve,
    relu: Relu,
}

#[::neural::xdnn(crate = ::neural)]
struct NobodyUsesIt {
    #[layer(8)]
    fc: Linear,
}

mod deep {
    #[::neural::xdnn]
    pub(super) fn halve(x: f32) -> f32 {
        0.5 * x
    }

    #[::neural::xdnn(input = [4], crate = ::neural)]
    #[cfg(any())]
    struct Absent {
        fc: Linear<2>,
    }
}

/// How many features there are.
pub const FEATURES: usize = 4;

/// A network of sizes that only the compiler knows.
#[::neural::xdnn(input = [FEATURES], crate = ::neural)]
pub struct Open<const CLASSES: usize = { FEATURES - 1 }> {
    #[layer(2 * FEATURES)]
    fc1: Linear,
    act: OfTheCrate,
    fc2: Linear<CLASSES>,
}

const _: () = ::neural::verify::<Open<3>>();

/// A block with biases.
#[::neural::xdnn(crate = ::neural)]
#[regular]
pub struct Biased {
    fc: Linear<2>,
}

::neural::network! {
    /// A network of structs.
    pub struct Chained(image: [1, 12, 12]) -> [2] {
        features: self::Features;
        OfTheCrate -> head: Linear(2);
    }
}
