use xdnn::xdnn;

#[xdnn]
fn root(x: f32) -> f32 {
    x.sqrt()
}

#[xdnn]
fn sign(x: f32) -> f32 {
    x / x.abs()
}

#[xdnn]
fn inverse(x: f32) -> f32 {
    1.0 / x
}

#[xdnn]
fn nothing(x: f32) -> f32 {
    x - x
}

fn main() {}
