//! Declared networks: their weights as fields, and what all of them can do.
//!
//! `network!` turns a declaration into a struct that holds the weights and nothing else. A label on a layer makes a
//! field; a block of the network makes a struct that its calls share; any other label with labels inside (a `residual`, a
//! body) makes a struct of its own, named after both; a label on a `repeat` makes a `Vec`. From
//!
//! ```text
//! network! {
//!     pub struct DigitNet(image: [1, 8, 8]) -> [10] {
//!         block unit(width) { conv: Conv2d(width, kernel = 3, padding = 1) -> Relu; }
//!         stem: unit(16);
//!         body: repeat 2 { unit(16); }
//!         GlobalAvgPool -> Flatten;
//!         head: Linear(10);
//!     }
//! }
//! ```
//!
//! come, in essence,
//!
//! ```text
//! pub struct DigitNet {
//!     pub stem: DigitNetUnit,
//!     pub body: Vec<DigitNetBody>,
//!     pub head: layers::Linear,
//! }
//! pub struct DigitNetUnit { pub conv: layers::Conv2d }
//! pub struct DigitNetBody { pub conv: layers::Conv2d }
//!
//! impl Parameters for DigitNet {          // and for the other two: field by field, in the order of the declaration
//!     fn read(reader: &mut WeightReader) -> Self {
//!         Self {
//!             stem: Parameters::read(reader),
//!             body: Parameters::read(reader),
//!             head: Parameters::read(reader),
//!         }
//!     }
//!     …
//! }
//! impl Network for DigitNet {
//!     const SPEC: &'static NetworkSpec = &NetworkSpec { … };
//! }
//! impl XNetwork for DigitNet {}           // because its degree is proved
//! ```
//!
//! so that `net.body[1].conv.weight` is the tensor `body.1.conv.weight` of the weight file, of shape `[16, 16, 3, 3]`.

use std::path::Path;

use xdnn_ir::{Degree, Input, NetworkSpec, Shape};

use crate::weights::{self, WeightReader, WeightView, WeightViewMut};
use crate::{Device, Error, Graph, Model, Result, Seed, Task};

/// Whatever holds weights: a tensor, a layer, a block, a network.
///
/// The three methods go through the tensors in the same order, which is that of the network's
/// [`SPEC`](Network::SPEC).
pub trait Parameters: Sized {
    /// Takes what it needs from `reader`, which keeps the first error: [`WeightReader::into_parameters`] returns it.
    fn read(reader: &mut WeightReader) -> Self;

