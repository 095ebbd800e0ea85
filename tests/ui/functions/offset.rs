use xdnn::xdnn;

#[xdnn]
fn shifted(x: f32) -> f32 {
    x + 1.0
}

fn main() {
    shifted(1.0);
}
