use xdnn::network;

network! {
    struct Net(image: [3, 32, 32]) -> [10] {
        conv1: Conv2d -> conv2: Conv2d(8) -> MaxPool2d;
        Reshape -> fc: Linear(kernel = 10);
    }
}

fn main() {}
