use xdnn::network;

const N: usize = 2;

network! {
    struct Net(x: [16]) -> [4] {
        repeat N { Relu }
        Dropout(N) -> LeakyRelu(crate::N) -> Reshape(1, 16) -> MaxPool1d(2, ceil_mode = N);
        Flatten -> head: Linear(4);
        repeat crate::N - 1 { Relu }
    }
}

fn main() {}
