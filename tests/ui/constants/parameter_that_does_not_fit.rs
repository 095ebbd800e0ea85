use xdnn::network;

network! {
    struct Custom<const SIDE: usize>(image: [1, SIDE, SIDE]) -> [8, 1, 1] {
        conv: Conv2d(8, kernel = 5) -> GlobalAvgPool;
    }
}

const _: () = xdnn::verify::<Custom<5>>();
const _: () = xdnn::verify::<Custom<4>>();

fn main() {}
