use xdnn::network;

network! {
    struct Net(image: [3, 32, 32]) -> [10] {
        SeparableConv2d(8, kernel = 3) -> Unfold(8) -> Droppath -> FractionalMaxPool2d(2) -> Flatten;
        fc: Linear(10);
    }
}

fn main() {}
