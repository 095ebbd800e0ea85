//! The windows of convolutions and pools: sizes, steps, and `auto_pad` made explicit.

use xdnn_ir::{Argument, Layer, Shape};

use super::operator::Operator;
use super::skip::Skip;

/// A window over spatial axes, with as much padding at the beginning and at the end as there is.
pub struct Window {
    pub kernel: Vec<usize>,
    pub stride: Vec<usize>,
    pub dilation: Vec<usize>,
    pub begin: Vec<usize>,
    pub end: Vec<usize>,
}

impl Window {
    /// The window of an operator. `kernel` is that of the weight; pools have the attribute only. `size` is that of the
    /// input.
    pub fn of(op: Operator<'_>, size: &[usize], kernel: Option<&[usize]>) -> Result<Self, Skip> {
        let axes = size.len();
        if !(1..=3).contains(&axes) {
            return Err(no_layer(axes));
        }
        let kernel = match kernel {
            Some(kernel) => kernel.to_vec(),
            None => op.sizes("kernel_shape", axes, 0)?,
        };
        let mut window = Self {
            kernel,
            // Not the kernel, as our pools have it.
            stride: op.sizes("strides", axes, 1)?,
            dilation: op.sizes("dilations", axes, 1)?,
            begin: vec![0; axes],
            end: vec![0; axes],
        };
        let upper = match op.text("auto_pad", "NOTSET")? {
            "NOTSET" => {
                let pads = op.sizes("pads", 2 * axes, 0)?;
                let (begin, end) = pads.split_at(axes);
                (window.begin, window.end) = (begin.to_vec(), end.to_vec());
                return Ok(window);
            }
            "VALID" => return Ok(window),
            "SAME_UPPER" => true,
            "SAME_LOWER" => false,
            other => return Err(Skip::new(format!("`auto_pad = {other}`"))),
        };
        for (axis, size) in size.iter().enumerate() {
            let (stride, extent) = (window.stride[axis].max(1), window.extent(axis));
            (window.begin[axis], window.end[axis]) = same(*size, stride, extent, upper);
        }
        Ok(window)
    }

    fn extent(&self, axis: usize) -> usize {
        self.kernel[axis].saturating_sub(1) * self.dilation[axis] + 1
    }

    pub fn is_symmetric(&self) -> bool {
        self.begin == self.end
    }

    /// The padding of a window that has as much on both sides, wherever this one has less, and how many of its
    /// positions come before the first of this one.
    pub fn symmetric(&self) -> Result<(Vec<usize>, Vec<usize>), Skip> {
        let (mut padding, mut offset) = (Vec::new(), Vec::new());
        for (axis, (begin, end)) in self.begin.iter().zip(&self.end).enumerate() {
            let most = *begin.max(end);
            let (before, stride) = (most - begin, self.stride[axis].max(1));
            if before % stride != 0 {
                return Err(Skip::new(
                    "padding whose beginning and end differ by no multiple of the stride",
                ));
            }
            padding.push(most);
            offset.push(before / stride);
        }
        Ok((padding, offset))
    }
}

/// The padding at the beginning and the end for which the output has `⌈size / stride⌉` positions; the odd one goes to
/// the end for `upper`, to the beginning otherwise.
fn same(size: usize, stride: usize, extent: usize, upper: bool) -> (usize, usize) {
    let positions = size.div_ceil(stride);
    let needed = positions.saturating_sub(1) * stride + extent;
    let total = needed.saturating_sub(size);
    let (less, more) = (total / 2, total.div_ceil(2));
    if upper { (less, more) } else { (more, less) }
}

/// The layer of so many axes, such as `MaxPool2d` for `MaxPool`, from its arguments by name.
pub fn layer(name: &str, axes: usize, arguments: &[(&str, Argument)]) -> Result<Layer, Skip> {
    let name = format!("{name}{axes}d");
    let mut signatures = Layer::SIGNATURES.iter();
    let signature = signatures
        .find(|signature| signature.name == name)
        .ok_or_else(|| no_layer(axes))?;
    let given = signature.parameters.iter().map(|parameter| {
        let mut arguments = arguments.iter();
        let named = arguments.find(|(name, _)| *name == parameter.name);
        named.map(|(_, argument)| *argument)
    });
    let given: Vec<_> = given.collect();
    Layer::from_arguments(&name, &given).ok_or_else(|| {
        Skip::new("another number of spatial dimensions than the input has").detail(name)
    })
}

/// Sizes along the axes: one number in 1-d, a list otherwise.
pub fn sizes(values: &[usize]) -> Result<Argument, Skip> {
    match values {
        [value] => Ok(Argument::Int(*value)),
        values => list(values),
    }
}

/// Margins around a value, as layers count them: from the last axis to the first, both sides of each.
pub fn margins(begin: &[usize], end: &[usize]) -> Result<Argument, Skip> {
    let pairs = begin.iter().zip(end).rev();
    let margins: Vec<usize> = pairs.flat_map(|(begin, end)| [*begin, *end]).collect();
    list(&margins)
}

fn list(values: &[usize]) -> Result<Argument, Skip> {
    let shape = Shape::from_slice(values).ok_or_else(|| no_layer(values.len()))?;
    Ok(Argument::Ints(shape))
}

fn no_layer(axes: usize) -> Skip {
    Skip::new(format!("no layer for windows in {axes} dimensions"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_keeps_the_size_up_to_the_stride() {
        // 5 / 2 → 3 positions, which reach over (3 − 1)·2 + 3 = 7: one more on each side.
        assert_eq!(same(5, 2, 3, true), (1, 1));
        assert_eq!(same(5, 2, 3, false), (1, 1));
        assert_eq!(same(32, 1, 3, true), (1, 1));
    }

    #[test]
    fn the_odd_one_goes_to_the_named_end() {
        assert_eq!(same(32, 1, 2, true), (0, 1));
        assert_eq!(same(32, 1, 2, false), (1, 0));
        assert_eq!(same(4, 1, 4, true), (1, 2));
    }

    #[test]
    fn dilation_counts_through_the_extent() {
        // A kernel of 3 with dilation 2 reaches over 5.
        assert_eq!(same(8, 1, 5, true), (2, 2));
    }

    #[test]
    fn a_stride_beyond_the_kernel_needs_no_padding() {
        assert_eq!(same(6, 3, 2, true), (0, 0));
        assert_eq!(same(4, 4, 1, false), (0, 0));
    }

    fn window(begin: &[usize], end: &[usize], stride: usize) -> Window {
        Window {
            kernel: vec![2; begin.len()],
            stride: vec![stride; begin.len()],
            dilation: vec![1; begin.len()],
            begin: begin.to_vec(),
            end: end.to_vec(),
        }
    }

    #[test]
    fn missing_padding_at_the_beginning_shifts_the_output() {
        let of = |begin, end, stride| window(&[begin], &[end], stride).symmetric();
        assert_eq!(of(1, 1, 2), Ok((vec![1], vec![0])));
        assert_eq!(of(1, 0, 1), Ok((vec![1], vec![0])));
        assert_eq!(of(0, 1, 1), Ok((vec![1], vec![1])));
        assert_eq!(of(0, 2, 2), Ok((vec![2], vec![1])));
        assert!(of(0, 1, 2).is_err());
    }
}
