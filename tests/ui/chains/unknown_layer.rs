use xdnn::xdnn;

#[xdnn(input = [1, 28, 28])]
struct Net {
    #[layer(16, kernel = 5)]
    conv1: Covn2d,
    relu1: relu,
    pool1: MaxPool2D<2>,
    flatten: Flaten,
    head: Dense<10>,
}

fn main() {}
