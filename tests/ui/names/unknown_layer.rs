use xdnn::network;

network! {
    struct Net(image: [3, 32, 32]) -> [10] {
        conv: Convd2(8, kernel = 3) -> Frobnicate;
        Flatten -> fc: Linear(10);
    }
}

fn main() {}
