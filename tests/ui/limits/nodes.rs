use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        block ten() { Relu -> Relu -> Relu -> Relu -> Relu -> Relu -> Relu -> Relu -> Relu -> Relu; }
        block many() { repeat 100 { ten(); } }
        repeat 100 { many(); }
        fc: Linear(4);
    }
}

fn main() {}
