use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        block Relu() { Abs }
        Relu -> fc: Linear(4);
    }
}

fn main() {}
