//! Networks as `network!` writes them: a line of text for each node, for const evaluation to read.
//!
//! The macro knows the nodes of a network, their degrees and the names of their weights. Their shapes depend on sizes
//! that only the compiler may know, constants of the user's crate and const generics. So the macro writes an [`Outline`],
//! with calculations ([`Integer`]) in place of such sizes, and one check for each thing that could be wrong with them, at
//! the place in the source that would be to blame. Const evaluation fills in the shapes by the rules of this crate. A
//! check that fails panics with the words that the macro itself would have used.
//!
//! Text, because the compiler looks at every expression of a constant for longer than const evaluation takes to read a
//! line.

mod check;
mod integer;
mod line;
mod recovery;

use std::borrow::Cow;
use std::mem;

pub use crate::Operand;
pub use crate::custom::{Custom, Ruled, Scalar, Scalars};
pub use check::{Checks, Verdict, accept, blame, check_output, check_shape, check_size};
pub use integer::{Constant, Integer};
pub use recovery::plausible;

use crate::layer::Weights;
use crate::message::text::equal;
use crate::{Combine, Degree, Fault, Input, MAX_RANK, NetworkSpec, Node, Operation, Shape, Weight};
use line::Line;

/// A node, but for the shape of its result.
#[derive(Clone, Copy, Debug)]
struct Step {
    path: &'static str,
    operation: Operation,
    /// Whether all arguments are sizes; where they are not, a check of its own says so.
    sound: bool,
    /// Where its operands begin among those of the network, and how many they are.
    operands: (usize, usize),
    /// The degree that the macro has found.
    degree: Option<Degree>,
    /// Where its weights begin among those of the network, and how many the macro has found.
    weights: (usize, usize),
    /// The shape of the result, where the macro knows it.
    shape: Option<Shape>,
    /// What the rules of a layer of another crate say, where its input is known.
    ruled: Option<Ruled>,
}

/// A network of `I` inputs, `N` nodes and `W` weights, whose nodes have `R` operands together. Where a shape is not
/// known, a check says why.
#[derive(Clone, Copy, Debug)]
pub struct Outline<const I: usize, const N: usize, const R: usize, const W: usize> {
    name: &'static str,
    /// The names of the inputs, and their shapes where they are shapes.
    inputs: [(&'static str, Option<Shape>); I],
    steps: [Step; N],
    operands: [Operand; R],
    /// The names of the weights, and the shapes of those that the macro knows.
    weights: [(&'static str, Option<Shape>); W],
    shapes: [Option<Shape>; N],
    /// What the rules say about each step. `None` where the macro knows the shape, and where another check says what is wrong.
    results: [Option<Result<Shape, Fault>>; N],
    output: Operand,
}

/// An outline without its lengths.
#[derive(Clone, Copy, Debug)]
pub struct View<'o> {
    name: &'static str,
    inputs: &'o [(&'static str, Option<Shape>)],
    steps: &'o [Step],
    operands: &'o [Operand],
    weights: &'o [(&'static str, Option<Shape>)],
    shapes: &'o [Option<Shape>],
    results: &'o [Option<Result<Shape, Fault>>],
    output: Operand,
}

