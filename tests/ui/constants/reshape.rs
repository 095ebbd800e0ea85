use xdnn::network;

const SEQUENCE: usize = 5;

network! {
    struct Net(x: [4, 6]) -> [3] {
        Reshape(SEQUENCE, 5) -> fc: Linear(8);
        Flatten -> head: Linear(3);
    }
}

fn main() {}
