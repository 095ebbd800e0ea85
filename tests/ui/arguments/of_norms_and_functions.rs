use xdnn::network;

network! {
    struct Misfits(x: [6, 4]) -> [1] {
        L2Normalize -> Softmax(dim = 3) -> norm: LayerNorm(6) -> groups: GroupNorm(3, num_channels = 8);
        Flatten -> fc: Linear(1);
    }
}

network! {
    struct OutOfRange(x: [6, 4]) -> [1] {
        Power(3.14159) -> Maxout(4) -> Softshrink(-1) -> Hardtanh(1, -1) -> Celu(0) -> L2Normalize(dim = 0);
        Flatten -> fc: Linear(1);
    }
}

fn main() {}
