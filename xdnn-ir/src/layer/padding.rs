//! Margins: what surrounds a value, and what is cut off it. Linear, unless the margin is a constant other than 0.

use super::function::number;
use super::{IMAGE, LINE, VOLUME};
use crate::{Degree, Fault, Shape};

layer! {
    /// Surrounds a line with zeros: `[channels, length] → [channels, left + length + right]`. Keeps the degree.
    ZeroPad1d {
        /// `(left, right)`, or one number for all sides.
        padding: [usize; 2],
    }
}

layer! {
    /// Surrounds an image with zeros: `[channels, height, width] → [channels, height', width']`. Keeps the degree.
    ZeroPad2d {
        /// `(left, right, top, bottom)`, or one number for all sides.
        padding: [usize; 4],
    }
}

layer! {
    /// Surrounds a volume with zeros: `[channels, depth, height, width] → [channels, depth', height', width']`. Keeps
    /// the degree.
    ZeroPad3d {
        /// `(left, right, top, bottom, front, back)`, or one number for all sides.
        padding: [usize; 6],
    }
}

layer! {
    /// Surrounds a line with a constant: `[channels, length] → [channels, left + length + right]`. A constant has degree
    /// 0, so the input must have it too, unless the constant is 0.
    ConstantPad1d {
        /// `(left, right)`, or one number for all sides.
        padding: [usize; 2],
        /// The constant.
        value: f64,
    }
}

layer! {
    /// Surrounds an image with a constant: `[channels, height, width] → [channels, height', width']`. A constant has
    /// degree 0, so the input must have it too, unless the constant is 0.
    ConstantPad2d {
        /// `(left, right, top, bottom)`, or one number for all sides.
        padding: [usize; 4],
        /// The constant.
        value: f64,
    }
}

layer! {
    /// Surrounds a volume with a constant: `[channels, depth, height, width] → [channels, depth', height', width']`. A
    /// constant has degree 0, so the input must have it too, unless the constant is 0.
    ConstantPad3d {
        /// `(left, right, top, bottom, front, back)`, or one number for all sides.
        padding: [usize; 6],
        /// The constant.
        value: f64,
    }
}

layer! {
    /// Surrounds a line with its mirror images, the border itself not repeated: `[channels, length] → [channels, left +
    /// length + right]`. Keeps the degree.
    ReflectionPad1d {
        /// `(left, right)`, each less than the size of its axis; or one number for all sides.
        padding: [usize; 2],
    }
}

layer! {
    /// Surrounds an image with its mirror images, the border itself not repeated: `[channels, height, width] →
    /// [channels, height', width']`. Keeps the degree.
    ReflectionPad2d {
        /// `(left, right, top, bottom)`, each less than the size of its axis; or one number for all sides.
        padding: [usize; 4],
    }
}

layer! {
    /// Surrounds a line with copies of its border: `[channels, length] → [channels, left + length + right]`. Keeps the
    /// degree.
    ReplicationPad1d {
        /// `(left, right)`, or one number for all sides.
        padding: [usize; 2],
    }
}

layer! {
    /// Surrounds an image with copies of its border: `[channels, height, width] → [channels, height', width']`. Keeps
    /// the degree.
    ReplicationPad2d {
        /// `(left, right, top, bottom)`, or one number for all sides.
        padding: [usize; 4],
    }
}

layer! {
    /// Surrounds a line with what lies at the other end: `[channels, length] → [channels, left + length + right]`.
    /// Keeps the degree.
    CircularPad1d {
        /// `(left, right)`, each at most the size of its axis; or one number for all sides.
        padding: [usize; 2],
    }
}

layer! {
    /// Surrounds an image with what lies at the other end: `[channels, height, width] → [channels, height', width']`.
    /// Keeps the degree.
    CircularPad2d {
        /// `(left, right, top, bottom)`, each at most the size of its axis; or one number for all sides.
        padding: [usize; 4],
    }
}

layer! {
    /// Cuts the margins off a line: `[channels, length] → [channels, length − left − right]`. Keeps the degree.
    Crop1d {
        /// `(left, right)`, or one number for all sides.
        cropping: [usize; 2],
    }
}

layer! {
    /// Cuts the margins off an image: `[channels, height, width] → [channels, height', width']`. Keeps the degree.
    Crop2d {
        /// `(left, right, top, bottom)`, or one number for all sides.
        cropping: [usize; 4],
    }
}

keeps_degree!(
    ZeroPad1d,
    ZeroPad2d,
    ZeroPad3d,
    ReflectionPad1d,
    ReflectionPad2d,
    ReplicationPad1d,
    ReplicationPad2d,
    CircularPad1d,
    CircularPad2d,
    Crop1d,
    Crop2d
);
no_weights!(
    ZeroPad1d,
    ZeroPad2d,
    ZeroPad3d,
    ConstantPad1d,
    ConstantPad2d,
    ConstantPad3d,
    ReflectionPad1d,
    ReflectionPad2d,
    ReplicationPad1d,
    ReplicationPad2d,
    CircularPad1d,
    CircularPad2d,
    Crop1d,
    Crop2d
);

