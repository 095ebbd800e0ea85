use xdnn::xdnn;

#[xdnn]
struct Linear {
    relu: Relu,
}

#[xdnn]
struct Recursive {
    relu: Relu,
    again: Recursive,
}

fn main() {}
