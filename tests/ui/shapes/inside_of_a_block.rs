use xdnn::network;

network! {
    struct Net(image: [3, 12, 12]) -> [10] {
        block unit(width) { conv: Conv2d(width, kernel = 3) -> Relu; }
        block stage(n, width) { repeat n { unit(width); } MaxPool2d(2); }
        s1: stage(2, 8);
        s2: stage(n = 2, width = 16);
        Flatten -> fc: Linear(10);
    }
}

fn main() {}
