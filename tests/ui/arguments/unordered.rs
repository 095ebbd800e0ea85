use xdnn::network;

network! {
    struct Net(image: [3, 32, 32]) -> [10] {
        conv: Conv2d(8, kernel = 3, 2);
        Flatten -> fc: Linear(10);
    }
}

fn main() {}
