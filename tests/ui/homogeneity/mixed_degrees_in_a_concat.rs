use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        let square = product(a: Linear(2), b: Linear(2));
        let plain = c: Linear(2);
        concat(plain, square);
    }
}

fn main() {}