/// Gives layers with margins their shape rule: the margins, how they change an axis, and the form of the input.
macro_rules! margins {
    ($($name:ident: $field:ident, $resize:expr, $form:expr;)*) => {$(
        impl $name {
            /// The shape of the result.
            pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
                resized(input, &self.$field, $resize, $form)
            }
        }
    )*};
}

margins! {
    ZeroPad1d: padding, Margin::Any, LINE;
    ZeroPad2d: padding, Margin::Any, IMAGE;
    ZeroPad3d: padding, Margin::Any, VOLUME;
    ReplicationPad1d: padding, Margin::Any, LINE;
    ReplicationPad2d: padding, Margin::Any, IMAGE;
    ReflectionPad1d: padding, Margin::Mirror, LINE;
    ReflectionPad2d: padding, Margin::Mirror, IMAGE;
    CircularPad1d: padding, Margin::Wrap, LINE;
    CircularPad2d: padding, Margin::Wrap, IMAGE;
    Crop1d: cropping, Margin::Cut, LINE;
    Crop2d: cropping, Margin::Cut, IMAGE;
}

/// Gives layers that surround a value with a constant their rules.
macro_rules! constant_margins {
    ($($name:ident: $form:expr;)*) => {$(
        impl $name {
            /// The shape of the result.
            pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
                tri!(number("value", self.value, true));
                resized(input, &self.padding, Margin::Any, $form)
            }

            /// The degree of the result: that of the input, which must be 0 where the constant is not.
            pub const fn degree(&self, input: Degree) -> Result<Degree, Fault> {
                if self.value as f32 == 0.0 || input.same(Degree::ZERO) {
                    Ok(input)
                } else {
                    Err(Fault::NotHomogeneous { degree: input })
                }
            }
        }
    )*};
}

constant_margins! {
    ConstantPad1d: LINE;
    ConstantPad2d: IMAGE;
    ConstantPad3d: VOLUME;
}

/// What a margin is made of.
#[derive(Clone, Copy)]
enum Margin {
    /// Something of which there is enough for every size.
    Any,
    /// The mirror image, in which the border has no counterpart.
    Mirror,
    /// The other end.
    Wrap,
    /// Nothing: it is cut off.
    Cut,
}

/// `margins` counts pairs of sides from the last axis to the first.
const fn resized(
    input: Shape,
    margins: &[usize],
    margin: Margin,
    form: &'static str,
) -> Result<Shape, Fault> {
    if input.rank() != margins.len() / 2 + 1 {
        return Err(Fault::Rank {
            expected: form,
            found: input,
        });
    }
    let (mut output, mut i) = (input, 0);
    while i < margins.len() / 2 {
        let axis = input.rank() - 1 - i;
        let (before, after) = (margins[2 * i], margins[2 * i + 1]);
        let size = tri!(margin.resize(input.dim(axis), before, after));
        output = output.with_dim(axis, size);
        i += 1;
    }
    Ok(output)
}

impl Margin {
    const fn resize(self, size: usize, before: usize, after: usize) -> Result<usize, Fault> {
        let most = if before > after { before } else { after };
        let (name, expected) = match self {
            Self::Mirror if most >= size => (
                "padding",
                "less than the size of the input: a mirror image has no more than that, the border aside",
            ),
            Self::Wrap if most > size => (
                "padding",
                "at most the size of the input: there is no more to repeat",
            ),
            Self::Cut if before.saturating_add(after) >= size => (
                "cropping",
                "less than the size of the input: something must be left",
            ),
            Self::Cut => return Ok(size - before - after),
            _ => return Ok(size.saturating_add(before).saturating_add(after)),
        };
        Err(Fault::Argument { name, expected })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margins_are_limited_by_what_they_are_made_of() {
        let input = Shape::new([2, 3, 5]);
        let reflected = |padding| ReflectionPad2d { padding }.output(input);
        assert_eq!(reflected([4, 0, 2, 1]), Ok(Shape::new([2, 6, 9])));
        assert!(reflected([5, 0, 0, 0]).is_err() && reflected([0, 0, 0, 3]).is_err());
        let circular = |padding| CircularPad2d { padding }.output(input);
        assert_eq!(circular([5, 0, 0, 3]), Ok(Shape::new([2, 6, 10])));
        assert!(circular([0, 6, 0, 0]).is_err() && circular([0, 0, 4, 0]).is_err());
        let replicated = |padding| ReplicationPad2d { padding }.output(input);
        assert_eq!(replicated([9, 0, 0, 9]), Ok(Shape::new([2, 12, 14])));
        let cropped = |cropping| Crop2d { cropping }.output(input);
        assert_eq!(cropped([1, 3, 0, 2]), Ok(Shape::new([2, 1, 1])));
        assert_eq!(
            cropped([2, 3, 0, 0]).unwrap_err().argument(),
            Some("cropping")
        );
    }
}
