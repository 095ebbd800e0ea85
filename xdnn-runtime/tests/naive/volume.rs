//! Layers of values with any number of spatial axes, position by position.

/// `[channels, …]` in row-major order.
#[derive(Clone)]
pub struct Volume {
    pub size: Vec<usize>,
    pub data: Vec<f64>,
}

/// The arguments of a sliding window, one of each for each axis.
#[derive(Clone)]
pub struct Window {
    pub kernel: Vec<usize>,
    pub stride: Vec<usize>,
    pub padding: Vec<usize>,
    pub dilation: Vec<usize>,
}

/// All indices of a value of this size, in row-major order.
pub fn indices(size: &[usize]) -> Vec<Vec<usize>> {
    size.iter().fold(vec![vec![]], |indices, n| {
        let longer = |index: Vec<usize>| (0..*n).map(move |i| [index.clone(), vec![i]].concat());
        indices.into_iter().flat_map(longer).collect()
    })
}

impl Volume {
    pub fn new(size: &[usize], data: &[f64]) -> Self {
        assert_eq!(size.iter().product::<usize>(), data.len());
        let (size, data) = (size.to_vec(), data.to_vec());
        Self { size, data }
    }

    /// The value whose element at `[channel, position]` is `value(channel, position)`.
    pub fn of(size: &[usize], value: impl Fn(usize, &[usize]) -> f64) -> Self {
        let data = indices(size).iter().map(|i| value(i[0], &i[1..])).collect();
        let size = size.to_vec();
        Self { size, data }
    }

    /// `None` outside.
    pub fn get(&self, channel: usize, position: &[isize]) -> Option<f64> {
        let mut at = channel;
        for (i, n) in position.iter().zip(&self.size[1..]) {
            at = at * n + usize::try_from(*i).ok().filter(|i| i < n)?;
        }
        Some(self.data[at])
    }

    pub fn at(&self, channel: usize, position: &[usize]) -> f64 {
        let position: Vec<isize> = position.iter().map(|i| *i as isize).collect();
        self.get(channel, &position).unwrap()
    }
}

impl Window {
    fn position(&self, axis: usize, o: usize, k: usize) -> isize {
        (o * self.stride[axis] + k * self.dilation[axis]) as isize - self.padding[axis] as isize
    }

    /// The positions that the window at `o` reads, with those of its own elements.
    fn reads(&self, o: &[usize]) -> Vec<(Vec<usize>, Vec<isize>)> {
        let read = |k: Vec<usize>| {
            let axes = 0..k.len();
            let position = axes
                .map(|axis| self.position(axis, o[axis], k[axis]))
                .collect();
            (k, position)
        };
        indices(&self.kernel).into_iter().map(read).collect()
    }

    /// What the window at `o` holds, in row-major order and without padding.
    fn elements(&self, x: &Volume, channel: usize, o: &[usize]) -> Vec<f64> {
        let reads = self.reads(o).into_iter();
        reads.filter_map(|(_, i)| x.get(channel, &i)).collect()
    }
}

/// What `pick` makes of the elements of each window.
pub fn pool(
    x: &Volume,
    window: &Window,
    output: &[usize],
    pick: impl Fn(Vec<f64>) -> f64,
) -> Volume {
    Volume::of(output, |c, o| pick(window.elements(x, c, o)))
}

pub fn largest(elements: Vec<f64>) -> f64 {
    elements.into_iter().fold(f64::NEG_INFINITY, f64::max)
}

pub fn smallest(elements: Vec<f64>) -> f64 {
    elements.into_iter().fold(f64::INFINITY, f64::min)
}

pub fn lower_median(mut elements: Vec<f64>) -> f64 {
    elements.sort_by(f64::total_cmp);
    elements[(elements.len() - 1) / 2]
}

