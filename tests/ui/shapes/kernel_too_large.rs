use xdnn::network;

network! {
    struct Net(image: [3, 32, 32]) -> [10] {
        MaxPool2d(4) -> MaxPool2d(4) -> conv: Conv2d(8, kernel = 5, dilation = 2);
        Flatten -> fc: Linear(10);
    }
}

fn main() {}
