use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        fc: Linear(5);
    }
}

fn main() {}
