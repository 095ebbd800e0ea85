use xdnn::xdnn;

#[xdnn]
struct Block {
    conv1: Conv2d,
    conv2: Conv2d<16>,
    pool1: MaxPool2d,
}

fn main() {}
