use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        block a() { Relu -> b(); }
        block b() { a(); }
        a() -> fc: Linear(4);
    }
}

fn main() {}
