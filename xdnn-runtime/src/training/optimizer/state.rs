//! What an optimizer remembers, and its steps on all tensors of a network.

use super::Optimizer;
use crate::{Error, Result};

/// Weights that one thread moves at a time.
const CHUNK: usize = 1 << 15;

/// An optimizer at work: the formula, the number of steps taken, and what is remembered for each weight.
///
/// A step gives the same bits with any number of threads.
#[derive(Clone, Debug)]
pub struct OptimizerState<O> {
    optimizer: O,
    steps: u64,
    tensors: Vec<Tensor>,
}

#[derive(Clone, Debug)]
struct Tensor {
    size: usize,
    /// As many slices as the formula remembers, each of that size.
    memory: Vec<Vec<f32>>,
}

impl<O: Optimizer> OptimizerState<O> {
    /// An optimizer before its first step, for tensors with these numbers of weights.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] for a hyperparameter that makes no sense.
    pub fn new(optimizer: O, sizes: impl IntoIterator<Item = usize>) -> Result<Self> {
        optimizer.check()?;
        let slices = optimizer.memory();
        let tensor = |size| Tensor {
            size,
            memory: vec![vec![0.0; size]; slices],
        };
        Ok(Self {
            tensors: sizes.into_iter().map(tensor).collect(),
            optimizer,
            steps: 0,
        })
    }

    /// Goes on where another state was: after `steps` steps and with what its [`memory`](Self::memory) held.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] when `memory` is that of another formula or of other tensors; nothing has changed then.
    pub fn resume(&mut self, steps: u64, memory: Vec<Vec<Vec<f32>>>) -> Result<()> {
        let lengths = |memory: &[Vec<f32>]| memory.iter().map(Vec::len).collect::<Vec<_>>();
        let own: Vec<_> = self.memory().map(lengths).collect();
        let found: Vec<_> = memory.iter().map(|memory| lengths(memory)).collect();
        if own != found {
            let expected = "that of the same optimizer and the same network";
            let found = format!("slices of {found:?} numbers where there are {own:?}");
            return Err(Error::option("memory", expected, found));
        }
        self.steps = steps;
        for (tensor, memory) in self.tensors.iter_mut().zip(memory) {
            tensor.memory = memory;
        }
        Ok(())
    }

    /// The number of steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// What is remembered, for each tensor the slices of the formula; enough, with [`steps`](Self::steps), to
    /// [`resume`](Self::resume).
    pub fn memory(&self) -> impl Iterator<Item = &[Vec<f32>]> {
        self.tensors.iter().map(|tensor| tensor.memory.as_slice())
    }

    /// The formula and its hyperparameters.
    pub fn optimizer(&self) -> &O {
        &self.optimizer
    }

    /// Changes the learning rate from the next step on.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] when it makes no sense; the old one stays then.
    pub fn set_learning_rate(&mut self, learning_rate: f64) -> Result<()> {
        let mut optimizer = self.optimizer.clone();
        optimizer.set_learning_rate(learning_rate);
        optimizer.check()?;
        self.optimizer = optimizer;
        Ok(())
    }

    /// Moves all weights along their gradients. Both have the order and the sizes given to [`new`](Self::new).
    ///
    /// # Errors
    ///
    /// [`Error::WeightCount`] for other tensors and [`Error::WeightShape`] for a tensor or a gradient of another size;
    /// nothing has moved then.
    pub fn step<W, G>(&mut self, weights: &mut [W], gradients: &[G]) -> Result<()>
    where
        W: AsMut<[f32]>,
        G: AsRef<[f32]>,
    {
        let expected = self.tensors.len();
        for found in [weights.len(), gradients.len()] {
            if found != expected {
                return Err(Error::WeightCount { expected, found });
            }
        }
        for (i, (tensor, (weights, gradients))) in self
            .tensors
            .iter()
            .zip(weights.iter_mut().zip(gradients))
            .enumerate()
        {
            for found in [weights.as_mut().len(), gradients.as_ref().len()] {
                if found != tensor.size {
                    return Err(Error::WeightShape {
                        name: i.to_string().into(),
                        expected: vec![tensor.size],
                        found: vec![found],
                    });
                }
            }
        }
        self.steps += 1;
        let tensors = self
            .tensors
            .iter_mut()
            .zip(weights.iter_mut().zip(gradients));
        for (tensor, (weights, gradients)) in tensors {
            let memory = tensor.memory.iter_mut().map(Vec::as_mut_slice).collect();
            let (weights, gradients) = (weights.as_mut(), gradients.as_ref());
            update(&self.optimizer, self.steps, weights, gradients, memory);
        }
        Ok(())
    }
}

/// Updates halves in parallel until they are small.
fn update<O: Optimizer>(
    optimizer: &O,
    step: u64,
    weights: &mut [f32],
    gradients: &[f32],
    mut memory: Vec<&mut [f32]>,
) {
    if weights.len() <= CHUNK {
        return optimizer.update(step, weights, gradients, &mut memory);
    }
    let middle = weights.len() / 2;
    let weights = weights.split_at_mut(middle);
    let gradients = gradients.split_at(middle);
    let memory: (Vec<_>, Vec<_>) = memory
        .into_iter()
        .map(|slice| slice.split_at_mut(middle))
        .unzip();
    rayon::join(
        || update(optimizer, step, weights.0, gradients.0, memory.0),
        || update(optimizer, step, weights.1, gradients.1, memory.1),
    );
}

#[cfg(test)]
mod tests {
    use super::OptimizerState;
    use crate::Error;
    use crate::training::{Adam, AdamW, Optimizer, Sgd};

