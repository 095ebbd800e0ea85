use xdnn::network;

network! {
    struct Net(x: [16]) {
        fc: Linear(4);
    }
}

fn main() {}
