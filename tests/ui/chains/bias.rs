use xdnn::xdnn;

#[xdnn(input = [784])]
struct Net {
    #[layer(128, bias = true)]
    fc1: Linear,
    relu1: Relu,
    head: Linear<10>,
}

#[xdnn]
struct Block {
    #[layer(64, kernel = 3, bias = true)]
    conv: Conv2d,
}

fn main() {}
