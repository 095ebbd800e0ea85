use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        fc1: Linear(8, bias = true) -> Relu;
        fc2: Linear(4);
    }
}

fn main() {}
