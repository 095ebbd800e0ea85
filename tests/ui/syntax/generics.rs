use xdnn::network;

network! {
    struct Types<T, 'a, const N: u32>(x: [N]) -> [4] {
        fc: Linear(4);
    }
}

network! {
    struct Commas<const N: usize,,>(x: [N]) -> [4] {
        fc: Linear(4);
    }
}

network! {
    struct Twice<const N: usize, const N: usize>(x: [N]) -> [4] {
        fc: Linear(4);
    }
}

fn main() {}
