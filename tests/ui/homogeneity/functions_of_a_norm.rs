use xdnn::network;

network! {
    struct Net(x: [16]) -> [16] {
        let gate = x -> norm: RmsNorm -> Sigmoid -> GELU -> offset: AddBias;
        product(x, gate) -> late: Bias -> Softmax;
    }
}

fn main() {}
