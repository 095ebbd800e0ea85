use xdnn::{network, xdnn};

#[xdnn]
fn refused(x: f32) -> f32 {
    x + 1.0
}

#[xdnn]
fn squared(x: f32) -> f32 {
    x * x
}

network! {
    /// The mistake of a function is told once, and networks go on without it.
    struct Net(x: [4]) -> [2] {
        fc1: Linear(4) -> refused;
        fc2: Linear(2);
    }
}

network! {
    struct Mixed(x: [4]) -> [4] {
        sum(x, x -> squared);
    }
}

fn main() {
    let _ = <Net as xdnn::Network>::OUTPUT;
}
