use xdnn::xdnn;

#[xdnn(input = [1, 28, 28])]
struct Net {
    #[layer(16, kernel = 5)]
    conv1: Conv2d,
    pool1: MaxPool2d<30>,
    flatten: Flatten,
    #[layer(8, kernel = 3)]
    conv2: Conv2d,
    head: Linear<10>,
}

fn main() {
    let _ = <Net as xdnn::Network>::OUTPUT;
}
