use xdnn::xdnn;

#[xdnn(input = [1, 28, 28])]
struct Kernel {
    #[layer(16, kernel = 5)]
    conv1: Conv2d,
    pool1: MaxPool2d<30>,
    flatten: Flatten,
    head: Linear<10>,
}

#[xdnn(input = [1, 28, 28])]
struct Flat {
    flatten: Flatten,
    #[layer(8, kernel = 3)]
    conv1: Conv2d,
}

fn main() {
    let _ = <Kernel as xdnn::Network>::OUTPUT;
}
