use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        repeat 2 { fc: Linear(16) -> Relu; }
        head: Linear(4);
    }
}

fn main() {}
