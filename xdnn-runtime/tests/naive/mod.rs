//! Layers of images, one loop for each index.

/// `[channels, height, width]` in row-major order.
pub struct Image {
    pub size: [usize; 3],
    pub data: Vec<f64>,
}

/// The arguments of a sliding window.
#[derive(Clone, Copy)]
pub struct Window {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 2],
    pub dilation: [usize; 2],
    pub ceil_mode: bool,
}

impl Image {
    pub fn new(size: [usize; 3], data: &[f64]) -> Self {
        assert_eq!(size.iter().product::<usize>(), data.len());
        let data = data.to_vec();
        Self { size, data }
    }

    fn of(size: [usize; 3], value: impl Fn(usize, usize, usize) -> f64) -> Self {
        let [channels, height, width] = size;
        let mut data = Vec::new();
        for c in 0..channels {
            for i in 0..height {
                for j in 0..width {
                    data.push(value(c, i, j));
                }
            }
        }
        Self { size, data }
    }

    fn at(&self, c: usize, i: usize, j: usize) -> f64 {
        let [channels, height, width] = self.size;
        assert!(c < channels && i < height && j < width);
        self.data[(c * height + i) * width + j]
    }

    /// `None` outside.
    fn get(&self, c: usize, i: isize, j: isize) -> Option<f64> {
        let inside = |i: isize, n: usize| i >= 0 && (i as usize) < n;
        (inside(i, self.size[1]) && inside(j, self.size[2]))
            .then(|| self.at(c, i as usize, j as usize))
    }
}

impl Window {
    /// The number of windows: one more while the next one fits into the padded input; rounding up, also while the last
    /// one does not reach its end and the next one starts before the padding on the right.
    fn count(&self, axis: usize, n: usize) -> usize {
        let padded = n + 2 * self.padding[axis];
        let reach =
            |o: usize| o * self.stride[axis] + (self.kernel[axis] - 1) * self.dilation[axis] + 1;
        if reach(0) > padded {
            return 0;
        }
        let mut count = 1;
        while reach(count) <= padded
            || self.ceil_mode
                && reach(count - 1) < padded
                && count * self.stride[axis] < n + self.padding[axis]
        {
            count += 1;
        }
        count
    }

    fn position(&self, axis: usize, o: usize, k: usize) -> isize {
        (o * self.stride[axis] + k * self.dilation[axis]) as isize - self.padding[axis] as isize
    }

    /// Whether there are windows, and each holds some of the input.
    pub fn fits(&self, size: [usize; 2]) -> bool {
        (0..2).all(|axis| {
            let count = self.count(axis, size[axis]);
            let holds = |o: usize| {
                (0..self.kernel[axis])
                    .any(|k| (0..size[axis] as isize).contains(&self.position(axis, o, k)))
            };
            count > 0 && (0..count).all(holds)
        })
    }

    fn output(&self, x: &Image, channels: usize) -> [usize; 3] {
        [channels, self.count(0, x.size[1]), self.count(1, x.size[2])]
    }

    /// What the window at `(i, j)` holds, in row-major order; `None` in the padding.
    fn elements(&self, x: &Image, c: usize, i: usize, j: usize) -> Vec<Option<f64>> {
        let mut elements = Vec::new();
        for k in 0..self.kernel[0] {
            for l in 0..self.kernel[1] {
                elements.push(x.get(c, self.position(0, i, k), self.position(1, j, l)));
            }
        }
        elements
    }
}

pub fn convolution(
    x: &Image,
    weight: &[f64],
    window: Window,
    out_channels: usize,
    groups: usize,
) -> Image {
    let taps = window.kernel[0] * window.kernel[1];
    let (inputs, outputs) = (x.size[0] / groups, out_channels / groups);
    Image::of(window.output(x, out_channels), |o, i, j| {
        let mut sum = 0.0;
        for c in 0..inputs {
            let elements = window.elements(x, o / outputs * inputs + c, i, j);
            for (tap, element) in elements.into_iter().enumerate() {
                sum += weight[(o * inputs + c) * taps + tap] * element.unwrap_or(0.0);
            }
        }
        sum
    })
}

pub fn max_pool(x: &Image, window: Window) -> Image {
    Image::of(window.output(x, x.size[0]), |c, i, j| {
        window
            .elements(x, c, i, j)
            .into_iter()
            .flatten()
            .fold(f64::NEG_INFINITY, f64::max)
    })
}

