use xdnn::network;

mod config {}

network! {
    struct Net(x: [INPUTS]) -> [4] {
        fc1: Linear(config::WIDTH) -> Relu;
        fc2: Linear(CLASSES);
    }
}

fn main() {}
