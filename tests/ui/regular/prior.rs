use xdnn::prelude::*;

network! {
    #[regular]
    struct Mlp(x: [79]) -> [1] {
        fc1: Linear(32) -> Relu;
        head: Linear(1);
    }
}

fn main() {
    let (loss, adam) = (Loss::BinaryCrossEntropy, Adam::new(1e-3));
    let trainer = Trainer::new(&Mlp::init(Seed(1)), Device::Cpu, loss, adam, Seed(1)).unwrap();
    drop(trainer.with_prior(Prior::Gini { strength: 1.0 }));
}
