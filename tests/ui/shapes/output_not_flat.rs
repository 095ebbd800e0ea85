use xdnn::network;

network! {
    struct Net(image: [3, 32, 32]) -> [10] {
        conv: Conv2d(10, kernel = 3) -> GlobalAvgPool;
    }
}

fn main() {}
