use xdnn::network;

network! {
    struct Net(image: [3, 32, 32]) -> [10] {
        Reshape(3, 16, 16) -> Reshape(-1, 64) -> Flatten -> fc: Linear(10);
    }
}

fn main() {}
