use xdnn::xdnn;

const WIDTH: usize = 64;

mod config {
    pub const KERNEL: usize = 3;
}

#[xdnn]
struct Block {
    #[layer(2 * WIDTH, kernel = config::KERNEL)]
    conv: Conv2d,
    relu: Relu,
    head: Linear<WIDTH>,
}

fn main() {}