    /// Shows each tensor to `visitor`.
    fn visit<'a>(&'a self, visitor: &mut dyn FnMut(WeightView<'a>));

    /// Shows each tensor to `visitor`, to be changed.
    fn visit_mut<'a>(&'a mut self, visitor: &mut dyn FnMut(WeightViewMut<'a>));
}

/// Of what has no weights.
impl Parameters for () {
    fn read(_: &mut WeightReader) -> Self {}

    fn visit<'a>(&'a self, _: &mut dyn FnMut(WeightView<'a>)) {}

    fn visit_mut<'a>(&'a mut self, _: &mut dyn FnMut(WeightViewMut<'a>)) {}
}

/// A list of equal parts, as `repeat` makes it.
impl<T: Parameters> Parameters for Vec<T> {
    fn read(reader: &mut WeightReader) -> Self {
        reader.list()
    }

    fn visit<'a>(&'a self, visitor: &mut dyn FnMut(WeightView<'a>)) {
        self.iter().for_each(|item| item.visit(visitor));
    }

    fn visit_mut<'a>(&'a mut self, visitor: &mut dyn FnMut(WeightViewMut<'a>)) {
        self.iter_mut().for_each(|item| item.visit_mut(visitor));
    }
}

/// A network that was declared with `network!`, or as a struct with `#[xdnn(input = …)]`.
///
/// The struct is its weights: draw them with [`init`](Self::init) or read them with [`load`](Self::load), change them
/// through its fields, write them with [`save`](Self::save).
pub trait Network: Parameters + Clone + Send + Sync + 'static {
    /// The network as data.
    const SPEC: &'static NetworkSpec;

    /// The inputs, in order of declaration, with the shape of one sample.
    const INPUTS: &'static [Input] = Self::SPEC.inputs();

    /// The shape of one sample of the output.
    const OUTPUT: Shape = Self::SPEC.output_shape();

    /// The names and shapes of the weights, in order of declaration.
    const WEIGHTS: &'static [xdnn_ir::Weight] = Self::SPEC.weights();

    /// The network with freshly drawn weights. The same seed gives the same weights; [`weights::initial`] says how far.
    ///
    /// Linear layers and convolutions are drawn after He et al. (2015), those in residual branches after Fixup (Zhang
    /// et al. 2019).
    ///
    /// # Panics
    ///
    /// Never for a declared network. A hand-written [`Parameters`] that reads other weights than its `SPEC` lists is a
    /// programming error and panics.
    fn init(seed: Seed) -> Self {
        let reader = WeightReader::of(Self::SPEC, weights::initial(Self::SPEC, seed));
        match reader.into_parameters() {
            Ok(network) => network,
            Err(error) => contradicts_spec(Self::SPEC, &error),
        }
    }

    /// The network with the weights of a file in the [safetensors](weights::safetensors) format.
    ///
    /// # Errors
    ///
    /// [`Error::File`] when the file cannot be read, [`Error::Format`] when it is damaged or of another format, and
    /// [`Error::Weights`] with everything in it that does not fit the network.
    fn load(path: impl AsRef<Path>) -> Result<Self> {
        let arrays = weights::safetensors::load(Self::SPEC, path.as_ref())?;
        WeightReader::of(Self::SPEC, arrays).into_parameters()
    }

    /// The network on a device, ready to run. The model keeps the weights as they are now.
    ///
    /// # Errors
    ///
    /// [`Error::NonFiniteWeight`], and [`Error::Device`] when the device is not there.
    fn compile(&self, device: Device) -> Result<Model<Self>> {
        Model::new(self, device)
    }

    /// The network in `f64` on [`Device::Reference`]: slow, and exact to about 15 digits.
    ///
    /// # Errors
    ///
    /// [`Error::NonFiniteWeight`].
    fn compile_f64(&self) -> Result<Model<Self, f64>> {
        Model::new(self, Device::Reference)
    }

    /// The graph that does `task` for a batch of `batch` samples, to inspect or to hand to a luminal compiler.
    ///
    /// # Errors
    ///
    /// Those of [`Graph::build`].
    fn graph(&self, task: Task, batch: usize) -> Result<Graph> {
        Graph::build(Self::SPEC, task, batch)
    }

    /// Writes the weights to a file in the [safetensors](weights::safetensors) format.
    ///
    /// The file appears complete or not at all; one that was there before is replaced in one step, unless it is
    /// read-only.
    ///
    /// # Errors
    ///
    /// [`Error::NonFiniteWeight`] for weights that could not be loaded again, [`Error::File`] when the file cannot be
    /// written.
    fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        weights::safetensors::save(self, path.as_ref())
    }
}

/// Checks that the sizes of a network fit each other, where they depend on its parameters: `Custom<10>` may be right
/// and `Custom<0>` wrong.
///
/// The compiler checks `Custom<10>` by itself where the program uses it, but only `cargo build` finds those uses.
/// Written as a constant, the check is part of `cargo check`, and a network that does not fit is a compile error:
///
/// ```text
/// const _: () = xdnn::verify::<Custom<10>>();
/// ```
pub const fn verify<N: Network>() {
    let _ = N::SPEC;
}

#[cold]
#[allow(clippy::panic)]
fn contradicts_spec(spec: &NetworkSpec, error: &Error) -> ! {
    panic!(
        "`Parameters` of `{}` contradicts its `SPEC`: {error}",
        spec.name
    )
}

/// A network whose output is homogeneous in its inputs of a proved degree above 0: `F(a·x) = a^k·F(x)` for all `a > 0`.
///
/// Such a network, and no other, has an exact attribution in one forward and one backward pass, `x·∂F/k` (Hesse,
/// Schaub-Meyer and Roth, NeurIPS 2021). `network!` implements the trait where it can prove the degree; do not
/// implement it by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not proved to be homogeneous, so it has no one-pass attribution",
    label = "this network has no proved degree of homogeneity",
    note = "`attribute` needs a network without biases whose layers are all homogeneous",
    note = "use `integrated_gradients` for any other network"
)]
pub trait XNetwork: Network {
    /// The degree of homogeneity of the output in the inputs.
    const DEGREE: Degree = proved_degree(Self::SPEC);
}

