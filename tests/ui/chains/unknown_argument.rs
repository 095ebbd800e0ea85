use xdnn::xdnn;

#[xdnn(input = [1, 28, 28])]
struct Net {
    #[layer(16, kernal = 5, stride = 2)]
    conv1: Conv2d,
    #[layer(2, ceil = true)]
    pool1: MaxPool2d,
    relu1: Relu<2>,
}

fn main() {}
