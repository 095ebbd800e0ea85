//! Networks whose sizes only the compiler knows: constants of the user's crate, and const generics.
//!
//! The macro knows the nodes of such a network, their degrees and the names of their weights, but not their shapes. It
//! writes an [`Outline`], with calculations ([`Integer`]) in place of the sizes, and one check for each thing that could
//! be wrong, at the place in the source that would be to blame. Const evaluation fills in the shapes by the rules of
//! this crate. A check that fails panics with the words that the macro itself would have used.

mod integer;
mod recovery;

use std::borrow::Cow;
use std::ops::Range;

pub use crate::custom::{Custom, Ruled, Scalar, Scalars};
pub use integer::{Constant, Integer};
pub use recovery::plausible;

use crate::layer::Weights;
use crate::message::text::{Part, equal, text};
use crate::message::{Explanation, output};
use crate::{
    Combine, Degree, Fault, Function, Input, Layer, Node, Operand, Operation, Shape, Weight,
};

/// A node, but for the shape of its result.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What it computes.
    operation: Operation,
    /// Whether all arguments are sizes; where they are not, a check of its own says so.
    sound: bool,
    /// What it reads: inputs and earlier steps.
    operands: &'static [Operand],
    /// The degree that the macro has found.
    degree: Option<Degree>,
    /// The names of its weights that the macro has found.
    weights: &'static [&'static str],
    /// What the rules of a layer of another crate say, where its input is known.
    ruled: Option<Ruled>,
}

/// A layer. `sound` says whether all arguments are sizes.
pub const fn layer(
    (layer, sound): (Layer, bool),
    operands: &'static [Operand],
    degree: Option<Degree>,
    weights: &'static [&'static str],
) -> Step {
    Step {
        operation: Operation::Layer(layer),
        sound,
        operands,
        degree,
        weights,
        ruled: None,
    }
}

/// A layer of another crate. `sound` says whether all arguments are sizes.
pub const fn custom(
    custom: Custom,
    sound: bool,
    operands: &'static [Operand],
    degree: Option<Degree>,
    weights: &'static [&'static str],
) -> Step {
    Step {
        operation: Operation::Custom(custom),
        sound,
        operands,
        degree,
        weights,
        ruled: None,
    }
}

/// A combination.
pub const fn combine(
    combine: Combine,
    operands: &'static [Operand],
    degree: Option<Degree>,
) -> Step {
    Step {
        operation: Operation::Combine(combine),
        sound: true,
        operands,
        degree,
        weights: &[],
        ruled: None,
    }
}

/// A function of the user.
pub const fn function(
    function: Function,
    operands: &'static [Operand],
    degree: Option<Degree>,
) -> Step {
    Step {
        operation: Operation::Function(function),
        sound: true,
        operands,
        degree,
        weights: &[],
        ruled: None,
    }
}

// The checks are functions, not methods: a call that starts with a path has the place of its first token.

/// A network of `I` inputs and `N` nodes, of which each reads `W` values at most. Where a shape is not known, a check
/// says why.
#[derive(Clone, Copy, Debug)]
pub struct Outline<const I: usize, const N: usize, const W: usize> {
    inputs: [Option<Shape>; I],
    steps: [Step; N],
    shapes: [Option<Shape>; N],
    /// What the rules say about each step. `None` where another check says what is wrong.
    results: [Option<Result<Shape, Fault>>; N],
}

/// An outline without its lengths: checks that are generic take the compiler several times as long.
#[derive(Clone, Copy, Debug)]
pub struct View<'o> {
    inputs: &'o [Option<Shape>],
    steps: &'o [Step],
    shapes: &'o [Option<Shape>],
    results: &'o [Option<Result<Shape, Fault>>],
}

impl<const I: usize, const N: usize, const W: usize> Outline<I, N, W> {
    /// The outline of a network. Nothing of it panics.
    pub const fn new(inputs: [Option<Shape>; I], steps: [Step; N]) -> Self {
        let outline = Self {
            inputs,
            steps,
            shapes: [None; N],
            results: [None; N],
        };
        outline.from(0)
    }

