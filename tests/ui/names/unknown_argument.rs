use xdnn::network;

network! {
    struct Net(image: [3, 32, 32]) -> [10] {
        conv: Conv2d(8, kernel = 3, paddding = 1, in_channels = 3, padding_mode = zeros) -> Relu(inplace = true);
        Flatten -> fc: Linear(10, units = 3);
    }
}

fn main() {}
