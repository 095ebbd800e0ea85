//! Operators in a few words, for listings.

use crate::ops::{Blocked, Convolution, Map, Op, PoolWindow, Role, Slopes, Stage};

/// An operator in a few words.
pub(in super::super) fn label(op: &Op) -> String {
    match op {
        Op::Fused(fused) => {
            let stages = fused
                .stages
                .iter()
                .map(|stage| format!(" → {}", self::stage(*stage)));
            label(&fused.op) + &stages.collect::<String>()
        }
        Op::Convolution(op) => convolution(op),
        Op::Blocked(Blocked::Convolution(op)) => format!("blocked {}", convolution(op)),
        Op::MatMul(op) => {
            let of = |name: &str, transposed: bool| match transposed {
                true => format!("{name}ᵀ"),
                false => name.to_owned(),
            };
            of("A", op.transpose_a) + "·" + &of("B", op.transpose_b)
        }
        Op::PoolWinner(op) => format!("{:?} of {}", op.winner, window(&op.window)),
        Op::PoolGather(op) => format!("gather {}", window(&op.window)),
        Op::PoolScatter(op) => format!("scatter {}", window(&op.window)),
        Op::AxisMap(op) => format!("axis {}: {:?}", op.axis, op.map),
        Op::Sum(op) => format!("sum over {:?}", op.axes),
        Op::Broadcast(op) => format!("broadcast over {:?}", op.axes),
        Op::Map(op) => map(*op),
        Op::Select(op) => stage(Stage::Select(*op)),
        Op::Slice(op) => format!("slice {} from {} of axis {}", op.length, op.start, op.axis),
        Op::Place(op) => format!("place from {} in {} of axis {}", op.start, op.size, op.axis),
        Op::Permute(op) => format!("permute {:?}", op.axes),
        Op::Constant(op) => op.value.to_string(),
        op => op.name().to_owned(),
    }
}

fn convolution(op: &Convolution) -> String {
    let role = match op.role {
        Role::Forward => "convolution",
        Role::InputGradient => "input gradient",
        Role::WeightGradient => "weight gradient",
    };
    let mut text = role.to_owned();
    let mut say = |name: &str, sizes: [usize; 3], usual: usize| {
        if sizes.iter().any(|size| *size != usual) {
            text += &format!(" {name} {}", across(sizes));
        }
    };
    say("step", op.stride, 1);
    say("padding", op.padding, 0);
    say("dilation", op.dilation, 1);
    match op.groups {
        1 => text,
        groups => format!("{text} of {groups} groups"),
    }
}

fn window(window: &PoolWindow) -> String {
    format!("{} step {}", across(window.kernel), across(window.stride))
}

fn across([depth, height, width]: [usize; 3]) -> String {
    format!("{depth}×{height}×{width}")
}

fn stage(stage: Stage) -> String {
    match stage {
        Stage::Map(function) => map(function),
        Stage::Select(select) => format!("select {} or {}", select.positive, select.other),
        stage => format!("{stage:?}"),
    }
}

fn map(map: Map) -> String {
    match map {
        Map::PiecewiseLinear(Slopes::RELU) => "ReLU".to_owned(),
        map => format!("{map:?}"),
    }
}
