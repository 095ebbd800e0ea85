//! Neural networks that explain themselves: a language for homogeneous networks with exact attributions in one pass.
//!
//! ```
//! use xdnn::prelude::*;
//!
//! network! {
//!     /// Reads handwritten digits.
//!     pub struct DigitNet(image: [1, 28, 28]) -> [10] {
//!         conv1: Conv2d(16, kernel = 5) -> Relu -> MaxPool2d(2);
//!         conv2: Conv2d(32, kernel = 5) -> Relu -> MaxPool2d(2);
//!         Flatten -> head: Linear(10);
//!     }
//! }
//!
//! assert_eq!(DigitNet::DEGREE, Degree::ONE);
//! let net = DigitNet::init(Seed(7));
//! assert_eq!(net.head.weight.shape(), [10, 512]);
//! ```
#![forbid(unsafe_code)]

#[doc(inline)]
pub use xdnn_runtime::*;

/// Declares a network, and proves it homogeneous while it compiles.
///
/// ```
/// use xdnn::network;
///
/// network! {
///     /// Two layers.
///     pub struct Mlp(x: [784]) -> [10] {
///         fc1: Linear(128) -> Relu;
///         fc2: Linear(10);
///     }
/// }
/// ```
///
/// The value flows from statement to statement, and the last one is the output. Labels become the fields of the struct
/// and the names of the weights. What is not homogeneous does not compile:
///
/// ```compile_fail
/// xdnn::network! {
///     struct Mlp(x: [784]) -> [10] {
///         fc1: Linear(128) -> Sigmoid; // `Sigmoid` is not nonnegatively homogeneous
///         fc2: Linear(10, bias = true); // `Linear` cannot have a bias
///     }
/// }
/// ```
///
/// A `#[regular]` network may break homogeneity, and its layers have biases unless they say `bias = false`. It has every
/// method but `attribute`:
///
/// ```
/// use xdnn::prelude::*;
///
/// network! {
///     #[regular]
///     pub struct Regular(x: [784]) -> [10] {
///         fc1: Linear(128) -> Relu;
///         fc2: Linear(10);
///     }
/// }
///
/// let net = Regular::init(Seed(7));
/// assert_eq!(net.fc2.bias.as_ref().map(|bias| bias.as_slice()), Some([0.0; 10].as_slice()));
/// ```
///
/// Modules under `#![no_implicit_prelude]` cannot declare `#[regular]` networks: the compiler does not know the attribute
/// `#[diagnostic]` there ([rust-lang/rust#106518](https://github.com/rust-lang/rust/issues/106518)).
///
/// # Sizes
///
/// A size is a number, a `const` of the network, a constant of the crate, or a parameter of the network:
///
/// ```
/// use xdnn::{Network, network};
///
/// mod config {
///     pub const WIDTH: usize = 64;
/// }
///
/// network! {
///     /// As many classes as there are to tell apart.
///     pub struct Mlp<const CLASSES: usize>(x: [784]) -> [CLASSES] {
///         const HALF: usize = config::WIDTH / 2;
///         fc1: Linear(config::WIDTH) -> Relu;
///         fc2: Linear(HALF) -> Relu;
///         head: Linear(CLASSES);
///     }
/// }
///
/// assert_eq!(Mlp::<10>::OUTPUT.dims(), [10]);
/// assert_eq!(Mlp::<3>::SPEC.parameters(), 784 * 64 + 64 * 32 + 32 * 3);
/// ```
///
/// The macro does not see the values of the crate's constants, but the compiler does: it checks the shapes by the same
/// rules, with the same messages, and `cargo check` reports them. What decides about the nodes of a network, such as the
/// count of a `repeat`, must be known to the macro.
///
/// Where every parameter has a default, the network is checked with the defaults. Otherwise a line such as
/// `const _: () = xdnn::verify::<Mlp<10>>();` makes `cargo check` look at the sizes that the program uses.
#[macro_export]
macro_rules! network {
    ($($tokens:tt)*) => {
        $crate::__private::network_impl! { [$crate] $($tokens)* }
    };
}

