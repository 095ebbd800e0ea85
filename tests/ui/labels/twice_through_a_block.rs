use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        block unit(n) { fc: Linear(n) -> Relu; }
        unit(8);
        unit(4);
    }
}

fn main() {}