    /// The outline with the shapes of this node and of all behind it.
    const fn from(mut self, node: usize) -> Self {
        let mut i = node;
        while i < N {
            if let Some(operands) = self.operands(i) {
                let operands = operands.split_at(self.steps[i].operands.len()).0;
                self.results[i] = self.steps[i].result(operands);
                self.shapes[i] = match self.results[i] {
                    Some(Ok(shape)) => Some(shape),
                    Some(Err(fault)) => plausible(&self.steps[i].operation, operands, &fault),
                    None => None,
                };
            }
            i += 1;
        }
        self
    }

    /// The shapes that a step reads, and 1s behind them.
    const fn operands(&self, node: usize) -> Option<[Shape; W]> {
        let (operands, mut shapes, mut i) = (self.steps[node].operands, [Shape::new([]); W], 0);
        while i < operands.len() {
            match self.view().shape_of(operands[i]) {
                Some(shape) => shapes[i] = shape,
                None => return None,
            }
            i += 1;
        }
        Some(shapes)
    }

    /// The shape that a layer of another crate reads. `None` where another check says what is wrong.
    pub const fn read(&self, node: usize) -> Option<Shape> {
        match self.operands(node) {
            Some(shapes) if self.steps[node].sound => Some(shapes[0]),
            _ => None,
        }
    }

    /// The outline with what the rules of a layer of another crate say.
    #[must_use]
    pub const fn with(mut self, node: usize, ruled: Ruled) -> Self {
        self.steps[node].ruled = Some(ruled);
        self.from(node)
    }

    /// What checks and the specification look at.
    pub const fn view(&self) -> View<'_> {
        View {
            inputs: &self.inputs,
            steps: &self.steps,
            shapes: &self.shapes,
            results: &self.results,
        }
    }
}

impl Step {
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
    /// An input of the specification. What is not known has no dimensions.
    pub const fn input(&self, i: usize, name: &'static str) -> Input {
        Input {
            name: Cow::Borrowed(name),
            shape: known(self.inputs[i]),
        }
    }

    /// A node of the specification.
    pub const fn node(&self, i: usize, path: &'static str, weights: Range<usize>) -> Node {
        let step = &self.steps[i];
        Node {
            path: Cow::Borrowed(path),
            operation: step.operation,
            operands: Cow::Borrowed(step.operands),
            shape: known(self.shapes[i]),
            degree: step.degree,
            weights,
        }
    }

    /// Weight `i` of a node.
    pub const fn weight(&self, node: usize, i: usize, name: &'static str) -> Weight {
        let shape = match self.weights(node) {
            Some(weights) if i < weights.as_slice().len() => Some(weights.as_slice()[i].1),
            _ => None,
        };
        Weight {
            name: Cow::Borrowed(name),
            shape: known(shape),
        }
    }

    /// The weights of a step by its rules.
    const fn weights(&self, node: usize) -> Option<Weights> {
        let step = &self.steps[node];
        match (step.operation, self.shape_of(step.operands[0]), step.ruled) {
            (Operation::Layer(layer), Some(input), _) => Some(layer.weights(input)),
            (Operation::Custom(_), _, Some(ruled)) => Some(ruled.weights),
            _ => None,
        }
    }

    const fn shape_of(&self, operand: Operand) -> Option<Shape> {
        match operand {
            Operand::Input(i) => self.inputs[i],
            Operand::Node(i) => self.shapes[i],
        }
    }

