//! A network that is known at run time only.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ndarray::{ArcArray, ArrayD, IxDyn};
use rayon::prelude::*;
use tracing::span::EnteredSpan;
use xdnn_ir::{NetworkSpec, Shape};

use crate::backend::{Element, Kept, Program, results};
use crate::error::invalid;
use crate::finite::{first_non_finite, unravel};
use crate::graph::{Task, rules};
use crate::ops::Leaf;
use crate::{Device, Error, Inputs, Precision, Result};

/// A network on a device, described by a [`NetworkSpec`] that need not be known at compile time: what a
/// [`Model`](crate::Model) is without the type of its network.
///
/// Programs are compiled when a task is first asked for with a batch size; the last few are kept. Threads may share a
/// model.
pub struct DynamicModel<T: Element = f32> {
    spec: Arc<NetworkSpec>,
    /// Row-major and contiguous.
    weights: Vec<ArcArray<T, IxDyn>>,
    device: Device,
    precision: Precision,
    programs: Mutex<Programs<T>>,
}

impl<T: Element> DynamicModel<T> {
    /// A network on a device. The weights are given in the order of the description.
    ///
    /// # Errors
    ///
    /// [`Error::Rule`] where a node of the description breaks a rule, [`Error::Graph`] where it is inconsistent,
    /// [`Error::WeightCount`] or [`Error::WeightShape`] for weights that do not fit, [`Error::NonFiniteWeight`], and
    /// [`Error::Device`] when the device is not there.
    pub fn new(spec: NetworkSpec, weights: Vec<ArrayD<T>>, device: Device) -> Result<Self> {
        let weights = weights.into_iter().map(ArrayD::into_shared);
        Self::of_shared(spec, weights.collect(), device)
    }

    /// The same of weights that others may share.
    pub(crate) fn of_shared(
        spec: NetworkSpec,
        mut weights: Vec<ArcArray<T, IxDyn>>,
        device: Device,
    ) -> Result<Self> {
        rules::check(&spec)?;
        let declared = spec.weights();
        if declared.len() != weights.len() {
            return Err(Error::WeightCount {
                expected: declared.len(),
                found: weights.len(),
            });
        }
        for (weight, array) in declared.iter().zip(&mut weights) {
            if array.shape() != weight.shape.dims() {
                return Err(Error::WeightShape {
                    name: weight.name.to_string().into(),
                    expected: weight.shape.dims().to_vec(),
                    found: array.shape().to_vec(),
                });
            }
            if !array.is_standard_layout() {
                *array = array.as_standard_layout().into_owned().into_shared();
            }
            let values = numbers(array);
            if let Some(position) = first_non_finite(values) {
                return Err(Error::NonFiniteWeight {
                    name: weight.name.to_string().into(),
                    index: unravel(position, weight.shape.dims()),
                    value: values[position].to_f64().unwrap_or(f64::NAN),
                });
            }
        }
        Ok(Self {
            spec: Arc::new(spec),
            weights,
            device,
            precision: Precision::default(),
            programs: Mutex::default(),
        })
    }

    /// The network as data.
    pub fn spec(&self) -> &NetworkSpec {
        &self.spec
    }

    /// The device.
    pub fn device(&self) -> Device {
        self.device
    }

    /// The same model, multiplying as exactly as this on devices that can choose.
    #[must_use]
    pub fn with_precision(mut self, precision: Precision) -> Self {
        if self.precision != precision {
            self.precision = precision;
            self.programs = Mutex::default();
        }
        self
    }

    /// How exactly it multiplies; on [`Device::Cpu`] and [`Device::Reference`], [`Precision::Strict`].
    pub fn precision(&self) -> Precision {
        match self.device {
            Device::Cuda(_) => self.precision,
            _ => Precision::Strict,
        }
    }

