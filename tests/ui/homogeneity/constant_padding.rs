use xdnn::network;

network! {
    struct Net(image: [3, 32, 32]) -> [10] {
        ConstantPad2d(1, 0.5) -> Flatten -> fc: Linear(10);
    }
}

fn main() {}
