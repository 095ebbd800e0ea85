//! Sliding windows over volumes: which input each tap of each window reads.

use std::fmt;
use std::ops::Range;

/// The windows whose element at one tap is no padding, along one axis: `first..end`, the first of which reads input
/// `start` there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: usize,
    end: usize,
    start: usize,
}

/// Sliding windows over the three spatial axes of a plane.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    input: [usize; 3],
    output: [usize; 3],
    kernel: [usize; 3],
    stride: [usize; 3],
    spans: [Vec<Span>; 3],
}

/// How windows move, along depth, height and width.
#[derive(Clone, Copy, Debug)]
pub(super) struct Motion {
    pub stride: [usize; 3],
    pub padding: [usize; 3],
    pub dilation: [usize; 3],
}

/// One element of each window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tap {
    first: [usize; 3],
    end: [usize; 3],
    /// What to add to the start of a window, modulo 2⁶⁴: it is negative in the padding.
    shift: usize,
}

impl Tap {
    /// What the window at `at`, which starts at `start`, reads here; `None` in the padding.
    pub(super) fn of(&self, at: [usize; 3], start: usize) -> Option<usize> {
        let inside = (0..3).all(|axis| self.first[axis] <= at[axis] && at[axis] < self.end[axis]);
        inside.then(|| start.wrapping_add(self.shift))
    }
}

/// Consecutive windows of one line that read inputs [`Windows::step`] apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// The first window, counted from the start of the range asked for.
    pub output: usize,
    /// The input that it reads.
    pub input: usize,
    /// The number of windows.
    pub length: usize,
}

impl Run {
    /// The elements of the run, of what has one element a window.
    pub(super) fn outputs(&self) -> Range<usize> {
        self.output..self.output + self.length
    }
}

impl Windows {
    pub(super) fn new(
        input: [usize; 3],
        output: [usize; 3],
        kernel: [usize; 3],
        motion: Motion,
    ) -> Self {
        let Motion {
            stride,
            padding,
            dilation,
        } = motion;
        let still = kernel == [1; 3] && stride == [1; 3] && padding == [0; 3];
        if still && input == output {
            return Self::pointwise(input.iter().product());
        }
        let spans = [0, 1, 2].map(|axis| {
            let span = |tap: usize| {
                let (at, step) = (tap * dilation[axis], stride[axis].max(1));
                let before = padding[axis].saturating_sub(at);
                let first = before.div_ceil(step);
                let end = (padding[axis] + input[axis])
                    .saturating_sub(at)
                    .div_ceil(step)
                    .min(output[axis]);
                Span {
                    first,
                    end: end.max(first),
                    start: (first * step + at).saturating_sub(padding[axis]),
                }
            };
            (0..kernel[axis]).map(span).collect()
        });
        Self {
            input,
            output,
            kernel,
            stride,
            spans,
        }
    }

    /// Windows of one element each, whose plane is a line.
    fn pointwise(size: usize) -> Self {
        let all = |end| {
            vec![Span {
                first: 0,
                end,
                start: 0,
            }]
        };
        Self {
            input: [1, 1, size],
            output: [1, 1, size],
            kernel: [1; 3],
            stride: [1; 3],
            spans: [all(1), all(1), all(size)],
        }
    }

    /// Whether each window is the element at its own place.
    pub(super) fn is_pointwise(&self) -> bool {
        self.kernel == [1; 3]
            && self.stride == [1; 3]
            && self.input == self.output
            && self.covers(0)
    }

    /// Whether the one window is the plane.
    pub(super) fn is_global(&self) -> bool {
        self.output == [1; 3]
            && self.kernel == self.input
            && (0..3).all(|axis| {
                let mut spans = self.spans[axis].iter().enumerate();
                spans.all(|(tap, span)| (span.first, span.end, span.start) == (0, 1, tap))
            })
    }

    /// The elements of a window.
    pub(super) fn taps(&self) -> usize {
        self.kernel.iter().product()
    }

    /// The elements of a plane.
    pub(super) fn inputs(&self) -> usize {
        self.input.iter().product()
    }

    /// The windows over a plane.
    pub(super) fn outputs(&self) -> usize {
        self.output.iter().product()
    }

    /// The distance between what neighbouring windows of a line read.
    pub(super) fn step(&self) -> usize {
        self.stride[2]
    }

    /// Whether no window has padding at this tap.
    pub(super) fn covers(&self, tap: usize) -> bool {
        self.spans_at(tap)
            .iter()
            .zip(self.output)
            .all(|(span, size)| span.first == 0 && span.end == size)
    }