/// The degree of a network that has one above 0. For any other, an implementation of [`XNetwork`] does not compile where it
/// is used.
const fn proved_degree(spec: &NetworkSpec) -> Degree {
    let degree = match spec.degree() {
        Some(degree) => degree,
        None => Degree::ZERO,
    };
    assert!(
        degree.is_positive(),
        "`XNetwork` is implemented for a network without a degree of homogeneity above 0"
    );
    degree
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use ndarray::{Array2, Ix1, array};
    use xdnn_ir::layer::Linear;
    use xdnn_ir::{Degree, Input, Layer, NetworkSpec, Node, Operand, Operation, Shape};

    use super::{Network, Parameters, XNetwork};
    use crate::weights::{Weight, WeightReader, WeightView, WeightViewMut};
    use crate::{Error, Seed, layers};

    /// What the expansion of a chain of three linear layers, the last two from a `repeat`, comes down to.
    #[derive(Clone, Debug)]
    struct Chain {
        stem: layers::Linear,
        body: Vec<layers::Linear>,
    }

    const fn linear(path: &'static str, position: usize) -> Node {
        const OPERANDS: [&[Operand]; 3] = [
            &[Operand::Input(0)],
            &[Operand::Node(0)],
            &[Operand::Node(1)],
        ];
        Node {
            path: Cow::Borrowed(path),
            operation: Operation::Layer(Layer::Linear(Linear {
                out_features: 2,
                bias: false,
            })),
            operands: Cow::Borrowed(OPERANDS[position]),
            shape: Shape::new([2]),
            degree: Some(Degree::ONE),
            weights: position..position + 1,
        }
    }

    const fn square(name: &'static str) -> xdnn_ir::Weight {
        xdnn_ir::Weight {
            name: Cow::Borrowed(name),
            shape: Shape::new([2, 2]),
        }
    }

    impl Network for Chain {
        const SPEC: &'static NetworkSpec = &NetworkSpec {
            name: Cow::Borrowed("Chain"),
            inputs: Cow::Borrowed(&[Input {
                name: Cow::Borrowed("x"),
                shape: Shape::new([2]),
            }]),
            nodes: Cow::Borrowed(&[linear("stem", 0), linear("body.0", 1), linear("body.1", 2)]),
            weights: Cow::Borrowed(&[
                square("stem.weight"),
                square("body.0.weight"),
                square("body.1.weight"),
            ]),
            output: Operand::Node(2),
        };
    }

    impl XNetwork for Chain {}

    impl Parameters for Chain {
        fn read(reader: &mut WeightReader) -> Self {
            Self {
                stem: Parameters::read(reader),
                body: Parameters::read(reader),
            }
        }

        fn visit<'a>(&'a self, visitor: &mut dyn FnMut(WeightView<'a>)) {
            self.stem.visit(visitor);
            self.body.visit(visitor);
        }

        fn visit_mut<'a>(&'a mut self, visitor: &mut dyn FnMut(WeightViewMut<'a>)) {
            self.stem.visit_mut(visitor);
            self.body.visit_mut(visitor);
        }
    }

    struct Pair<A, B>(A, B);

    impl<A: Parameters, B: Parameters> Parameters for Pair<A, B> {
        fn read(reader: &mut WeightReader) -> Self {
            Self(A::read(reader), B::read(reader))
        }

        fn visit<'a>(&'a self, visitor: &mut dyn FnMut(WeightView<'a>)) {
            self.0.visit(visitor);
            self.1.visit(visitor);
        }

        fn visit_mut<'a>(&'a mut self, visitor: &mut dyn FnMut(WeightViewMut<'a>)) {
            self.0.visit_mut(visitor);
            self.1.visit_mut(visitor);
        }
    }

    fn names(network: &Chain) -> Vec<&str> {
        let mut names = Vec::new();
        network.visit(&mut |weight| names.push(weight.name));
        names
    }

    #[test]
    fn what_a_network_is_can_be_read_from_its_type() {
        assert_eq!(Chain::DEGREE, Degree::ONE);
        assert_eq!(Chain::INPUTS[0].name, "x");
        assert_eq!(Chain::OUTPUT, Shape::new([2]));
        assert_eq!(Chain::WEIGHTS.len(), 3);
    }

    #[test]
    fn weights_are_visited_in_the_order_of_the_spec() {
        let network = Chain::init(Seed(3));
        assert_eq!(
            names(&network),
            ["stem.weight", "body.0.weight", "body.1.weight"]
        );
    }

    #[test]
    fn a_saved_network_loads_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chain.safetensors");
        let network = Chain::init(Seed(3));
        network.save(&path).unwrap();
        let loaded = Chain::load(&path).unwrap();
        assert_eq!(loaded.body[1].weight.view(), network.body[1].weight.view());
        assert_eq!(names(&loaded), names(&network));
    }

    #[test]
    fn clones_share_their_weights_until_one_changes() {
        let network = Chain::init(Seed(3));
        let mut other = network.clone();
        assert_eq!(
            network.stem.weight.as_slice().as_ptr(),
            other.stem.weight.as_slice().as_ptr()
        );
        other.stem.weight.view_mut().fill(7.0);
        assert_ne!(network.stem.weight.view(), other.stem.weight.view());
        other.visit_mut(&mut |weight| weight.into_slice().fill(1.0));
        assert_eq!(other.body[1].weight.view(), array![[1.0, 1.0], [1.0, 1.0]]);
    }

    #[test]
    fn a_weight_is_assigned_only_what_has_its_shape() {
        let mut network = Chain::init(Seed(3));
        network
            .stem
            .weight
            .assign(&array![[1.0, 2.0], [3.0, 4.0]].reversed_axes())
            .unwrap();
        assert_eq!(network.stem.weight.as_slice(), [1.0, 3.0, 2.0, 4.0]);
        let error = network
            .stem
            .weight
            .assign(&Array2::zeros((1, 2)))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "weight `stem.weight` has the shape `(2, 2)`, found `(1, 2)`; a weight keeps its shape"
        );
    }

    #[test]
    fn debug_prints_names_and_shapes_and_no_numbers() {
        let network = Chain::init(Seed(3));
        assert_eq!(
            format!("{:?}", network.stem),
            "Linear { weight: `stem.weight` (2, 2), bias: None }"
        );
    }

    #[test]
    fn a_type_that_does_not_follow_its_spec_gets_errors() {
        fn message<P: Parameters>() -> String {
            let arrays = (0..3).map(|_| Array2::zeros((2, 2)).into_dyn()).collect();
            let reader = WeightReader::new(Chain::SPEC, arrays).unwrap();
            match reader.into_parameters::<P>() {
                Err(Error::Graph(text)) => text.into_owned(),
                _ => panic!("no error of the graph"),
            }
        }
        // The first error counts, whatever comes after it.
        type Wrong = Pair<Weight<Ix1>, Vec<layers::Linear>>;
        assert_eq!(
            message::<Wrong>(),
            "weight `stem.weight` has 2 dimensions and is read as one with another number"
        );
        type List = Vec<layers::Linear>;
        assert_eq!(
            message::<List>(),
            "a list is read where the network has none"
        );
        assert_eq!(
            message::<Pair<layers::Linear, Pair<List, List>>>(),
            message::<List>()
        );
        assert_eq!(
            message::<Pair<Chain, layers::Linear>>(),
            "more weights are read than the network has"
        );
        assert_eq!(
            message::<layers::Linear>(),
            "weight `body.0.weight` is not read into the network"
        );
    }

    #[test]
    fn arrays_that_do_not_fit_are_all_named() {
        let arrays = vec![
            Array2::zeros((2, 2)).into_dyn(),
            Array2::zeros((1, 2)).into_dyn(),
        ];
        assert_eq!(
            WeightReader::new(Chain::SPEC, arrays)
                .unwrap_err()
                .to_string(),
            "the list of arrays does not fit the network: 2 faults\n  \
             `body.0.weight` must have the shape `(2, 2)`, found `(1, 2)`\n  \
             `body.1.weight` of shape `(2, 2)` is missing"
        );
    }
}
