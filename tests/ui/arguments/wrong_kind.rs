use xdnn::network;

network! {
    struct Net(image: [3, 32, 32]) -> [10] {
        conv: Conv2d(8.0, kernel = (3, 3, 3), stride = true, padding = "same", dilation = [1, 1]);
        MaxPool2d(2, ceil_mode = True) -> Dropout("half") -> Upsample(2, mode = "bilinear");
        Upsample(2, mode = trilinear) -> Flatten -> fc: Linear(10);
    }
}

fn main() {}
