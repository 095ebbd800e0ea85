use xdnn::network;

network! {
    struct Custom<const CLASSES: usize = 10, const GROUPS: usize = 3>(image: [4, 6, 6]) -> [CLASSES] {
        conv: Conv2d(9, kernel = 3, groups = GROUPS) -> GlobalAvgPool -> Flatten;
        head: Linear(CLASSES);
    }
}

fn main() {}
