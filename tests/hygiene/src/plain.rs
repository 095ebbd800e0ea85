//! Two networks in one file, of every visibility.

::neural::network! {
    /// A network of every kind of scope.
    #[must_use]
    pub struct First(image: [1, 8, 8]) -> [4] {
        const WIDTH: usize = 2;
        block unit(width, stride = 1) {
            conv: Conv2d(width, kernel = 3, stride = stride, padding = 1) -> LeakyRelu(0.1);
        }
        /// The first convolution.
        stem: unit(WIDTH);
        body: repeat 2 { unit(WIDTH); residual { inner: unit(WIDTH) } }
        lists: repeat 2 { repeat 3 { unit(WIDTH); } }
        Flatten;
        max { low: Linear(4); high: Linear(4) -> Abs; }
    }
}

::neural::network! {
    /// Another network beside it.
    pub struct Second(image: [1, 8, 8], sound: [7]) -> [1] {
        let pooled = image -> MaxPool2d(2, ceil_mode = true) -> Upsample(2, mode = bilinear) -> Flatten;
        concat(pooled, sound) -> Dropout(0.25) -> r#type: Linear(1);
    }
}

::neural::network! {
    pub(crate) struct OfTheCrate(x: [4]) -> [1] { r#in: Linear(3) -> act: PRelu(3) -> out: Linear(1); }
}

/// How many features there are.
pub const FEATURES: usize = 4;

::neural::network! {
    /// A network whose sizes only the compiler knows.
    pub struct Open<const CLASSES: usize, const WIDTH: usize = { 2 * FEATURES }>(x: [FEATURES], y: [CLASSES]) -> [CLASSES] {
        block unit(width) { fc: Linear(width - 1) -> Relu; }
        let out = x -> body: repeat 2 { unit(WIDTH); } -> out: Linear(CLASSES);
        sum(out, y);
    }
}

const _: () = ::neural::verify::<Open<3>>();

pub(crate) mod inner {
    ::neural::network! {
        pub(in crate::plain) struct OfThisFile(x: [4]) -> [1] { head: Linear(1); }
    }
    ::neural::network! {
        pub(super) struct OfTheParent(x: [4]) -> [1] { head: Linear(1); }
    }
}

/// The number of weights of the networks that nobody else sees.
#[must_use]
pub fn hidden() -> usize {
    fn weights<N: ::neural::Network>() -> usize {
        N::SPEC.parameters()
    }
    weights::<OfTheCrate>() + weights::<inner::OfThisFile>() + weights::<inner::OfTheParent>()
}
