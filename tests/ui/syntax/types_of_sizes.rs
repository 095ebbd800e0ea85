use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        const SLOPE: f32 = 0.1;
        block unit(n: usize) { fc: Linear(n) -> LeakyRelu(SLOPE); }
        unit(4);
    }
}

fn main() {}
