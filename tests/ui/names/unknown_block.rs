use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        stage(3, 64) -> stgae(4);
        fc: Linear(4);
        block stage(n) { Relu }
    }
}

fn main() {}
