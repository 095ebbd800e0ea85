use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        repaet 2 { Relu }
        residul { a: Linear(16) }
        sum(x, x) skip { Relu }
        head: Linear(4);
    }
}

fn main() {}
