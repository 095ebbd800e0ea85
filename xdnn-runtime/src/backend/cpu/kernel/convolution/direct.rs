//! Convolutions with few output channels in a group, such as depthwise ones: sums of shifted planes.

use super::super::super::parallel::chunks;
use super::super::super::strided;
use super::super::super::windows::Run;
use super::{Convolution, Geometry, Kernel, Operands, Result, Role, Scratch, Volumes, fmt};

/// A convolution in one of its three roles, plane by plane.
pub(super) struct Direct {
    role: Role,
    geometry: Geometry,
}

impl Direct {
    pub(super) fn new(op: &Convolution, volumes: Volumes) -> Self {
        Self {
            role: op.role,
            geometry: Geometry::new(op, volumes, 1),
        }
    }

    /// Plane `i` of `y`.
    fn forward(&self, i: usize, [x, w]: [&[f32]; 2], y: &mut [f32]) {
        let geometry = &self.geometry;
        let (taps, plane, depth) = (
            geometry.windows.taps(),
            geometry.windows.inputs(),
            geometry.depth(),
        );
        let output = i % (geometry.groups * geometry.outputs);
        let first = i / geometry.outputs * geometry.inputs;
        let w = &w[output * depth..][..depth];
        y.fill(0.0);
        for (channel, w) in w.chunks_exact(taps).enumerate() {
            let x = &x[(first + channel) * plane..][..plane];
            for (tap, w) in w.iter().enumerate() {
                self.runs(tap, |run, step| {
                    let y = &mut y[run.outputs()];
                    strided::read(y, &x[run.input..], step, |y, x| *y += w * x);
                });
            }
        }
    }

    /// Plane `i` of `x`.
    fn input_gradient(&self, i: usize, [y, w]: [&[f32]; 2], x: &mut [f32]) {
        let geometry = &self.geometry;
        let (taps, plane) = (geometry.windows.taps(), geometry.windows.outputs());
        let (group, channel) = (i / geometry.inputs, i % geometry.inputs);
        x.fill(0.0);
        for output in 0..geometry.outputs {
            let y = &y[(group * geometry.outputs + output) * plane..][..plane];
            let output = group % geometry.groups * geometry.outputs + output;
            let w = &w[(output * geometry.inputs + channel) * taps..][..taps];
            for (tap, w) in w.iter().enumerate() {
                self.runs(tap, |run, step| {
                    let y = &y[run.outputs()];
                    strided::write(&mut x[run.input..], step, y, |x, y| *x += w * y);
                });
            }
        }
    }

    /// The kernel's element for each tap, between one input channel and one output channel.
    fn weight_gradient(&self, i: usize, [x, y]: [&[f32]; 2], w: &mut [f32]) {
        let geometry = &self.geometry;
        let (inputs, outputs) = (geometry.windows.inputs(), geometry.windows.outputs());
        let (output, channel) = (i / geometry.inputs, i % geometry.inputs);
        let (group, output) = (output / geometry.outputs, output % geometry.outputs);
        for (tap, w) in w.iter_mut().enumerate() {
            let mut sum = 0.0;
            for sample in 0..geometry.batch {
                let x = &x[geometry.input(sample, group) + channel * inputs..][..inputs];
                let y = &y[geometry.output(sample, group) + output * outputs..][..outputs];
                self.runs(tap, |run, step| {
                    let y = &y[run.outputs()];
                    sum += if step == 1 {
                        dot(&x[run.input..][..run.length], y)
                    } else {
                        let x = x[run.input..].iter().step_by(step);
                        f64::from(x.zip(y).map(|(x, y)| x * y).sum::<f32>())
                    };
                });
            }
            *w = sum as f32;
        }
    }

    fn runs(&self, tap: usize, mut visit: impl FnMut(Run, usize)) {
        let windows = &self.geometry.windows;
        let step = windows.step();
        windows.runs(tap, 0..windows.outputs(), |run| visit(run, step));
    }
}

/// `Σ xᵢ yᵢ`, as several sums side by side.
fn dot(x: &[f32], y: &[f32]) -> f64 {
    let ((xs, x), (ys, y)) = (x.as_chunks::<8>(), y.as_chunks::<8>());
    let mut sums = [0.0_f32; 8];
    for (x, y) in xs.iter().zip(ys) {
        for (sum, (x, y)) in sums.iter_mut().zip(x.iter().zip(y)) {
            *sum += x * y;
        }
    }
    let rest: f32 = x.iter().zip(y).map(|(x, y)| x * y).sum();
    f64::from(sums.iter().sum::<f32>()) + f64::from(rest)
}

impl Kernel for Direct {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], _: Scratch<'_>) -> Result<()> {
        let geometry = &self.geometry;
        let read = [operands.read(0)?, operands.read(1)?];
        let size = match self.role {
            Role::Forward => geometry.windows.outputs(),
            Role::InputGradient => geometry.windows.inputs(),
            Role::WeightGradient => geometry.windows.taps(),
        };
        let work = geometry.work() / output.len().div_ceil(size.max(1)).max(1);
        chunks(output, size, work, |i, part| match self.role {
            Role::Forward => self.forward(i, read, part),
            Role::InputGradient => self.input_gradient(i, read, part),
            Role::WeightGradient => self.weight_gradient(i, read, part),
        });
        Ok(())
    }
}

impl fmt::Display for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.role {
            Role::Forward => "conv",
            Role::InputGradient => "conv-x",
            Role::WeightGradient => "conv-w",
        };
        write!(f, "{name} direct {}", self.geometry)
    }
}
