//! What a rule's refusal says.

use std::fmt;

use super::text::Part::{Degree, Number, Shape, Str};
use super::text::{contains, equal, starts_with, text};
use super::{Explanation, Message, refusals, residual};
use crate::Fault;
use crate::window::MAX_POOL;

impl Fault {
    /// The message about the layer or combination of this name.
    pub fn message(&self, name: &str) -> Message {
        self.explain(name).into()
    }

    /// The message about the layer or combination of this name, for const evaluation. The two paths of a `residual` are
    /// called that, and `residual … skip` where both are written out.
    pub const fn explain(&self, name: &str) -> Explanation {
        if equal(name, "residual") {
            return residual::explain(self, false);
        }
        if equal(name, "residual … skip") {
            return residual::explain(self, true);
        }
        match *self {
            Self::Rank { expected, found } => rank(name, expected, found),
            Self::Argument { name: argument, expected } | Self::Misfit { name: argument, expected } => {
                Explanation::new(text("`{}` of `{}` must be {}", &[Str(argument), Str(name), Str(expected)]))
            }
            Self::KernelTooLarge { kernel, input, padding } => {
                let missing = kernel.saturating_sub(input).div_ceil(2);
                Explanation::new(text("the kernel of `{}` is larger than its padded input: {} against {} + 2*{}", &[Str(name), Number(kernel), Number(input), Number(padding)]))
                    .note(text("the kernel must fit into its input at least once (with dilation, its whole extent counts)", &[]))
                    .help(text("use a smaller kernel, `padding = {}`, or less downsampling before it", &[Number(missing)]))
            }
            Self::PaddingTooLarge { padding, kernel } => {
                Explanation::new(text("the padding of `{}` is more than half of its kernel: {} against {} / 2", &[Str(name), Number(padding), Number(kernel)]))
                    .note(text("a window could hold nothing but padding, and would have no value", &[]))
                    .help(text("use at most `padding = {}`", &[Number(kernel / 2)]))
            }
            Self::EmptyWindow { dilation, input, padding } => {
                Explanation::new(text("a window of `{}` holds nothing but padding: its elements are {} apart, its input is {} + 2*{}", &[Str(name), Number(dilation), Number(input), Number(padding)]))
                    .note(text("a window of padding alone has no value", &[]))
                    .help(text("use at most `dilation = {}`, or no padding", &[Number(input)]))
            }
            Self::Indivisible { argument, what, size, divisor } => {
                let square = if equal(argument, "upscale_factor") { "the square of " } else { "" };
                let next = size.div_ceil(if divisor == 0 { 1 } else { divisor }).saturating_mul(divisor);
                Explanation::new(text("`{}` cannot divide {} {} by {}", &[Str(name), Number(size), Str(what), Number(divisor)]))
                    .note(text("{}`{}` must divide the number of {}", &[Str(square), Str(argument), Str(what)]))
                    .help(text("the next number of {} that {} divides is {}", &[Str(what), Number(divisor), Number(next)]))
            }
            Self::Channels { argument, channels, found } => {
                Explanation::new(text("`{}` has {} parameters, but its input has {} channels", &[Str(name), Number(found), Number(channels)]))
                    .help(text("write `{} = {}` for one parameter a channel, or `{} = 1` for a single one", &[Str(argument), Number(channels), Str(argument)]))
            }
            Self::Elements { from, to } => {
                let (before, after) = (Number(from.elements()), Number(to.elements()));
                Explanation::new(text("`{}` cannot turn {} into {}", &[Str(name), Shape(from), Shape(to)]))
                    .note(text("it keeps the elements, and {} has {}, but {} has {}", &[Shape(from), before, Shape(to), after]))
                    .help(text("write dimensions whose product is {}", &[before]))
            }
            Self::TooLarge if contains(name, "Pool") => {
                Explanation::new(text("the window or the result of `{}` is too large", &[Str(name)]))
                    .note(text("the window of a pool has at most 2^{} elements, and a value fits into memory with its padding", &[Number(MAX_POOL.ilog2() as usize)]))
            }
            Self::TooLarge => {
                Explanation::new(text("the result or the weights of `{}` are too large", &[Str(name)]))
                    .note(text("a value has at most 5 dimensions, and fits into memory with its padding", &[]))
            }
            Self::NoOperands => {
                Explanation::new(text("`{}` has nothing to combine", &[Str(name)]))
                    .help(text("name the flows: `{}(a, b)`", &[Str(name)]))
            }
            Self::TooLong { steps, most } => {
                Explanation::new(text("`{}` takes at most {} steps, but its input has {}", &[Str(name), Number(most), Number(steps)]))
                    .note(text("the recurrence is unrolled: every step becomes operators of its own", &[]))
                    .help(text("shorten the sequence before, or run it through the network in pieces", &[]))
            }
            Self::Operands { expected, found } => {
                Explanation::new(text("`{}` takes {} operands, but gets {}", &[Str(name), Number(expected), Number(found)]))
                    .help(text("name the flows: `{}(a, b)`", &[Str(name)]))
            }
            Self::ShapesDiffer { first, other, .. } if equal(name, "matmul") => {
                Explanation::new(text("`matmul` cannot multiply {} by {}", &[Shape(first), Shape(other)]))
                    .note(text("it multiplies matrices, [n, k] by [k, m], or stacks of as many of them", &[]))
            }
            Self::ShapesDiffer { first, other, .. } if equal(name, "unpool") => {
                Explanation::new(text("`unpool` cannot spread {} over {}", &[Shape(first), Shape(other)]))
                    .note(text("each value of the first operand goes into a window of the second: both have as many channels, and every other size of the second is a multiple of that of the first", &[]))
                    .help(text("give it what the pool has read: `let wide = …; let narrow = wide -> MaxPool2d(2); unpool(narrow, wide)`", &[]))
            }
            Self::ShapesDiffer { first, other, .. } if equal(name, "concat") => {
                Explanation::new(text("`concat` cannot put {} and {} together", &[Shape(first), Shape(other)]))
                    .note(text("operands are put together along their first dimension; all others must agree", &[]))
            }
            Self::ShapesDiffer { first, other, .. } => {
                Explanation::new(text("`{}` needs equal shapes, but reads {} and {}", &[Str(name), Shape(first), Shape(other)]))
                    .note(text("it works element by element", &[]))
                    .help(text("make the flows end with the same shape, or put them together with `concat`", &[]))
            }
            Self::DegreesDiffer { first, other, .. } => {
                Explanation::new(text("`{}` mixes the degrees {} and {}: its result is not homogeneous", &[Str(name), Degree(first), Degree(other)]))
                    .note(text("scaling the input by a > 0 scales one operand by a^{} and another by a^{}, so that no factor comes out of `{}`", &[Degree(first), Degree(other), Str(name)]))
                    .help(text("give all operands the same degree (`product` adds degrees), or combine them with `product`", &[]))
            }
            Self::NotHomogeneous { .. } => not_homogeneous(name),
            Self::Epsilon { degree } => {
                Explanation::new(text("`{}` with an `eps` is not nonnegatively homogeneous", &[Str(name)]))
                    .note(text("scaling the input by a > 0 scales what the norm is made of by powers of a^{}, but not the constant beside it", &[Degree(degree)]))
                    .help(text("leave `eps` out: 0/0 counts as 0, and the derivative at 0 is 0", &[]))
            }
            Self::Bias { .. } => {
                Explanation::new(text("`{}` cannot have a bias", &[Str(name)]))
                    .note(text("W(a*x) + b = a*(W(x) + b) for all a > 0 only if b = 0", &[]))
                    .help(text("remove `bias`; to compare with a network that has biases, declare that one `#[regular]`", &[]))
            }
            Self::Custom => Explanation::new(text("only the crate that defines `{}` knows the shape of its result", &[Str(name)])),
            Self::DegreeTooLarge => Explanation::new(text("the degree of the result of `{}` is too large to compute with", &[Str(name)])),
        }
    }
}

