use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        fc: Linear(4);
        norm: LayerNorm(4, eps = 1e-5);
        second: GroupNorm(2, eps = 1e-5);
    }
}

network! {
    struct WithoutEps(x: [16]) -> [4] {
        fc: Linear(4) -> norm: RmsNorm;
    }
}

fn main() {}
