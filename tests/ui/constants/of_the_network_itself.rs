use xdnn::network;

network! {
    struct Net(x: [Self::WIDTH]) -> [4] {
        fc: Linear(4);
    }
}

fn main() {}
