use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        LSTM(4);
    }
}

fn main() {}
