use xdnn::network;

network! {
    struct Net(image: [3, 32, 32]) -> [10] {
        conv: Conv2d(8, kernel = 3, padding = 1) -> Relu;
        residual { down: Conv2d(16, kernel = 3, stride = 2, padding = 1) } -> Relu;
        GlobalAvgPool -> Flatten -> fc: Linear(10);
    }
}

fn main() {}