    /// Calls `visit` for the windows `columns`, in runs; those that have padding at this tap are left out.
    pub(super) fn runs(&self, tap: usize, columns: Range<usize>, mut visit: impl FnMut(Run)) {
        let [depth, height, width] = self.spans_at(tap);
        let [_, lines, line] = self.output;
        if columns.is_empty() || lines == 0 || line == 0 {
            return;
        }
        let (first, last) = (columns.start / line, (columns.end - 1) / line);
        let (mut d, mut h) = (first / lines, first % lines);
        for row in first..=last {
            if (depth.first..depth.end).contains(&d) && (height.first..height.end).contains(&h) {
                let begin = row * line;
                let from = width.first.max(columns.start.saturating_sub(begin));
                let to = width.end.min(columns.end - begin);
                if from < to {
                    let d = depth.start + (d - depth.first) * self.stride[0];
                    let h = height.start + (h - height.first) * self.stride[1];
                    let w = width.start + (from - width.first) * self.stride[2];
                    visit(Run {
                        output: begin + from - columns.start,
                        input: (d * self.input[1] + h) * self.input[2] + w,
                        length: to - from,
                    });
                }
            }
            h += 1;
            if h == lines {
                (d, h) = (d + 1, 0);
            }
        }
    }

    /// The taps, to look up many times. As long as a window.
    pub(super) fn table(&self) -> Vec<Tap> {
        let [_, height, width] = self.input;
        let [d, h, w] = self.stride;
        let strides = [d * height * width, h * width, w];
        let tap = |tap: usize| {
            let spans = self.spans_at(tap);
            let start = (spans[0].start * height + spans[1].start) * width + spans[2].start;
            let first: usize = (0..3).map(|axis| spans[axis].first * strides[axis]).sum();
            Tap {
                first: spans.map(|span| span.first),
                end: spans.map(|span| span.end),
                shift: start.wrapping_sub(first),
            }
        };
        (0..self.taps()).map(tap).collect()
    }

    /// Calls `visit(i, [d, h, w], start)` for each window in order, where `start` is what a tap of shift 0 reads.
    pub(super) fn each(&self, mut visit: impl FnMut(usize, [usize; 3], usize)) {
        let [depth, height, width] = self.output;
        let mut i = 0;
        for d in 0..depth {
            for h in 0..height {
                let line =
                    (d * self.stride[0] * self.input[1] + h * self.stride[1]) * self.input[2];
                for w in 0..width {
                    visit(i, [d, h, w], line + w * self.stride[2]);
                    i += 1;
                }
            }
        }
    }

    fn spans_at(&self, tap: usize) -> [Span; 3] {
        let [_, height, width] = self.kernel;
        let tap = [tap / (height * width), tap / width % height, tap % width];
        [0, 1, 2].map(|axis| self.spans[axis][tap[axis]])
    }
}

/// `1×8×8 → 1×4×4 by 1×2×2`.
impl fmt::Display for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ([a, b, c], [d, e, g], [h, i, j]) = (self.input, self.output, self.kernel);
        write!(f, "{a}×{b}×{c} → {d}×{e}×{g} by {h}×{i}×{j}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::PoolWindow;
    use proptest::prelude::*;

    fn axis() -> impl Strategy<Value = [usize; 6]> {
        let sizes = (1_usize..9, 1_usize..5, 1_usize..4, 0_usize..4, 1_usize..4);
        sizes.prop_filter_map("too small", |(input, kernel, stride, padding, dilation)| {
            let extent = (kernel - 1) * dilation + 1;
            let output = (input + 2 * padding).checked_sub(extent)? / stride + 1;
            Some([input, output, kernel, stride, padding, dilation])
        })
    }

    proptest! {
        #[test]
        fn taps_are_where_the_dialect_says(axes in [axis(), axis(), axis()], cut in 0_usize..40) {
            let [input, output, kernel, stride, padding, dilation] =
                [0, 1, 2, 3, 4, 5].map(|i| axes.map(|axis| axis[i]));
            let motion = Motion { stride, padding, dilation };
            let windows = Windows::new(input, output, kernel, motion);
            prop_assume!(!windows.is_pointwise());
            let oracle = PoolWindow { kernel, stride, padding, dilation, output };
            let begin = cut.min(windows.outputs());
            for (tap, entry) in windows.table().iter().enumerate() {
                let (mut expected, mut found) = (Vec::new(), Vec::new());
                windows.each(|i, at, start| {
                    assert_eq!(i, expected.len());
                    expected.push(oracle.position(input, at, tap));
                    found.push(entry.of(at, start));
                });
                prop_assert_eq!(&expected, &found);
                prop_assert_eq!(windows.covers(tap), expected.iter().all(Option::is_some));
                let mut from_runs = vec![None; windows.outputs()];
                for columns in [0..begin, begin..windows.outputs()] {
                    windows.runs(tap, columns.clone(), |run| {
                        for i in 0..run.length {
                            from_runs[columns.start + run.output + i] = Some(run.input + i * windows.step());
                        }
                    });
                }
                prop_assert_eq!(&expected, &from_runs);
            }
        }
    }
}
