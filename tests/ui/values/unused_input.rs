use xdnn::network;

network! {
    struct Net(image: [3, 8, 8], audio: [100]) -> [10] {
        image -> Flatten -> fc: Linear(10);
    }
}

fn main() {}
