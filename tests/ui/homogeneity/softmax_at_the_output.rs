use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        fc: Linear(4) -> Softmax(dim = 1);
    }
}

fn main() {}
