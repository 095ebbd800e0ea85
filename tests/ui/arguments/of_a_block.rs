use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        block unit(width, depth = 1) { repeat depth { fc: Linear(width) -> Relu; } }
        a: unit();
        b: unit(8, 2, 3);
        c: unit(widht = 8);
        d: unit(8, width = 8);
        head: Linear(4);
    }
}

fn main() {}
