//! Pools that select.

use std::fmt;

use xdnn_ir::Shape;

use super::super::parallel::{Threads, chunks, lanes_on};
use super::super::simd::select;
use super::super::strided;
use super::super::windows::{Motion, Tap, Windows};
use super::{Kernel, Needs, Operands, Scratch};
use crate::error::{Result, invalid};
use crate::ops::{self, PoolWindow, Spatial, tap_of};

/// Which tap of each window wins.
pub(super) struct Winner {
    rule: ops::Winner,
    windows: Windows,
    /// The taps of windows that are looked at one by one.
    taps: Vec<Tap>,
}

/// The elements that the taps name.
pub(super) struct Gather {
    windows: Windows,
    sources: Sources,
}

/// Each element added where its tap says that it came from.
pub(super) struct Scatter {
    windows: Windows,
    sources: Sources,
}

/// Where winners come from.
enum Sources {
    /// The one window is the plane of so many elements, and taps are positions.
    Plane(usize),
    /// The taps of smaller windows.
    Taps(Vec<Tap>),
}

impl Sources {
    fn of_windows(windows: &Windows) -> Self {
        if windows.is_global() {
            Self::Plane(windows.inputs())
        } else {
            Self::Taps(windows.table())
        }
    }

    /// The position in the plane of a window's winner.
    #[inline]
    fn of(&self, winner: f32, at: [usize; 3], start: usize) -> Option<usize> {
        let tap = tap_of(winner)?;
        match self {
            Self::Plane(size) => (tap < *size).then_some(tap),
            Self::Taps(taps) => taps.get(tap)?.of(at, start),
        }
    }
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
        let windows = windows(op.window, x)?;
        let each = by_rank(op.winner) && !windows.is_global();
        Ok(Self {
            rule: op.winner,
            taps: if each { windows.table() } else { Vec::new() },
            windows,
        })
    }

    /// The winners of one plane. `lane` has as much room as [`Kernel::needs`] asks for.
    fn plane(&self, x: &[f32], winners: &mut [f32], lane: &mut [f32]) {
        match self.rule {
            ops::Winner::Max => self.extremes(false, x, winners, lane),
            ops::Winner::Min => self.extremes(true, x, winners, lane),
            ops::Winner::Median | ops::Winner::Rank(_) => self.ranked(x, winners, lane),
        }
    }

    /// The largest or the least of each window, tap by tap. `lane` holds the values of those so far, and what challenges them.
    fn extremes(&self, least: bool, x: &[f32], winners: &mut [f32], lane: &mut [f32]) {
        let (best, challengers) = lane.split_at_mut(winners.len());
        winners.fill(-1.0);
        let step = self.windows.step();
        for tap in 0..self.windows.taps() {
            self.windows.runs(tap, 0..winners.len(), |run| {
                let challengers = &mut challengers[run.outputs()];
                strided::read(challengers, &x[run.input..], step, |y, x| *y = x);
                let (winners, best) = (&mut winners[run.outputs()], &mut best[run.outputs()]);
                // What is no number beats every number, as in the dialect.
                if least {
                    challenge(tap as f32, challengers, winners, best, |x, best| {
                        (x < best) | (x.is_nan() & !best.is_nan())
                    });
                } else {
                    challenge(tap as f32, challengers, winners, best, |x, best| {
                        (x > best) | (x.is_nan() & !best.is_nan())
                    });
                }
            });
        }
    }

    /// The winner of each window by rank, window by window. `lane` holds the elements of one.
    fn ranked(&self, x: &[f32], winners: &mut [f32], lane: &mut [f32]) {
        self.windows.each(|i, at, start| {
            let taps = self.taps.iter().enumerate();
            let elements = taps.filter_map(|(tap, entry)| Some((tap, x[entry.of(at, start)?])));
            let mut size = 0;
            for (slot, (_, x)) in lane.iter_mut().zip(elements.clone()) {
                *slot = x;
                size += 1;
            }
            let winner = self.rule.ranked(&mut lane[..size], elements);
            winners[i] = winner.map_or(-1.0, |tap| tap as f32);
        });
    }

    /// The winner of a window that is the plane.
    fn global(&self, x: &[f32], lane: &mut [f32]) -> f32 {
        let elements = x.iter().copied().enumerate();
        let winner = if by_rank(self.rule) {
            let values = &mut lane[..x.len()];
            values.copy_from_slice(x);
            self.rule.ranked(values, elements)
        } else {
            self.rule.of(elements)
        };
        winner.map_or(-1.0, |tap| tap as f32)
    }
}

