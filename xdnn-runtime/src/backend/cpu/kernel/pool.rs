//! Pools that select.

use std::fmt;

use xdnn_ir::Shape;

use super::super::parallel::{Threads, chunks, lanes_on};
use super::super::windows::{Motion, Windows};
use super::{Kernel, Needs, Operands, Scratch};
use crate::error::{Result, invalid};
use crate::ops::{self, PoolWindow, Spatial, tap_of};

/// Which tap of each window wins.
pub(super) struct Winner {
    rule: ops::Winner,
    windows: Windows,
}

/// The elements that the taps name.
pub(super) struct Gather {
    windows: Windows,
}

/// Each element added where its tap says that it came from.
pub(super) struct Scatter {
    windows: Windows,
}

fn windows(window: PoolWindow, x: Shape) -> Result<Windows> {
    let spatial = Spatial::of(x).ok_or_else(|| invalid(format!("no pool over {x}")))?;
    let motion = Motion {
        stride: window.stride,
        padding: window.padding,
        dilation: window.dilation,
    };
    Ok(Windows::new(
        spatial.size,
        window.output,
        window.kernel,
        motion,
    ))
}

impl Winner {
    pub(super) fn new(op: ops::PoolWinner, x: Shape) -> Result<Self> {
        Ok(Self {
            rule: op.winner,
            windows: windows(op.window, x)?,
        })
    }

    /// The winners of one plane, tap by tap; `best` holds the values of those so far.
    fn plane(&self, x: &[f32], winners: &mut [f32], best: &mut [f32]) {
        winners.fill(-1.0);
        let step = self.windows.step();
        for tap in 0..self.windows.taps() {
            self.windows.runs(tap, 0..winners.len(), |run| {
                let so_far = winners[run.outputs()]
                    .iter_mut()
                    .zip(&mut best[run.outputs()]);
                if step == 1 {
                    self.contend(tap as f32, so_far, &x[run.inputs()]);
                } else {
                    self.contend(tap as f32, so_far, x[run.input..].iter().step_by(step));
                }
            });
        }
    }

    fn contend<'a>(
        &self,
        tap: f32,
        so_far: impl Iterator<Item = (&'a mut f32, &'a mut f32)>,
        candidates: impl IntoIterator<Item = &'a f32>,
    ) {
        for ((winner, best), x) in so_far.zip(candidates) {
            let wins = *winner < 0.0 || self.rule.beats(*x, *best);
            *winner = if wins { tap } else { *winner };
            *best = if wins { *x } else { *best };
        }
    }

    /// The winner of a window that is the plane.
    fn global(&self, x: &[f32]) -> f32 {
        let contest = |best: (usize, f32), next: (usize, f32)| {
            if self.rule.beats(next.1, best.1) {
                next
            } else {
                best
            }
        };
        let winner = x.iter().copied().enumerate().reduce(contest);
        winner.map_or(-1.0, |(tap, _)| tap as f32)
    }
}

impl Kernel for Winner {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], scratch: Scratch<'_>) -> Result<()> {
        let x = operands.read(0)?;
        let (inputs, outputs) = (self.windows.inputs(), self.windows.outputs());
        if self.windows.is_global() {
            chunks(output, 1, inputs, |i, winner| {
                winner.fill(self.global(&x[i * inputs..][..inputs]));
            });
            return Ok(());
        }
        let threads = Threads::for_work(output.len() * self.windows.taps());
        lanes_on(threads, output, outputs, scratch, |i, winners, best| {
            self.plane(&x[i * inputs..][..inputs], winners, best);
            Ok(())
        })
    }

    fn needs(&self) -> Needs {
        Needs {
            shared: 0,
            lane: self.windows.outputs(),
        }
    }
}

impl Gather {
    pub(super) fn new(op: ops::PoolGather, x: Shape) -> Result<Self> {
        let windows = windows(op.window, x)?;
        Ok(Self { windows })
    }
}

impl Kernel for Gather {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], _: Scratch<'_>) -> Result<()> {
        let (x, winners) = (operands.read(0)?, operands.read(1)?);
        let (inputs, outputs) = (self.windows.inputs(), self.windows.outputs());
        chunks(output, outputs, 8 * outputs, |i, y| {
            let x = &x[i * inputs..][..inputs];
            let winners = &winners[i * outputs..][..outputs];
            for ((y, winner), at) in y.iter_mut().zip(winners).zip(self.windows.positions()) {
                let from = tap_of(*winner).and_then(|tap| self.windows.position(tap, at));
                *y = from.map_or(0.0, |from| x[from]);
            }
        });
        Ok(())
    }
}

impl Scatter {
    pub(super) fn new(op: ops::PoolScatter) -> Result<Self> {
        let windows = windows(op.window, op.shape)?;
        Ok(Self { windows })
    }
}

impl Kernel for Scatter {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], _: Scratch<'_>) -> Result<()> {
        let (g, winners) = (operands.read(0)?, operands.read(1)?);
        let (inputs, outputs) = (self.windows.inputs(), self.windows.outputs());
        chunks(output, inputs, 8 * outputs + inputs, |i, x| {
            x.fill(0.0);
            let g = &g[i * outputs..][..outputs];
            let winners = &winners[i * outputs..][..outputs];
            for ((g, winner), at) in g.iter().zip(winners).zip(self.windows.positions()) {
                let to = tap_of(*winner).and_then(|tap| self.windows.position(tap, at));
                if let Some(to) = to {
                    x[to] += g;
                }
            }
        });
        Ok(())
    }
}

impl fmt::Display for Winner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = match self.rule {
            ops::Winner::Max => "max",
            ops::Winner::Min => "min",
        };
        write!(f, "pool-winner {rule} {}", self.windows)
    }
}

impl fmt::Display for Gather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pool-gather {}", self.windows)
    }
}

impl fmt::Display for Scatter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pool-scatter {}", self.windows)
    }
}
