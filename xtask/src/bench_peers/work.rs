//! What is measured.

use super::peers::{BURN, CANDLE, CAPTUM, CHANNELS_LAST, COMPILE, JAX, ONNX_RUNTIME, PYTORCH};

/// What is done, by whom, and how many times as well as by the best of them it should be.
pub struct Work {
    pub network: &'static str,
    pub task: Task,
    pub batch: usize,
    pub goal: f64,
    pub peers: &'static [&'static str],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    Forward,
    /// X-Gradient.
    Attribute,
    /// A step of training with a prior on the attributions.
    Step,
    /// Integrated Gradients, which is measured against X-Gradient.
    Integrate,
    /// A process from its start to its first attribution.
    First,
    /// The memory of X-Gradient.
    Memory,
}

const ALL: &[&str] = &[
    PYTORCH,
    CHANNELS_LAST,
    COMPILE,
    JAX,
    ONNX_RUNTIME,
    CANDLE,
    BURN,
];
/// Those that compute gradients.
const GRADIENTS: &[&str] = &[PYTORCH, CHANNELS_LAST, COMPILE, JAX, CANDLE, BURN];
/// Those, where there are no images.
const FLAT: &[&str] = &[PYTORCH, COMPILE, JAX, CANDLE, BURN];
/// Those that differentiate gradients.
const SECOND_ORDER: &[&str] = &[PYTORCH, COMPILE, JAX];

const fn work(
    task: Task,
    network: &'static str,
    batch: usize,
    goal: f64,
    peers: &'static [&'static str],
) -> Work {
    Work {
        network,
        task,
        batch,
        goal,
        peers,
    }
}

pub static WORKS: [Work; 14] = [
    work(Task::Attribute, "XAlexNet", 1, 2.5, GRADIENTS),
    work(Task::Attribute, "XAlexNet", 8, 1.5, GRADIENTS),
    work(Task::Attribute, "XVgg16", 1, 2.0, GRADIENTS),
    work(Task::Attribute, "XVgg16", 4, 1.8, GRADIENTS),
    work(Task::Attribute, "XResNet50", 1, 1.6, GRADIENTS),
    work(Task::Attribute, "XResNet50", 8, 1.4, GRADIENTS),
    work(Task::Forward, "XAlexNet", 1, 1.2, ALL),
    work(Task::Forward, "XVgg16", 1, 1.2, ALL),
    work(Task::Forward, "XResNet50", 1, 1.2, ALL),
    work(Task::Attribute, "NhanesMlp", 100, 5.0, FLAT),
    work(Task::Step, "NhanesMlp", 100, 5.0, SECOND_ORDER),
    work(
        Task::Integrate,
        "XResNet50",
        1,
        100.0,
        &[PYTORCH, CHANNELS_LAST, COMPILE, CAPTUM],
    ),
    work(Task::First, "XAlexNet", 1, 10.0, &[CAPTUM]),
    // 0.4 times the memory.
    work(Task::Memory, "XResNet50", 8, 2.5, &[PYTORCH, CHANNELS_LAST]),
];

impl Work {
    pub fn name(&self) -> String {
        let (network, batch) = (title(self.network), self.batch);
        match self.task {
            Task::Forward => format!("forward, {network}, batch {batch}"),
            Task::Attribute => format!("X-Gradient, {network}, batch {batch}"),
            Task::Step => format!("training step with a prior, {network}, batch {batch}"),
            Task::Integrate => format!(
                "X-Gradient against Integrated Gradients with 128 steps, {network}, batch {batch}"
            ),
            Task::First => format!("whole process, {network}, the first attribution"),
            Task::Memory => format!("peak memory of X-Gradient, {network}, batch {batch}"),
        }
    }

    /// Whether the same is done on both sides, in a process that is warm.
    pub fn is_alike(&self) -> bool {
        matches!(self.task, Task::Forward | Task::Attribute | Task::Step)
    }

    /// With what number of threads it is measured.
    pub fn wants(&self, threads: usize) -> bool {
        self.task != Task::Memory || threads == 1
    }
}

impl Task {
    /// Its name in the commands to a peer.
    pub fn command(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Step => "step",
            Self::Integrate => "integrate",
            Self::Attribute | Self::First | Self::Memory => "attribute",
        }
    }
}

pub fn title(network: &str) -> &str {
    match network {
        "XAlexNet" => "X-AlexNet",
        "XVgg16" => "X-VGG16",
        "XResNet50" => "X-ResNet-50",
        "NhanesMlp" => "MLP 79-512-128-32-1",
        other => other,
    }
}

/// The works whose names contain a pattern, in any case.
pub fn named(pattern: &str) -> Vec<&'static Work> {
    let pattern = pattern.to_lowercase();
    let works = WORKS.iter();
    works
        .filter(|work| work.name().to_lowercase().contains(&pattern))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn works_are_found_by_a_part_of_their_name() {
        assert_eq!(named("peak memory").len(), 1);
        assert_eq!(named("x-vgg16").len(), 3);
        assert_eq!(named("").len(), WORKS.len());
        assert!(named("X-LeNet").is_empty());
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = WORKS.iter().map(Work::name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), WORKS.len());
    }
}
