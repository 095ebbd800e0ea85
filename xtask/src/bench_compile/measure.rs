//! Time, and what it says on a machine that does other things as well.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, ensure};

/// What a command cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Seconds from start to end.
    pub wall: f64,
    /// Seconds of all processors, in the command and in the commands that it ran; `None` where the system does not say.
    pub processor: Option<f64>,
}

/// Runs a command to its end, which must be a success.
pub fn cost_of(command: &mut Command) -> Result<Cost> {
    let (start, before) = (Instant::now(), processor_time());
    let output = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()?;
    let cost = Cost {
        wall: start.elapsed().as_secs_f64(),
        processor: processor_time()
            .zip(before)
            .map(|(after, before)| after - before),
    };
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(cost)
}

/// The processor time of the commands that have ended.
#[cfg(unix)]
fn processor_time() -> Option<f64> {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike as _;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).ok()?;
    let microseconds = (usage.user_time() + usage.system_time()).num_microseconds();
    Some(microseconds as f64 * 1e-6)
}

#[cfg(not(unix))]
fn processor_time() -> Option<f64> {
    None
}

/// The median; 0 of nothing.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 100.0]), 3.0);
        assert_eq!(median(Vec::new()), 0.0);
    }

    #[test]
    fn a_failure_is_told_in_its_own_words() {
        let mut command = Command::new("cargo");
        let error = cost_of(command.arg("no-such-command")).unwrap_err();
        assert!(error.to_string().contains("no-such-command"), "{error}");
    }
}