/// What is said of a layer that has no degree.
const fn not_homogeneous(name: &str) -> Explanation {
    let explanation = Explanation::new(text("`{}` is not nonnegatively homogeneous", &[Str(name)]));
    match refusals::of_layer(name) {
        Some(refusal) => explanation
            .note(refusal.reason(name))
            .help(refusal.remedy(Some(name))),
        None => explanation,
    }
}

const fn rank(name: &str, expected: &str, found: crate::Shape) -> Explanation {
    let message = Explanation::new(text(
        "`{}` reads {}, but gets {}",
        &[Str(name), Str(expected), Shape(found)],
    ));
    if starts_with(expected, "[features]") {
        message.help(text(
            "put `Flatten` in front: `Flatten -> {}(…)` then reads {} features",
            &[Str(name), Number(found.elements())],
        ))
    } else if found.rank() == 1 {
        message.help(text(
            "give the features the form of {} again, with `Reshape({})`, or do not flatten them before",
            &[Str(expected), Str(first_dims(expected))],
        ))
    } else {
        message
    }
}

/// `channels, length` of `[channels, length] or …`.
const fn first_dims(expected: &str) -> &str {
    let mut end = 1;
    while end < expected.len() && expected.as_bytes()[end] != b']' {
        end += 1;
    }
    if starts_with(expected, "[") {
        expected.split_at(end).0.split_at(1).1
    } else {
        expected
    }
}

/// The headline of the message, in lower case.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.explain("the operation").headline.as_str())
    }
}

impl std::error::Error for Fault {}
