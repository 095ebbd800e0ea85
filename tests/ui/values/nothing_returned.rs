use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        let y = fc: Linear(4);
    }
}

fn main() {}
