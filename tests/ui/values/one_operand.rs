use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        sum(fc: Linear(4)) -> product();
    }
}

fn main() {}
