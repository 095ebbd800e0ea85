use xdnn::network;

network! {
    struct Net(image: [3, 32, 32]) -> [10] {
        MaxPool2d(2, padding = 2) -> Flatten -> fc: Linear(10);
    }
}

fn main() {}
