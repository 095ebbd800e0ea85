use xdnn::{network, xdnn};

const WIDTH: usize = 64;

#[xdnn(input = [784])]
struct Features {
    fc: Linear<WIDTH>,
    relu: Relu,
}

network! {
    struct Net(x: [784]) -> [10] {
        features: Features;
        head: Linear(10);
    }
}

fn main() {}
