use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        const N: usize = 4 / (2 - 2);
        fc1: Linear(9223372036854775807 + 1) -> fc2: Linear(3 - 5) -> fc3: Linear(4 % 0);
    }
}

fn main() {}
