use xdnn::xdnn;

#[xdnn(input = [784])]
enum Enum {
    Fc(Linear),
}

#[xdnn]
mod layers {}

fn main() {}
