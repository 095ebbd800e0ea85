use xdnn::network;

network! {
    struct Net(x: [8]) -> [8] {
        Blur(3);
    }
}

fn main() {}
