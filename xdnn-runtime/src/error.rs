//! The one error of the runtime.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::PathBuf;

use xdnn_ir::{Degree, Fault, Shape};

use crate::weights::WeightFault;

/// What can go wrong between a declared network and its results.
///
/// Every text says what was expected, what was found and what to do. What gives one of these has changed and written
/// nothing, but for the steps that [`Trainer::fit`](crate::training::Trainer::fit) has already taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A network was given the wrong number of inputs.
    #[error(
        "expected {} ({}), found {found}; give one array per declared input, in order of declaration",
        count(names.len(), "input"), quoted(names)
    )]
    InputCount {
        /// The names of the declared inputs.
        names: Vec<Cow<'static, str>>,
        /// The number of arrays given.
        found: usize,
    },

    /// An input has the wrong number of dimensions or the wrong sizes.
    #[error(
        "input `{name}` must have the shape `{}`, found `{}`{}",
        Batched(expected),
        Tuple(found),
        batch_hint(expected, found)
    )]
    InputShape {
        /// The name of the input.
        name: Cow<'static, str>,
        /// The declared shape of one sample; the array has the batch dimension in front.
        expected: Shape,
        /// The shape of the array given.
        found: Vec<usize>,
    },

    /// The inputs of a network with several of them hold different numbers of samples.
    #[error(
        "input `{name}` holds {}, but input `{first}` holds {expected}; give every input the same number of samples",
        count(*found, "sample")
    )]
    BatchesDiffer {
        /// The first input.
        first: Cow<'static, str>,
        /// The number of samples in the first input.
        expected: usize,
        /// The input that differs.
        name: Cow<'static, str>,
        /// The number of samples in it.
        found: usize,
    },

    /// An input holds no samples.
    #[error("input `{name}` holds no samples; give at least one")]
    EmptyBatch {
        /// The name of the input.
        name: Cow<'static, str>,
    },

    /// An input holds a NaN or an infinity.
    #[error(
        "input `{name}` is {value} at index `{}`; replace missing values by finite numbers",
        Tuple(index)
    )]
    NonFiniteInput {
        /// The name of the input.
        name: Cow<'static, str>,
        /// The position of the first such value, the batch dimension included.
        index: Vec<usize>,
        /// The value.
        value: f64,
    },

    /// A slice of a GPU's memory is not as long as what it stands for.
    #[error(
        "{what} must have the shape `{}`, which is {}, found {found}",
        Tuple(expected),
        count(expected.iter().fold(1, |all, dim| all.saturating_mul(*dim)), "number")
    )]
    SliceLength {
        /// What the slice stands for, such as an input.
        what: String,
        /// The shape that it needs, the batch dimension included.
        expected: Vec<usize>,
        /// How many numbers it has.
        found: usize,
    },

    /// A weight is NaN or infinite.
    #[error(
        "weight `{name}` is {value} at index `{}`; weights must be finite",
        Tuple(index)
    )]
    NonFiniteWeight {
        /// The name of the weight.
        name: Cow<'static, str>,
        /// The position of the first such value.
        index: Vec<usize>,
        /// The value.
        value: f64,
    },

    /// An array assigned to a weight has another shape.
    #[error(
        "weight `{name}` has the shape `{}`, found `{}`; a weight keeps its shape",
        Tuple(expected),
        Tuple(found)
    )]
    WeightShape {
        /// The name of the weight.
        name: Cow<'static, str>,
        /// Its shape.
        expected: Vec<usize>,
        /// The shape of the array given.
        found: Vec<usize>,
    },

    /// A network was given the wrong number of weight tensors.
    #[error("expected {}, found {found}; give one array per weight, in the order of the network", count(*expected, "weight tensor"))]
    WeightCount {
        /// The number of weight tensors of the network.
        expected: usize,
        /// The number of arrays given.
        found: usize,
    },

    /// The weights that a file or a caller offers do not fit the network. All faults are listed.
    #[error("{source_name} does not fit the network: {}{}", count(faults.len(), "fault"), Lines(faults))]
    Weights {
        /// Where the weights come from, such as a path in backquotes.
        source_name: String,
        /// What does not fit, in the order of the network's weights, then by name.
        faults: Vec<WeightFault>,
    },

    /// A class is not among those of the network.
    #[error("class {class} is out of range: the network has {}, from 0", count(*classes, "class"))]
    ClassOutOfRange {
        /// The class asked for.
        class: usize,
        /// The number of classes.
        classes: usize,
    },

    /// An index is not inside of the output.
    #[error("index `{}` is outside of the output, whose shape is `{}`", Tuple(index), Tuple(output.dims()))]
    OutputIndex {
        /// The index asked for.
        index: Vec<usize>,
        /// The shape of one sample of the output.
        output: Shape,
    },

    /// There are more or fewer targets than samples.
    #[error("expected {}, one for each sample, found {found}", count(*batch, "target"))]
    TargetCount {
        /// The number of samples.
        batch: usize,
        /// The number of targets.
        found: usize,
    },

    /// A class was asked for, but the output is no vector of classes.
    #[error(
        "the output has the shape `{}`, which is no vector of classes; choose one number of it by its index",
        Batched(output)
    )]
    NotClasses {
        /// The shape of one sample of the output.
        output: Shape,
    },

    /// Binary cross-entropy was asked for, but the output is no single logit.
    #[error(
        "the output has the shape `{}`, but binary cross-entropy needs `(N, 1)`, one logit for each sample; use \
         cross-entropy",
        Batched(output)
    )]
    NotOneLogit {
        /// The shape of one sample of the output.
        output: Shape,
    },

    /// A network is not homogeneous, so that it has no attribution in closed form.
    #[error(
        "the network is not homogeneous, so it has no X-Gradient; use Integrated Gradients. The first node that breaks \
         homogeneity is `{node}`, a `{operation}`: {}",
        fault.message(operation).reason()
    )]
    NotHomogeneous {
        /// The path of the first node that breaks homogeneity, or its layer's name where it has no label.
        node: Cow<'static, str>,
        /// Its layer or combination.
        operation: &'static str,
        /// How it breaks homogeneity.
        fault: Box<Fault>,
    },

    /// A network has no attribution in closed form, because its output does not move when its inputs are scaled.
    #[error(
        "the output has the degree {degree}, so it has no X-Gradient; use Integrated Gradients"
    )]
    Degree {
        /// The degree of the output in the inputs, not above 0.
        degree: Degree,
    },

    /// Training has left the numbers that can be computed with.
    #[error(
        "training has diverged: the loss is {loss}, and it, its gradient or the next weights are not finite; use a \
         smaller learning rate"
    )]
    Diverged {
        /// The loss of the batch.
        loss: f32,
    },

    /// A file could not be opened, read, written or put in place.
    #[error("cannot {action} `{}`: {cause}", path.display())]
    File {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        cause: io::Error,
    },

    /// A file is damaged, or of a format that is not read.
    #[error("`{}` is no readable weight file: {cause}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        cause: Cow<'static, str>,
    },

    /// A device is not there, or not usable.
    #[error("device `{device}`: {cause}")]
    Device {
        /// The device asked for.
        device: Cow<'static, str>,
        /// Why, and what to do.
        cause: Cow<'static, str>,
    },

    /// There is not enough memory.
    #[error("out of memory: {what} needs {bytes} bytes; use a smaller batch")]
    OutOfMemory {
        /// What the memory is for.
        what: Cow<'static, str>,
        /// Its size in bytes.
        bytes: usize,
    },

    /// An option is outside of its range.
    #[error("option `{name}` must be {expected}, found {found}")]
    Option {
        /// The option, such as `steps`.
        name: &'static str,
        /// Its range, such as `at least 1`.
        expected: &'static str,
        /// Its value.
        found: String,
    },

    /// A rule of shapes or degrees refuses a node of a network that was built at run time.
    #[error("{node}: {fault}")]
    Rule {
        /// The node's path, or its layer's name where it has no label.
        node: Cow<'static, str>,
        /// The rule's finding.
        fault: Box<Fault>,
    },

    /// A layer of another crate does not have the degree that its crate declares.
    #[error(transparent)]
    DegreeRefuted(Box<DegreeEvidence>),

    /// A layer of another crate cannot be built.
    #[error("layer `{layer}` of another crate: {cause}")]
    CustomLayer {
        /// The layer, with its arguments.
        layer: String,
        /// What is wrong with it, and what to do.
        cause: String,
    },

    /// A graph breaks an invariant. This is a fault of the library or of a compiler pass, never of the data.
    #[error("invalid graph: {0}; this is a fault of the library or of a compiler pass")]
    Graph(Cow<'static, str>),
}

