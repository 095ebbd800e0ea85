use xdnn::network;

network! {
    /// Ten mistakes, and ten messages.
    pub struct Net(image: [3, 32, 32]) -> [10] {
        const WIDTH: usize = 64;
        block unit(width) {
            conv: Conv2d(widht, kernel = 3) -> Gelu;
        }
        stem: Conv2d(WIDTH, kernel_size = 5, bias = true) -> MaxPool2d(3, stride = 2);
        unit(WIDTH) -> BatchNorm2d(64);
        let unused = Relu;
        AdaptiveAvgPool2d(6, 6) -> Flatten -> Linear(4096) -> ReLU;
        stem: Linear(10) -> Softmax;
    }
}

fn main() {}
