use xdnn::network;

network! {
    #[regular]
    struct Net(x: [16]) -> [4] {
        fc: Linear(4);
    }
}

fn main() {}