/// What shows that a layer of another crate does not have the degree that its crate declares.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "layer `{layer}`{} is declared homogeneous of degree {degree}, but is not: an element of f(x) is {at_one:?}, and of \
     f({factor}*x) {at_factor:?} instead of {:?}; correct its `degree` or what it computes",
    at(path), expected(*factor, *degree, *at_one)
)]
#[non_exhaustive]
pub struct DegreeEvidence {
    /// The layer, with its arguments.
    pub layer: String,
    /// The path of its node.
    pub path: String,
    /// The declared degree `p`.
    pub degree: Degree,
    /// `a`, which the input was scaled by.
    pub factor: f64,
    /// An element of `f(x)`.
    pub at_one: f64,
    /// The same element of `f(a·x)`.
    pub at_factor: f64,
}

fn expected(factor: f64, degree: Degree, at_one: f64) -> f64 {
    match factor {
        0.0 => 0.0, // and not -0
        factor => factor.powf(degree.to_f64()) * at_one,
    }
}

fn at(path: &str) -> String {
    match path {
        "" => String::new(),
        path => format!(" at `{path}`"),
    }
}

/// The result of whatever can go wrong with an [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The error of a graph that breaks an invariant.
pub(crate) fn invalid(text: impl Into<Cow<'static, str>>) -> Error {
    Error::Graph(text.into())
}

