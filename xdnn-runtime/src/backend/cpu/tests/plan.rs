//! Where things are put.

use super::super::CpuProgram;
use super::compile;
use crate::backend::memory::Lifetime;
use crate::backend::plan::Place;
use crate::backend::testing::networks::residual;
use crate::graph::{Graph, Loss, Task};
use crate::passes::{FuseElementwise, SlopesAsBits};

fn program(task: Task) -> CpuProgram {
    let mut graph = Graph::build(&residual(), task, 2).unwrap();
    graph.compile_with(SlopesAsBits).unwrap();
    graph.compile_with(FuseElementwise).unwrap();
    compile(&graph).unwrap()
}

#[test]
fn values_of_the_same_time_lie_apart() {
    for task in [
        Task::Forward,
        Task::Attribute,
        Task::Train(Loss::CrossEntropy),
        Task::TrainWithGini(Loss::CrossEntropy),
    ] {
        let program = program(task);
        let buffers = &program.plan.buffers;
        let alive = |a: &Lifetime, b: &Lifetime| a.first <= b.last && b.first <= a.last;
        for (i, (a, at)) in buffers.iter().enumerate() {
            for (b, there) in &buffers[i + 1..] {
                let apart = at + a.size <= *there || there + b.size <= *at;
                assert!(apart || a.size * b.size == 0 || !alive(a, b), "{program}");
            }
        }
        for (i, step) in program.plan.steps.iter().enumerate() {
            for place in step.operands.iter().chain([step.target()]) {
                let Place::Arena(range) = place else { continue };
                let lives = |(life, offset): &(Lifetime, usize)| {
                    *offset == range.start
                        && life.size == range.len()
                        && life.first <= i
                        && i <= life.last
                };
                assert!(buffers.iter().any(lives), "step {i} of {program}");
            }
        }
    }
}

#[test]
fn the_arena_is_hardly_larger_than_what_is_alive_at_once() {
    for task in [Task::Forward, Task::Attribute] {
        let program = program(task);
        let alive = |step: usize| -> usize {
            let buffers = program.plan.buffers.iter();
            buffers
                .filter(|(life, _)| (life.first..=life.last).contains(&step))
                .map(|(life, _)| life.size.next_multiple_of(16))
                .sum()
        };
        let most = (0..program.plan.steps.len()).map(alive).max().unwrap();
        assert!(4 * program.plan.arena <= 5 * most, "{most} of {program}");
    }
}

#[test]
fn the_plan_of_a_residual_network() {
    let listing = program(Task::Attribute).to_string();
    // How much a lane takes depends on how wide the vectors of this machine are.
    let (first, steps) = listing.split_once('\n').unwrap();
    let (sizes, _) = first.rsplit_once(", ").unwrap();
    insta::assert_snapshot!(format!("{sizes}\n{steps}"));
}
