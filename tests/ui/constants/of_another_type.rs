use xdnn::network;

const WIDTH: u32 = 8;
const SLOPE: f64 = 0.1;

network! {
    struct Net(x: [16]) -> [4] {
        fc1: Linear(WIDTH) -> Relu;
        fc2: Linear(crate::SLOPE);
        fc3: Linear(4);
    }
}

fn main() {}
