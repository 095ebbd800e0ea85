use xdnn::xdnn;

#[xdnn(input = [784])]
struct Net {
    fc1: Linear<128>,
    act1: Sigmoid,
    norm1: BatchNorm1d,
    head: Linear<10>,
    probabilities: Softmax,
}

fn main() {}
