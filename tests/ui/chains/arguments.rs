use xdnn::xdnn;

#[xdnn(inputs = [784])]
struct Misspelt {
    head: Linear<10>,
}

#[xdnn(input = [784], output = [10])]
struct WithOutput {
    head: Linear<10>,
}

#[xdnn(input = 784)]
struct NoShape {
    head: Linear<10>,
}

#[xdnn(input)]
struct NoValue {
    head: Linear<10>,
}

#[xdnn([784])]
struct NoName {
    head: Linear<10>,
}

#[xdnn(input = [])]
struct NoDimensions {
    head: Linear<10>,
}

#[xdnn(input = [784], input = [10])]
struct Twice {
    head: Linear<10>,
}

fn main() {}
