//! Listings of plans.

use std::fmt;

use super::Interface;
use super::plan::Plan;

/// The leaves, the steps with what they read and write, and the memory.
pub(super) fn write(f: &mut fmt::Formatter<'_>, interface: &Interface, plan: &Plan) -> fmt::Result {
    let bytes = |numbers: usize| numbers * size_of::<f32>();
    writeln!(
        f,
        "{} steps, {} bytes of arena, {} bytes a lane",
        plan.steps.len(),
        bytes(plan.arena),
        bytes(plan.lane)
    )?;
    for (i, (leaf, shape)) in interface.leaves.iter().enumerate() {
        writeln!(f, "leaf {i} = {leaf:?} {shape}")?;
    }
    for (i, step) in plan.steps.iter().enumerate() {
        write!(f, "{i:>3}: {} =", step.target())?;
        let (kernel, finish) = (step.kernel.kernel.to_string(), step.kernel.finish.to_string());
        match (kernel.as_str(), finish.as_str()) {
            (kernel, "") => write!(f, " {kernel}(")?,
            ("copy", finish) => write!(f, " {finish}(")?,
            (kernel, finish) => write!(f, " {kernel} → {finish}(")?,
        }
        for (i, operand) in step.operands.iter().enumerate() {
            let same = if operand == step.target() { "=" } else { "" };
            write!(f, "{}{same}{operand}", if i > 0 { ", " } else { "" })?;
        }
        write!(f, ") -> {}", step.kernel.shape)?;
        if !step.scratch.is_empty() {
            write!(
                f,
                " with @{}+{}",
                bytes(step.scratch.start),
                bytes(step.scratch.len())
            )?;
        }
        writeln!(f)?;
    }
    Ok(())
}
