use xdnn::network;

network! {
    struct Net(image: [3, 32, 32]) -> [10] {
        ConvTranspose2d(8, kernel = 3) -> Conv3d(8) -> CReLU -> MinPool2d(2) -> Flatten;
        fc: Linear(10);
    }
}

fn main() {}
