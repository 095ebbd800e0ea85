use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        repeat 1_000_000_000 { Relu; }
        fc: Linear(4);
    }
}

fn main() {}
