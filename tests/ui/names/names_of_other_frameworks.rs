use xdnn::network;

network! {
    struct Net(image: [3, 32, 32]) -> [10] {
        conv: Conv2D(8, kernel_size = 3, strides = 2) -> ReLU -> MaxPooling2D(pool_size = 2);
        LeakyReLU(alpha = 0.1) -> GlobalAveragePooling2D -> Flatten;
        fc: Dense(units = 10);
    }
}

fn main() {}