/// Makes a function, a struct of layers, or a layer of your own a step of every network that can see it.
///
/// # Functions
///
/// The function is proved to be homogeneous from its body:
///
/// ```
/// use xdnn::prelude::*;
///
/// /// A leaky ReLU.
/// #[xdnn]
/// pub fn shrink(x: f32) -> f32 {
///     if x > 0.0 { x } else { 0.1 * x }
/// }
///
/// /// A ReLU, squared: degree 2.
/// #[xdnn]
/// pub fn energy(x: f32) -> f32 {
///     x * x.max(0.0)
/// }
///
/// network! {
///     pub struct Net(x: [8]) -> [2] {
///         fc1: Linear(16) -> shrink;
///         fc2: Linear(16) -> energy;
///         head: Linear(2);
///     }
/// }
///
/// assert_eq!(Net::DEGREE, Degree::integer(2));
/// assert_eq!(shrink(-1.0), -0.1); // It stays a function, too.
/// ```
///
/// A body is made of arithmetic, comparisons, `if … else …`, `let` and methods of `f32`. Every part of it has a degree
/// `d`, `e(a·x) = a^d·e(x)` for all `a > 0`, or is refused: sums and comparisons need operands of one degree, products
/// add degrees, roots divide them, and what has no degree, such as `exp`, may read values of degree 0 only. The constant
/// 0 has every degree, any other constant has degree 0. The function of a value of degree `k` has the degree `d·k`.
///
/// A homogeneous function is `f(1)·x^d` for `x > 0` and `f(−1)·|x|^d` for `x < 0`, and that is what runs: as fast as
/// `Relu` for `d = 1`, whatever the body looks like, and the same as the body but for rounding. For `d = 1` the
/// derivative at 0 is that of the branch that the body takes there; between the operands of a `max`, `min` or `abs` it
/// is the smaller slope, or 0 where the slopes change their sign, so that ReLU'(0) = 0 and |·|'(0) = 0. For other `d`
/// it is 0.
///
/// The function can be used by its name where that is in scope, and by its path elsewhere, also from another crate:
/// `fc: Linear(16) -> other::shrink`. What is not homogeneous does not compile:
///
/// ```compile_fail
/// #[xdnn::xdnn]
/// fn shifted(x: f32) -> f32 {
///     x + 1.0 // `+` mixes the degrees 1 and 0
/// }
/// ```
///
/// # Structs
///
/// A chain of layers can be written as a struct. Each field is a layer, a function, or another such struct; its name is
/// the label, so it names the weights. What cannot stand in a type stands in `#[layer(…)]`:
///
/// ```
/// use xdnn::prelude::*;
///
/// /// Reads handwritten digits.
/// #[xdnn(input = [1, 28, 28])]
/// pub struct LeNet {
///     #[layer(16, kernel = 5)]
///     conv1: Conv2d,
///     relu1: Relu,
///     pool1: MaxPool2d<2>,
///     flatten: Flatten,
///     #[layer(10)]
///     head: Linear,
/// }
///
/// assert_eq!(LeNet::DEGREE, Degree::ONE);
/// let net = LeNet::init(Seed(7));
/// assert_eq!(net.head.weight.shape(), [10, 2304]);
/// ```
///
/// It is the network that [`network!`] makes of `conv1: Conv2d(16, kernel = 5); relu1: Relu; …`, with the same fields, the
/// same methods and the same messages; the shape that it returns is inferred. It may have const parameters, and `#[regular]`
/// below `#[xdnn]` lets it break homogeneity.
///
/// Every such struct is a block for other networks, by its name or by its path, also from another crate. One without
/// `input` is nothing else, and reads whatever flows into it:
///
/// ```
/// use xdnn::prelude::*;
///
/// mod blocks {
///     /// A convolution with what belongs to it.
///     #[xdnn::xdnn]
///     pub struct Stem {
///         #[layer(16, kernel = 5)]
///         conv: Conv2d,
///         relu: Relu,
///         pool: MaxPool2d<2>,
///     }
/// }
///
/// network! {
///     pub struct Net(image: [1, 28, 28]) -> [10] {
///         stem1: blocks::Stem;
///         stem2: blocks::Stem;
///         Flatten -> head: Linear(10);
///     }
/// }
///
/// assert_eq!(Net::WEIGHTS[1].name, "stem2.conv.weight");
/// ```
///
/// The layers of a block are checked where it is declared, as for a value of degree 1, and again for the shape and the
/// degree that flow in where it is used. A block is `#[regular]`, and then has biases and stands in `#[regular]`
/// networks only, where it is declared to be. Its sizes are numbers: a struct whose layers have constants of its crate or
/// parameters as sizes is a network, but no block.
///
/// # Layers of your own
///
/// What the layers of the language do not compute can be a layer of your crate: a struct whose fields are the arguments
/// (`usize`, `f64` or `bool`, with `#[default = …]` where they may be left out), its rules as const functions, and
/// [`CustomLayer`] with what it computes.
///
/// ```
/// use xdnn::graph::Value;
/// use xdnn::ir::Fault;
/// use xdnn::ir::layer::Weights;
/// use xdnn::ops::{Map, Slopes};
/// use xdnn::prelude::*;
/// use xdnn::{CustomLayer, Graph};
///
/// /// `y_c = g_c · s · |x_c|`: sizes, with a learned gain for each channel.
/// #[xdnn(layer, degree = 1, weights = [gain])]
/// pub struct Sizes {
///     /// `s`.
///     #[default = 1.0]
///     pub scale: f64,
/// }
///
/// impl Sizes {
///     /// The shape of the result for one sample, or what is wrong.
///     pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
///         if self.scale > 0.0 {
///             return Ok(input);
///         }
///         Err(Fault::Argument { name: "scale", expected: "above 0" })
///     }
///
///     /// The names and shapes of the weights, in the order of `weights = […]`.
///     pub const fn weights(&self, input: Shape) -> Weights {
///         Weights::named("gain", Shape::new([input.dim(0)]))
///     }
/// }
///
/// impl CustomLayer for Sizes {
///     fn lower(&self, graph: &mut Graph, x: Value, weights: &[Value]) -> xdnn::Result<Value> {
///         let sizes = graph.map(Map::PiecewiseLinear(Slopes::ABS), x)?;
///         let sizes = graph.scale(sizes, self.scale)?;
///         let others = (0..x.shape().rank()).filter(|axis| *axis != 1);
///         let gain = graph.broadcast(weights[0], others, x.shape())?;
///         graph.mul(sizes, gain)
///     }
/// }
///
/// network! {
///     pub struct Net(image: [3, 8, 8]) -> [2] {
///         sizes: self::Sizes(scale = 2.0);
///         Flatten -> head: Linear(2);
///     }
/// }
/// # fn main() -> xdnn::Result<()> {
/// let net = Net::init(Seed(7));
/// assert_eq!(net.sizes.gain.shape(), [3]);
/// net.compile(Device::Cpu)?;
/// # Ok(())
/// # }
/// ```
///
/// The degree is the `p` in `f(a·x) = a^p·f(x)` for all `a > 0`: an integer, 0 or a fraction such as `1/2`. It is taken on
/// trust while the network compiles, and verified before it first runs: see [`CustomLayer`]. The compiler calls the rules,
/// so a shape that does not fit is an error of `cargo check`, at the step. A layer with arguments goes by its path, such as
/// `self::Sizes(…)` or `other_crate::Sizes(…)`.
///
/// Where this crate has another name, the attribute wants to know: `#[xdnn(crate = other_name)]`.
pub use xdnn_macros::xdnn;

pub mod zoo;

/// What a program that declares and runs networks needs: `use xdnn::prelude::*`.
pub mod prelude {
    #[doc(no_inline)]
    pub use crate::ir::{Degree, Shape};
    #[doc(no_inline)]
    pub use crate::training::{Adam, Fit, Loss, Prior, Sgd, Trainer};
    #[doc(no_inline)]
    pub use crate::{
        Device, IntegratedGradients, Network, Precision, Seed, Target, Task, XNetwork, network,
        xdnn,
    };
}

/// What generated code needs. No part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use xdnn_macros::network_impl;
    pub use xdnn_runtime::ir::outline;
    pub use xdnn_runtime::parameters;

    /// What no block has.
    #[diagnostic::on_unimplemented(
        message = "`{Name}` has no `input`, so it is no network",
        label = "this is a block for `network!`",
        note = "a struct of layers without `input` is a step of networks, and reads whatever flows into it",
        note = "help: give it the shape of one sample, as in `#[xdnn(input = [1, 28, 28])]`"
    )]
    pub trait HasInput<Name> {}

    /// A struct of layers without an input.
    #[derive(Debug)]
    pub enum Block {}
}
