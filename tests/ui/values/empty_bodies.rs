use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        block b() {}
        residual {} -> repeat 2 {} -> b();
        fc: Linear(4);
    }
}

fn main() {}
