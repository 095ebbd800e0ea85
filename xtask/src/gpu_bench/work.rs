//! What is measured on a GPU, the most telling first: time may run out.

use crate::bench_peers::peers::OURS;

pub const EAGER: &str = "cuda-eager";
pub const EAGER_LAST: &str = "cuda-eager-channels-last";
pub const GRAPH: &str = "cuda-graph";
pub const GRAPH_LAST: &str = "cuda-graph-channels-last";
pub const COMPILE: &str = "cuda-compile";

/// What the columns of tables say, in their order.
pub const COLUMNS: [(&str, &str); 6] = [
    (OURS, "xdnn"),
    (EAGER, "eager"),
    (EAGER_LAST, "eager, channels last"),
    (GRAPH, "CUDA graph"),
    (GRAPH_LAST, "CUDA graph, channels last"),
    (COMPILE, "`max-autotune`"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// X-Gradient of what is in the memory of the device.
    Attribute,
    /// X-Gradient by `attribute`, from the memory of the host and back to it.
    Host,
    /// Integrated Gradients with 128 steps, against the X-Gradient that it equals.
    Integrate,
    /// A training step with the Gini prior.
    Step,
    /// The same against one with a prior on Expected Gradients with 32 references.
    Expected,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    pub task: Task,
    pub network: &'static str,
    pub batch: usize,
}

const fn work(task: Task, network: &'static str, batch: usize) -> Work {
    Work {
        task,
        network,
        batch,
    }
}

pub const WORKS: [Work; 22] = [
    work(Task::Attribute, "XResNet50", 1),
    work(Task::Attribute, "XResNet50", 256),
    work(Task::Attribute, "XAlexNet", 1),
    work(Task::Attribute, "XAlexNet", 256),
    work(Task::Attribute, "XVgg16", 1),
    work(Task::Attribute, "XVgg16", 256),
    work(Task::Integrate, "XResNet50", 1),
    work(Task::Step, "NhanesMlp", 100),
    work(Task::Expected, "NhanesMlp", 100),
    work(Task::Host, "XResNet50", 1),
    work(Task::Host, "XResNet50", 256),
    work(Task::Attribute, "XResNet50", 32),
    work(Task::Attribute, "XAlexNet", 32),
    work(Task::Attribute, "XVgg16", 32),
    work(Task::Host, "XAlexNet", 1),
    work(Task::Host, "XVgg16", 1),
    work(Task::Integrate, "XAlexNet", 1),
    work(Task::Integrate, "XVgg16", 1),
    work(Task::Step, "NhanesMlp", 1024),
    work(Task::Expected, "NhanesMlp", 1024),
    work(Task::Host, "XAlexNet", 256),
    work(Task::Host, "XVgg16", 256),
];

/// What `--quick` measures.
pub const QUICK: [Work; 3] = [WORKS[0], WORKS[2], WORKS[7]];

/// What a machine without a GPU can do.
pub const SMALL: [Work; 3] = [
    work(Task::Attribute, "NhanesMlp", 4),
    work(Task::Host, "NhanesMlp", 4),
    work(Task::Step, "NhanesMlp", 8),
];

impl Work {
    pub fn name(&self) -> String {
        let what = match self.task {
            Task::Attribute => "X-Gradient",
            Task::Host => "X-Gradient from host to host",
            Task::Integrate => "Integrated Gradients with 128 steps",
            Task::Step => "training step with a prior",
            Task::Expected => "training step with a prior, against Expected Gradients of 32",
        };
        let network = crate::bench_peers::work::title(self.network);
        format!("{what}, {network}, batch {}", self.batch)
    }

    /// Those of PyTorch that do it.
    pub fn peers(&self) -> &'static [&'static str] {
        match self.task {
            // Where kernels are long it does not matter who launches them.
            Task::Attribute if self.batch == 1 => &[EAGER, EAGER_LAST, GRAPH, GRAPH_LAST, COMPILE],
            Task::Attribute => &[EAGER, EAGER_LAST, GRAPH_LAST, COMPILE],
            Task::Host | Task::Integrate => &[EAGER_LAST, GRAPH_LAST],
            Task::Step => &[EAGER, GRAPH, COMPILE],
            Task::Expected => &[EAGER, GRAPH],
        }
    }

    /// Its name in a command to PyTorch.
    pub fn command(&self) -> &'static str {
        match self.task {
            Task::Attribute => "attribute",
            Task::Host => "host",
            Task::Integrate => "integrate",
            Task::Step => "step",
            Task::Expected => "expected",
        }
    }

    /// Its name in a command to ours, and whether it is timed on the device alone.
    pub fn ours(&self) -> (&'static str, bool) {
        match self.task {
            Task::Attribute | Task::Integrate => ("attribute", true),
            Task::Host => ("attribute", false),
            Task::Step | Task::Expected => ("step", false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_work_is_there_once() {
        for (i, work) in WORKS.iter().enumerate() {
            assert!(!WORKS[..i].contains(work), "{}", work.name());
        }
    }

    #[test]
    fn the_quick_ones_are_small() {
        assert!(QUICK.iter().all(|work| work.batch <= 100));
    }
}
