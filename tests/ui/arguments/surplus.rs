use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        Relu(1) -> fc1: Linear(16, 8) -> fc2: Linear(4, out_features = 4);
    }
}

fn main() {}
