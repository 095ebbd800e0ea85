use xdnn::network;

network! {
    struct Net(image: [3, 32, 32]) -> [10] {
        conv: Conv2d(0, kernel = 3, stride = 1);
        pool: MaxPool2d(2, stride = 0, padding = 2) -> Dropout(1.0);
        Flatten -> fc: Linear(10);
    }
}

fn main() {}