    #[test]
    fn large_tensors_move_as_small_ones_do() {
        let n = 100_003;
        let value = |i: usize| (i as f32 * 0.37).sin();
        let all: Vec<f32> = (0..n).map(value).collect();
        let mut whole = OptimizerState::new(AdamW::new(0.1), [n]).unwrap();
        let mut pieces =
            OptimizerState::new(AdamW::new(0.1), all.chunks(1000).map(<[f32]>::len)).unwrap();
        let (mut a, mut b) = (
            vec![all.clone()],
            all.chunks(1000).map(<[f32]>::to_vec).collect::<Vec<_>>(),
        );
        for _ in 0..3 {
            let gradients: Vec<f32> = a[0].iter().map(|w| w.cos()).collect();
            whole.step(&mut a, &[&gradients]).unwrap();
            pieces
                .step(&mut b, &gradients.chunks(1000).collect::<Vec<_>>())
                .unwrap();
        }
        assert_eq!(a[0], b.concat());
    }

    #[test]
    fn a_resumed_state_goes_on_bit_for_bit() {
        let gradients = [[0.5_f32, -1.0], [2.0, 0.25], [-0.5, 3.0]];
        let mut straight = OptimizerState::new(Adam::new(0.1), [2]).unwrap();
        let mut weights = [[1.0_f32, 2.0]];
        let mut resumed_weights = weights;
        for (i, gradient) in gradients.iter().enumerate() {
            if i == 2 {
                resumed_weights = weights;
            }
            straight.step(&mut weights, &[gradient]).unwrap();
        }
        let mut first = OptimizerState::new(Adam::new(0.1), [2]).unwrap();
        let mut other = [[1.0_f32, 2.0]];
        first.step(&mut other, &gradients[..1]).unwrap();
        first.step(&mut other, &gradients[1..2]).unwrap();
        let mut second = OptimizerState::new(Adam::new(0.1), [2]).unwrap();
        let memory = first.memory().map(<[_]>::to_vec).collect();
        second.resume(first.steps(), memory).unwrap();
        second.step(&mut resumed_weights, &gradients[2..]).unwrap();
        assert_eq!(resumed_weights, weights);
        assert!(matches!(
            second.resume(1, vec![vec![vec![0.0; 2]]]),
            Err(Error::Option { .. })
        ));
        assert_eq!(second.steps(), 3);
    }

    #[test]
    fn tensors_that_do_not_fit_move_nothing() {
        let mut state = OptimizerState::new(Sgd::new(0.1), [2, 1]).unwrap();
        let mut weights = [vec![1.0, 2.0], vec![3.0]];
        let short = state.step(&mut weights, &[vec![1.0, 1.0], vec![]]);
        assert!(matches!(short, Err(Error::WeightShape { .. })));
        let few = state.step(&mut weights, &[vec![1.0, 1.0]]);
        assert!(matches!(
            few,
            Err(Error::WeightCount {
                expected: 2,
                found: 1
            })
        ));
        assert_eq!(weights, [vec![1.0, 2.0], vec![3.0]]);
        assert_eq!(state.steps(), 0);
    }

    fn refused(optimizer: impl Optimizer) -> &'static str {
        match OptimizerState::new(optimizer, [1]) {
            Err(Error::Option { name, .. }) => name,
            Err(error) => panic!("{error}"),
            Ok(_) => "",
        }
    }

    #[test]
    fn hyperparameters_that_make_no_sense_are_refused_by_name() {
        let (sgd, adam, adam_w) = (Sgd::new(0.1), Adam::new(0.1), AdamW::new(0.1));
        assert_eq!(refused(sgd), "");
        assert_eq!(refused(Sgd::new(-0.1)), "learning_rate");
        assert_eq!(refused(Sgd::new(f64::NAN)), "learning_rate");
        assert_eq!(refused(Sgd::new(1e300)), "learning_rate");
        assert_eq!(
            refused(Sgd {
                momentum: -1.0,
                ..sgd
            }),
            "momentum"
        );
        assert_eq!(
            refused(Sgd {
                nesterov: true,
                ..sgd
            }),
            "momentum"
        );
        assert_eq!(
            refused(Sgd {
                weight_decay: f64::INFINITY,
                ..sgd
            }),
            "weight_decay"
        );
        assert_eq!(
            refused(Adam {
                betas: [0.9, 1.0],
                ..adam
            }),
            "betas"
        );
        assert_eq!(
            refused(Adam {
                epsilon: 0.0,
                ..adam
            }),
            "epsilon"
        );
        assert_eq!(
            refused(Adam {
                epsilon: 1e-60,
                ..adam
            }),
            "epsilon"
        );
        assert_eq!(
            refused(AdamW {
                weight_decay: -0.1,
                ..adam_w
            }),
            "weight_decay"
        );
        assert_eq!(
            refused(AdamW {
                betas: [-0.1, 0.9],
                ..adam_w
            }),
            "betas"
        );
    }

    #[test]
    fn a_learning_rate_that_makes_no_sense_leaves_the_old_one() {
        let mut state = OptimizerState::new(Sgd::new(0.5), [1]).unwrap();
        assert!(state.set_learning_rate(-1.0).is_err());
        assert_eq!(state.optimizer().learning_rate(), 0.5);
        state.set_learning_rate(0.25).unwrap();
        let mut weights = [[1.0_f32]];
        state.step(&mut weights, &[[2.0]]).unwrap();
        assert_eq!(weights, [[0.5]]);
    }
}
