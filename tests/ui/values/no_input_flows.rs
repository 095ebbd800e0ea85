use xdnn::network;

network! {
    struct Net(image: [100], audio: [100]) -> [10] {
        fc: Linear(10);
    }
}

fn main() {}
