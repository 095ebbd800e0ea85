//! Whether two frameworks have computed the same.

use anyhow::{Result, ensure};

use super::work::Task;

/// How far results may be apart, as a part of the largest: a few hundred roundings of `f32`.
const TOLERANCE: f64 = 1e-4;
/// How far attributions may be apart, in the Euclidean norm. Where a ReLU or a pool is close to deciding otherwise an
/// attribution has a jump, so that roundings move it more than its sum: X-VGG16's is 0.7 % from that in `f64` in PyTorch.
const DISTANCE: f64 = 0.02;
/// The first of the results of training steps: the values of the objective in two of them. The others are the gradient in
/// the first one.
const VALUES: usize = 2;

/// Refuses results that differ by more than roundings.
pub fn agree(task: Task, expected: &[f32], found: &[f32]) -> Result<()> {
    ensure!(expected.len() == found.len(), "results of another size");
    let numbers = |values: &[f32]| values.iter().copied().map(f64::from).collect::<Vec<_>>();
    let (expected, found) = (numbers(expected), numbers(found));
    ensure!(
        expected.iter().chain(&found).all(|y| y.is_finite()),
        "results that are not finite"
    );
    match task {
        Task::Forward => near(&expected, &found, largest, TOLERANCE),
        Task::Step => {
            let at = VALUES.min(expected.len());
            near(&expected[..at], &found[..at], largest, TOLERANCE)?;
            near(&expected[at..], &found[at..], norm, TOLERANCE)
        }
        _ => {
            let [ours, theirs] = [&expected, &found].map(|values| values.iter().sum::<f64>());
            ensure!(
                (ours - theirs).abs() <= TOLERANCE * ours.abs(),
                "attributions that sum up to {ours} and {theirs}"
            );
            near(&expected, &found, norm, DISTANCE)
        }
    }
}

/// How far results are apart in the Euclidean norm, as a part of what is expected.
pub fn apart(expected: &[f32], found: &[f32]) -> f64 {
    let pairs = expected.iter().zip(found);
    let difference: Vec<f64> = pairs.map(|(a, b)| f64::from(*a) - f64::from(*b)).collect();
    let expected: Vec<f64> = expected.iter().copied().map(f64::from).collect();
    norm(&difference) / norm(&expected)
}

fn near(expected: &[f64], found: &[f64], size: fn(&[f64]) -> f64, limit: f64) -> Result<()> {
    let difference: Vec<_> = expected.iter().zip(found).map(|(a, b)| a - b).collect();
    let (size, apart) = (size(expected), size(&difference));
    ensure!(
        size > 0.0 && apart <= limit * size,
        "results of {size} that are {apart} apart, more than {limit} of that"
    );
    Ok(())
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|y| y * y).sum::<f64>().sqrt()
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0_f64, |most, y| most.max(y.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roundings_are_no_disagreement() {
        agree(Task::Forward, &[1.0, 2.0], &[1.0, 2.000_1]).unwrap();
        agree(Task::Attribute, &[1.0, 2.0], &[1.01, 1.99]).unwrap();
        agree(Task::Step, &[1.0, 2.0, 0.5], &[1.0, 2.0, 0.5]).unwrap();
    }

    #[test]
    fn other_results_are() {
        assert!(agree(Task::Forward, &[1.0, 2.0], &[1.0, 2.001]).is_err());
        assert!(agree(Task::Forward, &[1.0], &[1.0, 2.0]).is_err());
        assert!(agree(Task::Forward, &[f32::NAN], &[f32::NAN]).is_err());
        assert!(agree(Task::Attribute, &[1.0, 2.0], &[1.0, 2.001]).is_err());
        assert!(agree(Task::Attribute, &[1.0, 2.0], &[1.2, 1.8]).is_err());
        assert!(agree(Task::Step, &[1.0, 2.0, 0.5], &[1.0, 2.0, 0.501]).is_err());
    }
}