    /// The network's output for each sample: from `(N, …)` to `(N, …)`.
    ///
    /// # Errors
    ///
    /// Those of [`Inputs::check`].
    pub fn forward<'a>(&self, inputs: impl Into<Inputs<'a, T>>) -> Result<ArrayD<T>> {
        let inputs = inputs.into();
        let batch = inputs.check(&self.spec)?;
        let slices = inputs.slices();
        let slices: Vec<&[T]> = slices.iter().map(AsRef::as_ref).collect();
        let mut results = self.run(
            Task::Forward,
            batch,
            &Bindings {
                inputs: &slices,
                ..Bindings::default()
            },
        )?;
        array(self.spec.output_shape(), batch, results.swap_remove(0))
    }

    /// Compiles `task` for a batch size ahead of its first use.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] and those of [`Graph::build`](crate::Graph::build).
    pub fn prepare(&self, task: Task, batch: usize) -> Result<()> {
        self.ready(task, batch).map(|_| ())
    }

    /// The bytes that a task takes in the memory of the device for a batch: weights, which the programs of a model share, inputs, what is
    /// computed, outputs. `None` for a device without a memory of its own. It compiles the task where it is new.
    ///
    /// # Errors
    ///
    /// Those of [`DynamicModel::prepare`].
    pub fn memory(&self, task: Task, batch: usize) -> Result<Option<usize>> {
        Ok(self.ready(task, batch)?.program.memory())
    }

    /// Seconds that a task takes on the device for a batch, without copies to and from there: the mean of so many runs, on what the
    /// last run was given. `None` before the first run, and for a device without a memory of its own.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] and those of [`DynamicModel::prepare`].
    pub fn time(&self, task: Task, batch: usize, runs: usize) -> Result<Option<f64>> {
        self.ready(task, batch)?.program.time(runs)
    }

    /// Runs a task and returns what its graph computes.
    pub(crate) fn run(
        &self,
        task: Task,
        batch: usize,
        bindings: &Bindings<'_, T>,
    ) -> Result<Vec<Vec<T>>> {
        let ready = self.ready(task, batch)?;
        let program = &ready.program;
        let _span = self.span(task, batch);
        let bound = |(leaf, _): &(Leaf, Shape)| self.bound(&ready, *leaf, bindings);
        let leaves: Result<Vec<&[T]>> = program.leaves().iter().map(bound).collect();
        results(&**program, &leaves?)
    }

    /// What a leaf of a program is given.
    pub(super) fn bound<'a>(
        &'a self,
        ready: &'a Ready<T>,
        leaf: Leaf,
        bindings: &Bindings<'a, T>,
    ) -> Result<&'a [T]> {
        let data = match leaf {
            leaf if matches!(ready.held(leaf), Some(Held::Kept(_))) => Some(&[][..]),
            Leaf::Input(i) => bindings.inputs.get(i).copied(),
            Leaf::Weight(i) => self.weights.get(i).map(numbers),
            Leaf::Target => Some(bindings.targets),
            Leaf::DropoutMask(i) => bindings.masks.get(i).map(Vec::as_slice),
            Leaf::PriorStrength => Some(bindings.strength),
            Leaf::LaidOut(..) => match ready.held(leaf) {
                Some(Held::Laid(values)) => Some(values.as_slice()),
                _ => None,
            },
            Leaf::Seed(_) => None,
        };
        data.ok_or_else(|| invalid(format!("nothing is bound to leaf `{leaf:?}`")))
    }

    pub(super) fn span(&self, task: Task, batch: usize) -> EnteredSpan {
        tracing::debug_span!("run", ?task, batch, network = %self.spec.name).entered()
    }

    /// The weights, in the order of the description.
    pub(crate) fn weights(&self) -> impl Iterator<Item = &[T]> {
        self.weights.iter().map(numbers)
    }

    /// The weights, to be changed in place; those that others share are copied first.
    pub(crate) fn weights_mut(&mut self) -> Vec<&mut [T]> {
        let programs = self.programs.get_mut();
        let programs = programs.unwrap_or_else(PoisonError::into_inner);
        programs.0.retain(|(_, ready)| ready.weights.is_empty());
        let weights = self.weights.iter_mut();
        weights
            .map(|weight| weight.as_slice_mut().unwrap_or_default())
            .collect()
    }

    pub(super) fn ready(&self, task: Task, batch: usize) -> Result<Arc<Ready<T>>> {
        let key = (task, batch);
        if let Some(ready) = self.programs().recall(key) {
            return Ok(ready);
        }
        // Without the lock: it takes a while.
        let program = T::compile(self.device, self.precision, &self.spec, task, batch)?;
        let held = program.leaves().par_iter().map(|(leaf, _)| {
            if task.trains() {
                return Ok(None);
            }
            let known = self.programs().held(*leaf);
            known.map_or_else(|| self.hold(&*program, *leaf), |known| Ok(Some(known)))
        });
        let held: Vec<Option<Held<T>>> = held.collect::<Result<_>>()?;
        let mut weights = Vec::new();
        for (i, ((leaf, _), held)) in program.leaves().iter().zip(held).enumerate() {
            if let Some(Held::Kept(kept)) = &held {
                program.keep(i, kept)?;
            }
            weights.extend(held.map(|held| (*leaf, held)));
        }
        let ready = Arc::new(Ready { program, weights });
        self.programs().keep(key, Arc::clone(&ready));
        Ok(ready)
    }

    /// What is made once of a weight that stays the same from run to run; `None` where a program reads it as it is.
    fn hold(&self, program: &dyn Program<T>, leaf: Leaf) -> Result<Option<Held<T>>> {
        let (Leaf::Weight(i) | Leaf::LaidOut(i, _)) = leaf else {
            return Ok(None);
        };
        let missing = || invalid("a program reads a weight that is not there");
        let weight = numbers(self.weights.get(i).ok_or_else(missing)?);
        let laid = match leaf {
            Leaf::LaidOut(_, layout) => Some(layout.of(weight)?),
            _ => None,
        };
        let kept = program.upload(laid.as_deref().unwrap_or(weight))?;
        let laid = || laid.map(|values| Held::Laid(Arc::new(values)));
        Ok(kept.map(Held::Kept).or_else(laid))
    }

    fn programs(&self) -> MutexGuard<'_, Programs<T>> {
        // Whatever panicked elsewhere, the list itself is whole.
        self.programs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A program, and what has been made of the weights that it reads.
