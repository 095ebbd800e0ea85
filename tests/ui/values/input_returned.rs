use xdnn::network;

network! {
    struct Net(x: [4]) -> [4] {
        x;
    }
}

fn main() {}
