use xdnn::network;

network! {
    struct Net(x: [16]) -> [4]
}

fn main() {}