    /// Whether the degree and the weights of a layer are those that the macro has found without its sizes.
    const fn is_as_foreseen(&self, node: usize) -> bool {
        let step = &self.steps[node];
        let Some(weights) = self.weights(node) else {
            return true;
        };
        let input = match step.operands[0] {
            Operand::Input(_) => Some(Degree::ONE),
            Operand::Node(i) => self.steps[i].degree,
        };
        let (weights, mut i) = (weights.as_slice(), 0);
        while i < weights.len() && i < step.weights.len() && equal(weights[i].0, step.weights[i]) {
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
        degrees_agree && i == weights.len() && i == step.weights.len()
    }
}

const fn known(shape: Option<Shape>) -> Shape {
    match shape {
        Some(shape) => shape,
        None => Shape::new([]),
    }
}

/// The shape of these dimensions, or `None` where a check of its own says what is wrong with them.
pub const fn shape<const RANK: usize>(dims: [Integer; RANK]) -> Option<Shape> {
    let (mut sizes, mut i) = ([1; RANK], 0);
    while i < RANK {
        if !dims[i].is_at_least(1) {
            return None;
        }
        sizes[i] = dims[i].size();
        i += 1;
    }
    match Shape::from_slice(&sizes) {
        Some(shape) if shape.is_computable() => Some(shape),
        _ => None,
    }
}

/// Panics unless `size` is at least `least`, which is 0 or 1.
#[track_caller]
pub const fn check_size(size: Integer, least: usize, chain: &str) {
    if let Some(explanation) = size.trouble(least) {
        refuse(&explanation, chain);
    }
}

/// Panics if these dimensions are too large for a value.
#[track_caller]
pub const fn check_shape<const RANK: usize>(dims: [Integer; RANK]) {
    let mut i = 0;
    while i < RANK {
        if !dims[i].is_at_least(1) {
            return;
        }
        i += 1;
    }
    if shape(dims).is_none() {
        refuse(&output::too_large(), "");
    }
}

/// What is wrong with the steps that a call makes, if anything is.
#[derive(Clone, Copy, Debug)]
pub struct Verdict<'c> {
    trouble: Option<Trouble>,
    /// The part of the call to blame: its arguments are counted first, and its operands but the first one behind them.
    part: Option<usize>,
    /// What messages call it.
    name: &'c str,
    /// The calls of blocks that led to it.
    chain: &'c str,
}

#[derive(Clone, Copy, Debug)]
enum Trouble {
    Refused(Fault),
    /// The degree or the weights are others than the macro has found.
    Unforeseen,
}

/// What is wrong with the first of these steps with which something is. The call has `arguments` in the source.
pub const fn check<'c>(
    outline: &View<'_>,
    nodes: &[usize],
    arguments: &[&str],
    name: &'c str,
    chain: &'c str,
) -> Verdict<'c> {
    let (mut trouble, mut part, mut i) = (None, None, 0);
    while i < nodes.len() && trouble.is_none() {
        match outline.results[nodes[i]] {
            Some(Err(fault)) => {
                part = guilty(arguments, &fault);
                trouble = Some(Trouble::Refused(fault));
            }
            Some(Ok(_)) if !outline.is_as_foreseen(nodes[i]) => trouble = Some(Trouble::Unforeseen),
            _ => {}
        }
        i += 1;
    }
    Verdict {
        trouble,
        part,
        name,
        chain,
    }
}

const fn guilty(arguments: &[&str], fault: &Fault) -> Option<usize> {
    if let Some(guilty) = fault.argument() {
        let mut i = 0;
        while i < arguments.len() {
            if equal(arguments[i], guilty) {
                return Some(i);
            }
            i += 1;
        }
    }
    match fault.operand() {
        Some(operand) if operand > 0 => Some(arguments.len() + operand - 1),
        _ => None,
    }
}

/// Panics if this part of a call is to blame.
#[track_caller]
pub const fn blame(verdict: &Verdict<'_>, part: usize) {
    if matches!(verdict.part, Some(guilty) if guilty == part) {
        accept(verdict);
    }
}

/// Panics if anything is wrong with a call.
#[track_caller]
pub const fn accept(verdict: &Verdict<'_>) {
    let explanation = match verdict.trouble {
        Some(Trouble::Refused(fault)) => fault.explain(verdict.name),
        Some(Trouble::Unforeseen) => {
            let headline = "the degree or the weights of `{}` depend on a constant";
            Explanation::new(text(headline, &[Part::Str(verdict.name)]))
                .note(text("the macro must know both, and does not know the constants of your crate", &[]))
                .help(text("write the number, or declare it inside of the network: `const NAME: usize = …;`", &[]))
        }
        None => return,
    };
    refuse(&explanation, verdict.chain);
}

/// Panics if the network returns another shape than it declares.
#[track_caller]
pub const fn check_output(
    outline: &View<'_>,
    name: &str,
    output: Operand,
    declared: Option<Shape>,
) {
    if let (Some(declared), Some(found)) = (declared, outline.shape_of(output))
        && !declared.same(&found)
    {
        refuse(&output::explain(name, declared, found), "");
    }
}

/// Panics with a message in the form of the macro's.
#[track_caller]
#[allow(clippy::panic)]
const fn refuse(explanation: &Explanation, chain: &str) -> ! {
    panic!("{}", explanation.in_full(chain).as_str())
}
