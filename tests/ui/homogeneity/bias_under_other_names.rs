use xdnn::network;

network! {
    struct Net(x: [1, 8, 8]) -> [4] {
        conv: Conv2d(8, kernel = 3, use_bias = true) -> Relu -> MaxPool2d(2, bias = true);
        Flatten -> fc: Linear(4, bias = 1);
    }
}

fn main() {}
