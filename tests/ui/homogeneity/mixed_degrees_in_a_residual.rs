use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        residual { product(a: Linear(16), b: Linear(16)) };
        head: Linear(4);
    }
}

fn main() {}
