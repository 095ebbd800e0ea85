use xdnn::xdnn;

#[xdnn]
fn double_precision(x: f64) -> f64 {
    x.max(0.0)
}

#[xdnn]
fn of_two(x: f32, y: f32) -> f32 {
    x.max(y)
}

#[xdnn]
fn generic<T>(x: f32) -> f32 {
    x
}

#[xdnn]
async fn asynchronous(x: f32) -> f32 {
    x
}

#[xdnn(degree = 1)]
fn with_an_argument(x: f32) -> f32 {
    x
}

#[xdnn]
enum Item {}

fn main() {}