pub(super) struct Ready<T> {
    pub program: Arc<dyn Program<T>>,
    weights: Vec<(Leaf, Held<T>)>,
}

/// What is made once of a weight.
enum Held<T> {
    /// It is in another layout than its own.
    Laid(Arc<Vec<T>>),
    /// It is in the memory of a device.
    Kept(Kept),
}

impl<T> Clone for Held<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Laid(values) => Self::Laid(Arc::clone(values)),
            Self::Kept(kept) => Self::Kept(Arc::clone(kept)),
        }
    }
}

impl<T> Ready<T> {
    fn held(&self, leaf: Leaf) -> Option<&Held<T>> {
        let mut all = self.weights.iter();
        all.find(|(known, _)| *known == leaf).map(|(_, held)| held)
    }
}

/// The programs that a model has used last, the latest at the end.
struct Programs<T>(Vec<(ProgramKey, Arc<Ready<T>>)>);

type ProgramKey = (Task, usize);

impl<T: Element> Programs<T> {
    /// Each program holds its memory, so a model whose batches vary must not keep all of them.
    const KEPT: usize = 16;

    fn recall(&mut self, key: ProgramKey) -> Option<Arc<Ready<T>>> {
        let position = self.0.iter().position(|(known, _)| *known == key)?;
        let entry = self.0.remove(position);
        let ready = Arc::clone(&entry.1);
        self.0.push(entry);
        Some(ready)
    }

    fn keep(&mut self, key: ProgramKey, ready: Arc<Ready<T>>) {
        self.0.retain(|(known, _)| *known != key);
        if self.0.len() == Self::KEPT {
            self.0.remove(0);
        }
        self.0.push((key, ready));
    }

    /// What some program has made of a weight.
    fn held(&self, leaf: Leaf) -> Option<Held<T>> {
        self.0
            .iter()
            .find_map(|(_, ready)| ready.held(leaf))
            .cloned()
    }
}

impl<T> Default for Programs<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// What a run is given besides the weights.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bindings<'a, T> {
    pub inputs: &'a [&'a [T]],
    pub targets: &'a [T],
    pub masks: &'a [Vec<T>],
    pub strength: &'a [T],
}

impl<T> Default for Bindings<'_, T> {
    fn default() -> Self {
        Self {
            inputs: &[],
            targets: &[],
            masks: &[],
            strength: &[],
        }
    }
}

/// The numbers of a weight.
fn numbers<T>(weight: &ArcArray<T, IxDyn>) -> &[T] {
    weight.as_slice().unwrap_or_default()
}

/// Results of a batch as an array `(N, …)`.
pub(crate) fn array<T>(sample: Shape, batch: usize, data: Vec<T>) -> Result<ArrayD<T>> {
    let dims: Vec<usize> = std::iter::once(batch)
        .chain(sample.dims().iter().copied())
        .collect();
    ArrayD::from_shape_vec(IxDyn(&dims), data).map_err(|error| invalid(error.to_string()))
}

impl<T: Element> fmt::Debug for DynamicModel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamicModel")
            .field("network", &self.spec.name)
            .field("device", &self.device)
            .finish()
    }
}
