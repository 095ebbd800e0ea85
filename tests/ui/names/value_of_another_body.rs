use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        block b() { sum(x, fc: Linear(16)) }
        b() -> head: Linear(4);
    }
}

fn main() {}
