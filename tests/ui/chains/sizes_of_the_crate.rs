use xdnn::xdnn;

const KERNEL: usize = 9;

#[xdnn(input = [1, 8, 8])]
struct Net {
    #[layer(4, kernel = KERNEL)]
    conv: Conv2d,
}

fn main() {}
