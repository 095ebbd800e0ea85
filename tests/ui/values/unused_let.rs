use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        let y = a: Linear(4);
        b: Linear(4);
    }
}

fn main() {}