/// The divisor counts elements and, with `count_include_pad`, those of the padding, but nothing beyond it.
pub fn mean_pool(x: &Volume, window: &Window, output: &[usize], count_include_pad: bool) -> Volume {
    Volume::of(output, |c, o| {
        let elements = window.elements(x, c, o);
        let counted = |i: &[isize]| {
            let mut axes = i.iter().zip(&x.size[1..]).zip(&window.padding);
            axes.all(|((i, n), padding)| *i < (n + padding) as isize)
        };
        let divisor = if count_include_pad {
            window.reads(o).iter().filter(|(_, i)| counted(i)).count()
        } else {
            elements.len()
        };
        elements.iter().sum::<f64>() / divisor as f64
    })
}

/// `pick` of windows that cover the input.
pub fn adaptive(x: &Volume, output: &[usize], pick: impl Fn(Vec<f64>) -> f64) -> Volume {
    let size = [&x.size[..1], output].concat();
    Volume::of(&size, |c, o| {
        let inside = |position: &Vec<usize>| {
            (0..o.len()).all(|axis| {
                let (n, m) = (x.size[axis + 1] as f64, output[axis] as f64);
                let start = (o[axis] as f64 * n / m).floor() as usize;
                let end = ((o[axis] + 1) as f64 * n / m).ceil() as usize;
                (start..end).contains(&position[axis])
            })
        };
        let positions = indices(&x.size[1..]).into_iter().filter(inside);
        pick(positions.map(|position| x.at(c, &position)).collect())
    })
}

/// Weight `[out, in / groups, …]`.
pub fn convolution(
    x: &Volume,
    weight: &[f64],
    window: &Window,
    groups: usize,
    output: &[usize],
) -> Volume {
    let (inputs, outputs) = (x.size[0] / groups, output[0] / groups);
    let weight = Volume::new(
        &[&[output[0] * inputs], &window.kernel[..]].concat(),
        weight,
    );
    Volume::of(output, |o, at| {
        let reads = window.reads(at);
        let of_channel = |c: usize| -> f64 {
            let terms = reads.iter().map(|(k, i)| {
                let x = x.get(o / outputs * inputs + c, i).unwrap_or(0.0);
                x * weight.at(o * inputs + c, k)
            });
            terms.sum()
        };
        (0..inputs).map(of_channel).sum()
    })
}

/// Weight `[in, out / groups, …]`: every element of the input adds its kernel to the result.
pub fn transposed(
    x: &Volume,
    weight: &[f64],
    window: &Window,
    groups: usize,
    output: &[usize],
) -> Volume {
    let (inputs, outputs) = (x.size[0] / groups, output[0] / groups);
    let weight = Volume::new(
        &[&[x.size[0] * outputs], &window.kernel[..]].concat(),
        weight,
    );
    let mut result = Volume::of(output, |_, _| 0.0);
    let positions = indices(output);
    for i in indices(&x.size) {
        let (channel, from) = (i[0], &i[1..]);
        for (k, to) in window.reads(from) {
            for o in 0..outputs {
                let index: Vec<isize> =
                    [vec![(channel / inputs * outputs + o) as isize], to.clone()].concat();
                let at = positions
                    .iter()
                    .position(|p| p.iter().zip(&index).all(|(a, b)| *a as isize == *b));
                if let Some(at) = at {
                    result.data[at] += x.at(channel, from) * weight.at(channel * outputs + o, &k);
                }
            }
        }
    }
    result
}

/// The value of which position `i` along an axis of size `n` copies position `source(i − before, n)`, or is 0.
pub fn surrounded(
    x: &Volume,
    margins: &[usize],
    source: impl Fn(isize, isize) -> Option<isize>,
) -> Volume {
    let axes = x.size.len() - 1;
    let of_axis = |axis: usize| {
        let pair = axes - 1 - axis;
        (margins[2 * pair], margins[2 * pair + 1])
    };
    let mut size = x.size.clone();
    for axis in 0..axes {
        let (before, after) = of_axis(axis);
        size[axis + 1] += before + after;
    }
    Volume::of(&size, |c, o| {
        let position: Option<Vec<isize>> = (0..axes)
            .map(|axis| {
                source(
                    o[axis] as isize - of_axis(axis).0 as isize,
                    x.size[axis + 1] as isize,
                )
            })
            .collect();
        position
            .and_then(|position| x.get(c, &position))
            .unwrap_or(0.0)
    })
}
