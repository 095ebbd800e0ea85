use xdnn::network;

network! {
    #[regular(bias = false)]
    struct Net(x: [4]) -> [4] {
        fc: Linear(4) -> Lstm(4);
    }
}

fn main() {}
