use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        fc: Linear(8) -> Relu;
        fc: Linear(4);
    }
}

fn main() {}
