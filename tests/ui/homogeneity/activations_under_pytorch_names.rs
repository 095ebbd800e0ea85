use xdnn::network;

network! {
    struct Net(x: [16]) -> [4] {
        fc: Linear(4);
        Tanh -> GELU -> SiLU -> Swish -> Mish -> ELU -> SELU -> CELU;
        Softplus -> Softsign -> Hardswish -> Hardsigmoid -> Hardtanh -> ReLU6;
        Exp -> Log -> Sin;
    }
}

fn main() {}
