use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        fc: Linear(4) -> SelfAttention(4, 2);
        PositionalEncoding -> Embedding(10, 4);
    }
}

fn main() {}
