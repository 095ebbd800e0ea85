use xdnn::network;

network! {
    struct Net(image: [3, 32, 32]) -> [10] {
        let a = image -> Flatten;
        concat(image, a) -> Flatten -> fc: Linear(10);
    }
}

fn main() {}