impl<const I: usize, const N: usize, const R: usize, const W: usize> Outline<I, N, R, W> {
    /// The outline of a network. `operations` says of each whether all its arguments are sizes. Each line describes a node:
    /// its path, the position of its operation, its operands, its degree, its shape, and its weights with their shapes, where
    /// `?` stands for what the macro does not know. Examples are `stem.conv 4 x0 1 [8,14,14] stem.conv.weight[8,1,3,3]`,
    /// where `x0` is the first input, and ` 7 n2 n5 1/2 ?`, where `n2` is the third node.
    ///
    /// # Panics
    ///
    /// Panics where a line is none, or the network has other lengths.
    pub const fn new(
        name: &'static str,
        inputs: [(&'static str, Option<Shape>); I],
        operations: &[(Operation, bool)],
        lines: &[&'static str; N],
        output: Operand,
    ) -> Self {
        let step = Step {
            path: "",
            operation: Operation::Combine(Combine::Sum),
            sound: false,
            operands: (0, 0),
            degree: None,
            weights: (0, 0),
            shape: None,
            ruled: None,
        };
        let mut outline = Self {
            name,
            inputs,
            steps: [step; N],
            operands: [Operand::Input(0); R],
            weights: [("", None); W],
            shapes: [None; N],
            results: [None; N],
            output,
        };
        let (mut i, mut operands, mut weights) = (0, 0, 0);
        while i < N {
            let mut line = Line::new(lines[i]);
            let step = &mut outline.steps[i];
            step.path = line.word();
            line.skip();
            (step.operation, step.sound) = operations[line.number()];
            step.operands.0 = operands;
            while let Some(operand) = line.operand() {
                outline.operands[operands] = operand;
                operands += 1;
            }
            step.operands.1 = operands - step.operands.0;
            step.degree = line.degree();
            step.shape = line.shape();
            step.weights.0 = weights;
            while let Some(name) = line.name() {
                outline.weights[weights] = (name, line.shape());
                weights += 1;
            }
            step.weights.1 = weights - step.weights.0;
            i += 1;
        }
        assert!(
            operands == R && weights == W,
            "the lines have other lengths"
        );
        outline.from(0)
    }

    /// The outline with the shapes of this node and of those behind it, up to a layer whose rules another crate has.
    const fn from(mut self, node: usize) -> Self {
        let (mut i, mut shapes) = (node, [Shape::new([]); R]);
        while i < N {
            let step = &self.steps[i];
            if step.shape.is_some() {
                self.shapes[i] = step.shape;
            } else if self.read_into(&mut shapes, i) {
                if step.awaits_rules() {
                    return self;
                }
                let operands = part(&shapes, step.operands);
                let result = step.result(operands);
                self.shapes[i] = match &result {
                    Some(Ok(shape)) => Some(*shape),
                    Some(Err(fault)) => plausible(&step.operation, operands, fault),
                    None => None,
                };
                self.results[i] = result;
            }
            i += 1;
        }
        self
    }

    /// Looks up the shapes of a step's operands, for their places among all operands. Whether all are known.
    const fn read_into(&self, shapes: &mut [Shape; R], node: usize) -> bool {
        let (start, len) = self.steps[node].operands;
        let mut i = start;
        while i < start + len {
            shapes[i] = match self.view().shape_of(self.operands[i]) {
                Some(shape) => shape,
                None => return false,
            };
            i += 1;
        }
        true
    }

    /// The shape that a layer of another crate reads. `None` where another check says what is wrong.
    pub const fn read(&self, node: usize) -> Option<Shape> {
        let step = &self.steps[node];
        match step.sound {
            true => self.view().shape_of(self.operands[step.operands.0]),
            false => None,
        }
    }

    /// The outline with what the rules of a layer of another crate say.
    #[must_use]
    pub const fn with(mut self, node: usize, ruled: Ruled) -> Self {
        self.steps[node].ruled = Some(ruled);
        self.from(node)
    }

    /// The outline without its lengths.
    pub const fn view(&self) -> View<'_> {
        View {
            name: self.name,
            inputs: &self.inputs,
            steps: &self.steps,
            operands: &self.operands,
            weights: &self.weights,
            shapes: &self.shapes,
            results: &self.results,
            output: self.output,
        }
    }

    /// The inputs of the specification. What is not known has no dimensions.
    const fn inputs(&self) -> [Input; I] {
        const NONE: Input = Input {
            name: Cow::Borrowed(""),
            shape: Shape::new([]),
        };
        let (mut inputs, mut i) = ([NONE; I], 0);
        while i < I {
            let (name, shape) = self.inputs[i];
            let input = Input {
                name: Cow::Borrowed(name),
                shape: known(shape),
            };
            mem::forget(mem::replace(&mut inputs[i], input));
            i += 1;
        }
        inputs
    }

    /// The nodes of the specification.
    const fn nodes(&'static self) -> [Node; N] {
        const NONE: Node = Node {
            path: Cow::Borrowed(""),
            operation: Operation::Combine(Combine::Sum),
            operands: Cow::Borrowed(&[]),
            shape: Shape::new([]),
            degree: None,
            weights: 0..0,
        };
        let (mut nodes, mut i) = ([NONE; N], 0);
        while i < N {
            let step = &self.steps[i];
            let (start, len) = step.weights;
            let node = Node {
                path: Cow::Borrowed(step.path),
                operation: step.operation,
                operands: Cow::Borrowed(part(&self.operands, step.operands)),
                shape: known(self.shapes[i]),
                degree: step.degree,
                weights: start..start + len,
            };
            mem::forget(mem::replace(&mut nodes[i], node));
            i += 1;
        }
        nodes
    }

    /// The weights of the specification.
    const fn weights(&self) -> [Weight; W] {
        const NONE: Weight = Weight {
            name: Cow::Borrowed(""),
            shape: Shape::new([]),
        };
        let (mut weights, mut node) = ([NONE; W], 0);
        while node < N {
            let (start, len) = self.steps[node].weights;
            let found = match len > 0 && self.weights[start].1.is_none() {
                true => self.view().weights(node),
                false => None,
            };
            let mut i = 0;
            while i < len {
                let (name, mut shape) = self.weights[start + i];
                if let Some(found) = &found
                    && i < found.as_slice().len()
                {
                    shape = Some(found.as_slice()[i].1);
                }
                let weight = Weight {
                    name: Cow::Borrowed(name),
                    shape: known(shape),
                };
                mem::forget(mem::replace(&mut weights[start + i], weight));
                i += 1;
            }
            node += 1;
        }
        weights
    }
}

/// The specification of a network with mistakes: it returns its input.
pub const fn placeholder(name: &'static str) -> NetworkSpec {
    const INPUTS: &[Input] = &[Input {
        name: Cow::Borrowed("input"),
        shape: Shape::new([1]),
    }];
    NetworkSpec {
        name: Cow::Borrowed(name),
        inputs: Cow::Borrowed(INPUTS),
        nodes: Cow::Borrowed(&[]),
        weights: Cow::Borrowed(&[]),
        output: Operand::Input(0),
    }
}

/// As many elements as the second number says, from the first on.
const fn part<T>(list: &[T], (start, len): (usize, usize)) -> &[T] {
    list.split_at(start).1.split_at(len).0
}

const fn known(shape: Option<Shape>) -> Shape {
    match shape {
        Some(shape) => shape,
        None => Shape::new([]),
    }
}

/// What `network!` writes of a network of `I` inputs, `N` nodes with `R` operands together, and `W` weights. `C` calls in
/// its source have sizes that only the compiler knows.
pub trait Written<const I: usize, const N: usize, const R: usize, const W: usize, const C: usize> {
    /// The sizes that only the compiler knows.
    const OPEN_SIZES: &'static [Integer] = &[];
    /// The calls that have them, each as [`Verdict::all`] describes it.
    const OPEN_CALLS: [&'static str; C];
    /// The network.
    const OUTLINE: &'static Outline<I, N, R, W>;

    /// What checks look at.
    const CHECKS: &'static Checks =
        &Checks::new(Self::OUTLINE.view(), Self::OPEN_SIZES, Self::VERDICTS);
    /// What is wrong with each call.
    const VERDICTS: &'static [Verdict; C] =
        &Verdict::all(&Self::OUTLINE.view(), Self::OPEN_SIZES, &Self::OPEN_CALLS);
    /// The specification.
    const SPEC: &'static NetworkSpec = &NetworkSpec {
        name: Cow::Borrowed(Self::OUTLINE.name),
        inputs: Cow::Borrowed(&Self::OUTLINE.inputs()),
        nodes: Cow::Borrowed(&Self::OUTLINE.nodes()),
        weights: Cow::Borrowed(&Self::OUTLINE.weights()),
        output: Self::OUTLINE.output,
    };
}

/// The specification. The compiler evaluates the constants that a constant names, but not those of a function that it
/// calls: so a network costs only those who use it.
pub const fn spec<
    T,
    const I: usize,
    const N: usize,
    const R: usize,
    const W: usize,
    const C: usize,
>() -> &'static NetworkSpec
where
    T: Written<I, N, R, W, C>,
{
    T::SPEC
}

impl Step {
    /// Whether [`Outline::with`] will tell what the rules say.
    const fn awaits_rules(&self) -> bool {
        self.sound && self.ruled.is_none() && matches!(self.operation, Operation::Custom(_))
    }

    /// What the rules say. `None` where another check says what is wrong.
    const fn result(&self, operands: &[Shape]) -> Option<Result<Shape, Fault>> {
        match (&self.operation, self.ruled) {
            _ if !self.sound => None,
            (Operation::Custom(_), None) => None,
            (Operation::Custom(_), Some(ruled)) => Some(ruled.output),
            (operation, _) => Some(operation.output(operands)),
        }
    }
}

impl View<'_> {
    /// The weights of a step by its rules.
    const fn weights(&self, node: usize) -> Option<Weights> {
        let step = &self.steps[node];
        let first = self.operands[step.operands.0];
        match (step.operation, self.shape_of(first), step.ruled) {
            (Operation::Layer(layer), Some(input), _) => Some(layer.weights(input)),
            (Operation::Custom(_), _, Some(ruled)) => Some(ruled.weights),
            _ => None,
        }
    }

    const fn shape_of(&self, operand: Operand) -> Option<Shape> {
        match operand {
            Operand::Input(i) => self.inputs[i].1,
            Operand::Node(i) => self.shapes[i],
        }
    }

    /// Whether the degree and the weights of a layer are those that the macro has found without its sizes.
    const fn is_as_foreseen(&self, node: usize) -> bool {
        let step = &self.steps[node];
        let Some(weights) = self.weights(node) else {
            return true;
        };
        let input = match self.operands[step.operands.0] {
            Operand::Input(_) => Some(Degree::ONE),
            Operand::Node(i) => self.steps[i].degree,
        };
        let (weights, names) = (weights.as_slice(), part(self.weights, step.weights));
        let mut i = 0;
        while i < weights.len()
            && i < names.len()
            && equal(line::without(step.path, names[i].0), weights[i].0)
        {
            i += 1;
        }
        let found = match input {
            Some(input) => match step.operation.degree(&[input]) {
                Ok(degree) => Some(degree),
                Err(_) => None,
            },
            None => None,
        };
        let degrees_agree = match (found, step.degree) {
            (Some(found), Some(foreseen)) => found.same(foreseen),
            (found, foreseen) => found.is_none() && foreseen.is_none(),
        };
        degrees_agree && i == weights.len() && i == names.len()
    }
}

/// The shape of these dimensions, or `None` where a check of its own says what is wrong with them.
pub const fn shape(dims: &[Integer]) -> Option<Shape> {
    if dims.len() > MAX_RANK {
        return None;
    }
    let (mut sizes, mut i) = ([1; MAX_RANK], 0);
    while i < dims.len() {
        if !dims[i].is_at_least(1) {
            return None;
        }
        sizes[i] = dims[i].size();
        i += 1;
    }
    match Shape::from_slice(sizes.split_at(i).0) {
        Some(shape) if shape.is_computable() => Some(shape),
        _ => None,
    }
}
