use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        sum(a: Linear(4), product(b: Linear(4), c: Linear(4)));
    }
}

fn main() {}
