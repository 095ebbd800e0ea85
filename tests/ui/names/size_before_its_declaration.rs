use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        const A: usize = 2 * B;
        const B: usize = 2;
        fc: Linear(A);
    }
}

fn main() {}
