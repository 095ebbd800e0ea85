use xdnn::network;

struct Config;

impl Config {
    const CLASSES: usize = 10;
}

network! {
    struct Net(x: [16]) -> [Config::CLASSES] {
        fc: Linear(12);
    }
}

fn main() {}
