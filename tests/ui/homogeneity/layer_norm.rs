use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        fc: Linear(4) -> LayerNorm(4);
    }
}

fn main() {}
