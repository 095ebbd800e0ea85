//! What a rule's refusal says.

use std::fmt;

use super::Message;
use crate::window::MAX_POOL;
use crate::{Fault, Shape};

impl Fault {
    /// The message about the layer or combination of this name.
    pub fn message(&self, name: &str) -> Message {
        match *self {
            Self::Rank { expected, found } => rank(name, expected, found),
            Self::Argument { name: argument, expected } => Message::new(format!("`{argument}` of `{name}` must be {expected}")),
            Self::KernelTooLarge { kernel, input, padding } => {
                let missing = kernel.saturating_sub(input).div_ceil(2);
                Message::new(format!("the kernel of `{name}` is larger than its padded input: {kernel} against {input} + 2*{padding}"))
                    .note("the kernel must fit into its input at least once (with dilation, its whole extent counts)")
                    .help(format!("use a smaller kernel, `padding = {missing}`, or less downsampling before it"))
            }
            Self::PaddingTooLarge { padding, kernel } => {
                Message::new(format!("the padding of `{name}` is more than half of its kernel: {padding} against {kernel} / 2"))
                    .note("a window could hold nothing but padding, and would have no value")
                    .help(format!("use at most `padding = {}`", kernel / 2))
            }
            Self::EmptyWindow { dilation, input, padding } => {
                Message::new(format!("a window of `{name}` holds nothing but padding: its elements are {dilation} apart, its input is {input} + 2*{padding}"))
                    .note("a window of padding alone has no value")
                    .help(format!("use at most `dilation = {input}`, or no padding"))
            }
            Self::Indivisible { argument, what, size, divisor } => {
                Message::new(format!("`{name}` cannot divide {size} {what} by {divisor}"))
                    .note(match argument {
                        "upscale_factor" => format!("the square of `{argument}` must divide the number of {what}"),
                        _ => format!("`{argument}` must divide the number of {what}"),
                    })
                    .help(format!("the next number of {what} that {divisor} divides is {}", size.div_ceil(divisor.max(1)).saturating_mul(divisor)))
            }
            Self::Channels { argument, channels, found } => {
                Message::new(format!("`{name}` has {found} parameters, but its input has {channels} channels"))
                    .help(format!("write `{argument} = {channels}` for one parameter a channel, or `{argument} = 1` for a single one"))
            }
            Self::Elements { from, to } => {
                let (before, after) = (from.elements(), to.elements());
                Message::new(format!("`{name}` cannot turn {from} into {to}"))
                    .note(format!("it keeps the elements, and {from} has {before}, but {to} has {after}"))
                    .help(format!("write dimensions whose product is {before}"))
            }
            Self::TooLarge if name.contains("Pool") => {
                Message::new(format!("the window or the result of `{name}` is too large"))
                    .note(format!("the window of a pool has at most 2^{} elements, and a value fits into memory with its padding", MAX_POOL.ilog2()))
            }
            Self::TooLarge => {
                Message::new(format!("the result or the weights of `{name}` are too large"))
                    .note("a value has at most 5 dimensions, and fits into memory with its padding")
            }
            Self::NoOperands => Message::new(format!("`{name}` has nothing to combine")).help(format!("name the flows: `{name}(a, b)`")),
            Self::ShapesDiffer { first, other, .. } if name == "concat" => {
                Message::new(format!("`concat` cannot put {first} and {other} together"))
                    .note("operands are put together along their first dimension; all others must agree")
            }
            Self::ShapesDiffer { first, other, .. } => {
                Message::new(format!("`{name}` needs equal shapes, but reads {first} and {other}"))
                    .note("it works element by element")
                    .help("make the flows end with the same shape, or put them together with `concat`")
            }
            Self::DegreesDiffer { first, other, .. } => {
                Message::new(format!("`{name}` mixes the degrees {first} and {other}: its result is not homogeneous"))
                    .note(format!("scaling the input by a > 0 scales one operand by a^{first} and another by a^{other}, so that no factor comes out of `{name}`"))
                    .help("give all operands the same degree (`product` adds degrees), or combine them with `product`")
            }
            Self::DegreeTooLarge => Message::new(format!("the degree of the result of `{name}` is too large to compute with")),
        }
    }
}

fn rank(name: &str, expected: &str, found: Shape) -> Message {
    let message = Message::new(format!("`{name}` reads {expected}, but gets {found}"));
    if expected.starts_with("[features]") {
        let features = found.elements();
        message.help(format!(
            "put `Flatten` in front: `Flatten -> {name}(…)` then reads {features} features"
        ))
    } else if found.rank() == 1 {
        let dims = expected
            .trim_start_matches('[')
            .split(']')
            .next()
            .unwrap_or_default();
        message.help(format!("give the features the form of {expected} again, with `Reshape({dims})`, or do not flatten them before"))
    } else {
        message
    }
}

/// The headline of the message, in lower case.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message("the operation").headline)
    }
}

impl std::error::Error for Fault {}