/// Whether the winner is found among all elements of a window at once.
fn by_rank(rule: ops::Winner) -> bool {
    matches!(rule, ops::Winner::Median | ops::Winner::Rank(_))
}

/// Replaces those who are beaten.
#[inline(always)]
fn challenge(
    tap: f32,
    challengers: &[f32],
    winners: &mut [f32],
    best: &mut [f32],
    beats: impl Fn(f32, f32) -> bool,
) {
    for ((winner, best), x) in winners.iter_mut().zip(best).zip(challengers) {
        let wins = (*winner < 0.0) | beats(*x, *best);
        *winner = select(wins, tap, *winner);
        *best = select(wins, *x, *best);
    }
}

impl Kernel for Winner {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], scratch: Scratch<'_>) -> Result<()> {
        let x = operands.read(0)?;
        let (inputs, outputs) = (self.windows.inputs(), self.windows.outputs());
        let threads = Threads::for_work(output.len() * self.windows.taps());
        lanes_on(threads, output, outputs, scratch, |i, winners, lane| {
            let x = &x[i * inputs..][..inputs];
            if self.windows.is_global() {
                winners.fill(self.global(x, lane));
            } else {
                self.plane(x, winners, lane);
            }
            Ok(())
        })
    }

    fn needs(&self) -> Needs {
        let lane = if by_rank(self.rule) {
            self.windows.taps()
        } else {
            2 * self.windows.outputs()
        };
        Needs { shared: 0, lane }
    }
}

impl Gather {
    pub(super) fn new(op: ops::PoolGather, x: Shape) -> Result<Self> {
        let windows = windows(op.window, x)?;
        Ok(Self {
            sources: Sources::of_windows(&windows),
            windows,
        })
    }
}

impl Kernel for Gather {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], _: Scratch<'_>) -> Result<()> {
        let (x, winners) = (operands.read(0)?, operands.read(1)?);
        let (inputs, outputs) = (self.windows.inputs(), self.windows.outputs());
        chunks(output, outputs, 4 * outputs, |i, y| {
            let x = &x[i * inputs..][..inputs];
            let winners = &winners[i * outputs..][..outputs];
            self.windows.each(|i, at, start| {
                let from = self.sources.of(winners[i], at, start);
                y[i] = from.map_or(0.0, |from| x[from]);
            });
        });
        Ok(())
    }
}

impl Scatter {
    pub(super) fn new(op: ops::PoolScatter) -> Result<Self> {
        let windows = windows(op.window, op.shape)?;
        Ok(Self {
            sources: Sources::of_windows(&windows),
            windows,
        })
    }
}

impl Kernel for Scatter {
    fn run(&self, operands: &Operands<'_>, output: &mut [f32], _: Scratch<'_>) -> Result<()> {
        let (g, winners) = (operands.read(0)?, operands.read(1)?);
        let (inputs, outputs) = (self.windows.inputs(), self.windows.outputs());
        chunks(output, inputs, 4 * outputs + inputs, |i, x| {
            x.fill(0.0);
            let g = &g[i * outputs..][..outputs];
            let winners = &winners[i * outputs..][..outputs];
            self.windows.each(|i, at, start| {
                if let Some(to) = self.sources.of(winners[i], at, start) {
                    x[to] += g[i];
                }
            });
        });
        Ok(())
    }
}

impl fmt::Display for Winner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = match self.rule {
            ops::Winner::Max => "max",
            ops::Winner::Min => "min",
            ops::Winner::Median => "median",
            ops::Winner::Rank(rank) => {
                return write!(f, "pool-winner rank {rank} {}", self.windows);
            }
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
