use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        block b() { Relu }
        block b() { Abs }
        const N: usize = 4;
        const N: usize = 5;
        b() -> fc: Linear(N);
    }
}

fn main() {}
