use xdnn::{network, xdnn};

#[xdnn]
fn relu(x: f32) -> f32 {
    x.max(0.0)
}

network! {
    struct Net(x: [4]) -> [2] {
        fc1: Linear(4) -> relu;
        fc2: Linear(4) -> self::relu;
        fc3: Linear(2) -> sigmoid;
    }
}

fn main() {}
