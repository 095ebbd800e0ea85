use xdnn::prelude::*;

#[xdnn]
struct Net {
    fc1: Linear<128>,
    relu1: Relu,
    head: Linear<10>,
}

fn main() {
    let net = Net::init(Seed(1));
}
