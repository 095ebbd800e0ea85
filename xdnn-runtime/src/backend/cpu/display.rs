//! Listings of plans.

use std::fmt;

use super::Interface;
use super::plan::{Job, Plan};
use crate::backend::plan::list;

/// The memory, the leaves, and the steps with what they read and write.
pub(super) fn write(f: &mut fmt::Formatter<'_>, interface: &Interface, plan: &Plan) -> fmt::Result {
    let bytes = |numbers: usize| numbers * size_of::<f32>();
    writeln!(
        f,
        "{} steps, {} bytes of arena, {} bytes a lane",
        plan.steps.len(),
        bytes(plan.arena),
        bytes(plan.lane)
    )?;
    let words = |job: &Job| {
        let (kernel, finish) = (job.kernel.to_string(), job.finish.to_string());
        let name = match (kernel.as_str(), finish.as_str()) {
            (_, "") => kernel,
            ("copy", _) => finish,
            _ => format!("{kernel} → {finish}"),
        };
        (name, job.shape.to_string())
    };
    list(f, &interface.leaves, &plan.steps, words)
}