/// The divisor counts elements and, with `count_include_pad`, those of the padding, but nothing beyond it.
pub fn mean_pool(x: &Image, window: Window, count_include_pad: bool) -> Image {
    Image::of(window.output(x, x.size[0]), |c, i, j| {
        let elements = window.elements(x, c, i, j);
        let sum: f64 = elements.iter().flatten().sum();
        let counted = |axis: usize, o: usize| {
            let end = (x.size[axis + 1] + window.padding[axis]) as isize;
            (0..window.kernel[axis])
                .filter(|k| window.position(axis, o, *k) < end)
                .count()
        };
        let divisor = if count_include_pad {
            counted(0, i) * counted(1, j)
        } else {
            elements.iter().flatten().count()
        };
        sum / divisor as f64
    })
}

pub fn adaptive_mean(x: &Image, [height, width]: [usize; 2]) -> Image {
    let [channels, rows, columns] = x.size;
    let range = |o: usize, n: usize, outputs: usize| {
        let start = (o as f64 * n as f64 / outputs as f64).floor() as usize;
        let end = ((o + 1) as f64 * n as f64 / outputs as f64).ceil() as usize;
        start..end
    };
    Image::of([channels, height, width], |c, i, j| {
        let (is, js) = (range(i, rows, height), range(j, columns, width));
        let divisor = is.len() * js.len();
        let sum: f64 = is
            .flat_map(|i| js.clone().map(move |j| x.at(c, i, j)))
            .sum();
        sum / divisor as f64
    })
}

pub fn nearest(x: &Image, [a, b]: [usize; 2]) -> Image {
    let [channels, height, width] = x.size;
    Image::of([channels, a * height, b * width], |c, i, j| {
        x.at(c, i / a, j / b)
    })
}

pub fn bilinear(x: &Image, [a, b]: [usize; 2], align_corners: bool) -> Image {
    let [channels, height, width] = x.size;
    let source = |o: usize, n: usize, factor: usize| {
        if !align_corners {
            (((o as f64 + 0.5) / factor as f64) - 0.5).max(0.0)
        } else if n * factor == 1 {
            0.0
        } else {
            o as f64 * (n as f64 - 1.0) / ((n * factor) as f64 - 1.0)
        }
    };
    Image::of([channels, a * height, b * width], |c, i, j| {
        let (y, z) = (source(i, height, a), source(j, width, b));
        let (top, left) = (y.floor() as usize, z.floor() as usize);
        let (bottom, right) = ((top + 1).min(height - 1), (left + 1).min(width - 1));
        let (v, u) = (y - top as f64, z - left as f64);
        (1.0 - v) * ((1.0 - u) * x.at(c, top, left) + u * x.at(c, top, right))
            + v * ((1.0 - u) * x.at(c, bottom, left) + u * x.at(c, bottom, right))
    })
}

pub fn pixel_shuffle(x: &Image, r: usize) -> Image {
    let [channels, height, width] = x.size;
    Image::of([channels / (r * r), height * r, width * r], |c, i, j| {
        x.at(c * r * r + i % r * r + j % r, i / r, j / r)
    })
}

/// The inverse of [`pixel_shuffle`].
pub fn pixel_unshuffle(x: &Image, r: usize) -> Image {
    let [channels, height, width] = x.size;
    Image::of([channels * r * r, height / r, width / r], |c, i, j| {
        let (channel, row, column) = (c / (r * r), c / r % r, c % r);
        x.at(channel, i * r + row, j * r + column)
    })
}

/// Cubic convolution with `a = −3/4`, written out for each of the 16 pixels.
pub fn bicubic(x: &Image, [a, b]: [usize; 2], align_corners: bool) -> Image {
    let [channels, height, width] = x.size;
    let source = |o: usize, n: usize, factor: usize| {
        if !align_corners {
            ((o as f64 + 0.5) / factor as f64) - 0.5
        } else if n * factor == 1 {
            0.0
        } else {
            o as f64 * (n as f64 - 1.0) / ((n * factor) as f64 - 1.0)
        }
    };
    let weight = |distance: f64| {
        let d = distance.abs();
        if d <= 1.0 {
            1.25 * d.powi(3) - 2.25 * d.powi(2) + 1.0
        } else {
            -0.75 * (d.powi(3) - 5.0 * d.powi(2) + 8.0 * d - 4.0)
        }
    };
    let pixel = |i: f64, n: usize| (i.max(0.0) as usize).min(n - 1);
    Image::of([channels, a * height, b * width], |c, i, j| {
        let (y, z) = (source(i, height, a), source(j, width, b));
        let mut sum = 0.0;
        for k in [-1.0, 0.0, 1.0, 2.0].map(|k| y.floor() + k) {
            for l in [-1.0, 0.0, 1.0, 2.0].map(|l| z.floor() + l) {
                sum += weight(y - k) * weight(z - l) * x.at(c, pixel(k, height), pixel(l, width));
            }
        }
        sum
    })
}
