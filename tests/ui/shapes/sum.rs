use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        sum(a: Linear(4), b: Linear(5));
    }
}

fn main() {}
