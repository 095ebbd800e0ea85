use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        fc1: Linear(9000000000) -> fc2: Linear(9000000000) -> fc3: Linear(4);
    }
}

fn main() {}
