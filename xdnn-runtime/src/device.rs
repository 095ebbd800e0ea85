//! Where a network runs.

use std::fmt;

/// Where a network runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Device {
    /// This machine's processor: one program for the whole graph, on the threads of rayon's global pool.
    #[default]
    Cpu,
    /// luminal's interpreter on the plain evaluation of each operator: slow and exact, the oracle of the others.
    Reference,
    /// luminal's interpreter on luminal's primitives, in `f32`: thousands of times slower than [`Device::Cpu`], and there to
    /// show what a graph in primitives computes, not to compute with.
    Luminal,
}

impl Device {
    /// The fastest device of this machine.
    pub fn best() -> Self {
        Self::Cpu
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
            Self::Reference => "reference",
            Self::Luminal => "luminal",
        })
    }
}
