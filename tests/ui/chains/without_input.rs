use xdnn::prelude::*;

#[xdnn]
struct Net {
    fc1: Linear<128>,
    relu1: Relu,
    head: Linear<10>,
}

fn main() {
    let _net = Net::init(Seed(1));
    let _shape = <Net as Network>::OUTPUT;
}
