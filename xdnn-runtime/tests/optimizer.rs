//! Optimizers against PyTorch's, step by step. The weights are the output of `optimizer.py`.
#![allow(clippy::unwrap_used)]

use xdnn_runtime::training::{Adam, AdamW, Optimizer, OptimizerState, Sgd};

/// Takes five steps down a polynomial and compares the weights after each.
fn follows(optimizer: impl Optimizer, expected: [[f32; 4]; 5]) {
    let mut state = OptimizerState::new(optimizer, [4]).unwrap();
    let mut weights = [[1.5_f32, -0.25, 0.0, 3.0]];
    for (step, expected) in expected.iter().enumerate() {
        let mut gradients = [[2.0_f32, -2.0, 0.0, -30.0]];
        for (g, w) in gradients[0].iter_mut().zip(&weights[0]) {
            *g += 3.0 * w * w;
        }
        state.step(&mut weights, &gradients).unwrap();
        for (found, expected) in weights[0].iter().zip(expected) {
            let error = (found - expected).abs();
            assert!(
                error <= 4e-6 * expected.abs().max(0.1),
                "step {step}: {weights:?}"
            );
        }
    }
}

/// One test a line: the optimizer, and PyTorch's weights after each step.
macro_rules! follow_pytorch {
    ($($name:ident: $optimizer:expr => $expected:expr;)*) => {$(
        #[test]
        fn $name() {
            follows($optimizer, $expected);
        }
    )*};
}

follow_pytorch! {
    plain: Sgd::new(0.1) => [
        [0.625, -0.068749994, 0.0, 3.3],
        [0.30781248, 0.12983204, 0.0, 3.0330002],
        [0.07938793, 0.32477513, 0.0, 3.273273],
        [-0.122502804, 0.49313146, 0.0, 3.058978],
        [-0.32700488, 0.62017787, 0.0, 3.251774],
    ];
    decayed: Sgd { weight_decay: 0.3, ..Sgd::new(0.1) } => [
        [0.58, -0.061249994, 0.0, 3.21],
        [0.26167998, 0.13946205, 0.0, 3.02247],
        [0.033286635, 0.32944328, 0.0, 3.1911986],
        [-0.16804436, 0.4870001, 0.0, 3.040338],
        [-0.3714747, 0.6012394, 0.0, 3.1760314],
    ];
    momentum: Sgd { momentum: 0.9, ..Sgd::new(0.05) } => [
        [1.0625, -0.159375, 0.0, 3.15],
        [0.39941406, 0.01837744, 0.0, 3.296625],
        [-0.32129303, 0.27830398, 0.0, 3.2984269],
        [-1.0854138, 0.6006199, 0.0, 3.1681056],
        [-2.049841, 0.9365926, 0.0, 3.0452826],
    ];
    nesterov: Sgd { momentum: 0.8, weight_decay: 0.1, nesterov: true, ..Sgd::new(0.05) } => [
        [0.69900006, -0.084625006, 0.0, 3.243],
        [0.095986776, 0.15300305, 0.0, 3.1606097],
        [-0.42834723, 0.43592867, 0.0, 3.1441176],
        [-0.9920097, 0.7104579, 0.0, 3.144925],
        [-1.7794096, 0.9119523, 0.0, 3.1456509],
    ];
    adam: Adam::new(0.1) => [
        [1.4, -0.15, 0.0, 3.1],
        [1.300409, -0.04988435, 0.0, 3.1894717],
        [1.2015162, 0.050363854, 0.0, 3.2475948],
        [1.1036148, 0.15068638, 0.0, 3.2639718],
        [1.0069941, 0.25092548, 0.0, 3.2503228],
    ];
    adam_decayed: Adam { betas: [0.8, 0.95], epsilon: 1e-3, weight_decay: 0.2, ..Adam::new(0.02) } => [
        [1.4800022, -0.23001073, 0.0, 3.0199916],
        [1.4600229, -0.21001054, 0.0, 3.0397747],
        [1.4400743, -0.18999392, 0.0, 3.0591488],
        [1.4201685, -0.16995671, 0.0, 3.0778527],
        [1.400317, -0.14989617, 0.0, 3.095553],
    ];
    adam_w: AdamW::new(0.1) => [
        [1.3985, -0.14975001, 0.0, 3.097],
        [1.2975187, -0.049484484, 0.0, 3.1840844],
        [1.1973505, 0.05081327, 0.0, 3.2419198],
        [1.0982925, 0.1510846, 0.0, 3.2592564],
        [1.0006368, 0.25117144, 0.0, 3.2463205],
    ];
    adam_w_decayed: AdamW { betas: [0.7, 0.9], epsilon: 1e-4, weight_decay: 0.5, ..AdamW::new(0.02) } => [
        [1.4650003, -0.22750111, 0.0, 2.9899993],
        [1.4303987, -0.20520616, 0.0, 2.9801621],
        [1.3962218, -0.1831033, 0.0, 2.9705205],
        [1.3624933, -0.16118415, 0.0, 2.9610984],
        [1.3292333, -0.13944376, 0.0, 2.951912],
    ];
}