impl Error {
    /// An option that is outside of its range.
    pub(crate) fn option(
        name: &'static str,
        expected: &'static str,
        found: impl fmt::Display,
    ) -> Self {
        Self::Option {
            name,
            expected,
            found: found.to_string(),
        }
    }
}

/// `(2, 1, 8, 8)`.
pub(crate) struct Tuple<'a>(pub &'a [usize]);

impl fmt::Display for Tuple<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (i, dim) in self.0.iter().enumerate() {
            write!(f, "{}{dim}", if i > 0 { ", " } else { "" })?;
        }
        f.write_str(if self.0.len() == 1 { ",)" } else { ")" })
    }
}

/// `(N, 1, 8, 8)`.
struct Batched<'a>(&'a Shape);

impl fmt::Display for Batched<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(N")?;
        for dim in self.0.dims() {
            write!(f, ", {dim}")?;
        }
        f.write_str(if self.0.rank() == 0 { ",)" } else { ")" })
    }
}

/// Each item on a line of its own.
struct Lines<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for Lines<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|item| write!(f, "\n  {item}"))
    }
}

/// `1 sample`, `2 samples`.
fn count(number: usize, noun: &str) -> String {
    match (number, noun.ends_with('s')) {
        (1, _) => format!("{number} {noun}"),
        (_, true) => format!("{number} {noun}es"),
        (_, false) => format!("{number} {noun}s"),
    }
}

fn quoted(names: &[Cow<'static, str>]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn batch_hint(expected: &Shape, found: &[usize]) -> &'static str {
    if found == expected.dims() {
        "; put the batch dimension in front, as in `image.insert_axis(Axis(0))`"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::Error;
    use xdnn_ir::Shape;

    #[test]
    fn an_error_crosses_threads_and_stays_small() {
        fn crosses<T: Send + Sync + 'static>() {}
        crosses::<Error>();
        assert!(size_of::<Error>() <= 120, "{}", size_of::<Error>());
    }

    #[test]
    fn texts_say_what_was_expected_and_found() {
        let shape = Error::InputShape {
            name: "image".into(),
            expected: Shape::new([1, 8, 8]),
            found: vec![1, 8, 8],
        };
        assert_eq!(
            shape.to_string(),
            "input `image` must have the shape `(N, 1, 8, 8)`, found `(1, 8, 8)`; put the batch dimension in front, \
             as in `image.insert_axis(Axis(0))`"
        );
        let count = Error::InputCount {
            names: vec!["image".into(), "audio".into()],
            found: 1,
        };
        assert_eq!(
            count.to_string(),
            "expected 2 inputs (`image`, `audio`), found 1; give one array per declared input, in order of declaration"
        );
        let class = Error::ClassOutOfRange {
            class: 10,
            classes: 10,
        };
        assert_eq!(
            class.to_string(),
            "class 10 is out of range: the network has 10 classes, from 0"
        );
        let index = Error::NonFiniteInput {
            name: "x".into(),
            index: vec![2, 0, 1, 3],
            value: f64::NAN,
        };
        assert_eq!(
            index.to_string(),
            "input `x` is NaN at index `(2, 0, 1, 3)`; replace missing values by finite numbers"
        );
    }
}
