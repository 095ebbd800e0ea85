use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        let square = product(a: Linear(4), b: Linear(4));
        let least = min(c: Linear(4), square);
        max(least, square);
    }
}

fn main() {}
