use xdnn::xdnn;

#[xdnn(input = [784])]
struct Net<T, const CLASSES: usize> {
    head: Linear<CLASSES>,
}

#[xdnn]
struct Block<const WIDTH: usize> {
    fc: Linear<WIDTH>,
}

fn main() {}
