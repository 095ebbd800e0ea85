//! Runs on what is in a GPU's memory.

use xdnn_ir::{Degree, Shape};

use super::dynamic::Bindings;
use super::{DynamicModel, Model};
use crate::attribution::Target;
use crate::backend::Given;
use crate::backend::cuda::{Slice, SliceMut};
use crate::graph::{Task, rules};
use crate::ops::Leaf;
use crate::{Device, Error, Result, XNetwork};

impl<N> Model<N> {
    /// [`attribute`](Model::attribute) from and to the memory of the model's GPU, without a copy to the host; see
    /// [`DynamicModel::attribute_into`].
    ///
    /// # Errors
    ///
    /// Those of [`DynamicModel::attribute_into`].
    pub fn attribute_into<'a>(
        &self,
        batch: usize,
        inputs: &[Slice<'_>],
        target: impl Into<Target<'a>>,
        output: SliceMut<'_>,
        attributions: &mut [SliceMut<'_>],
    ) -> Result<()>
    where
        N: XNetwork, // here, as that of `attribute`
    {
        let _: Degree = N::DEGREE;
        DynamicModel::attribute_into(self, batch, inputs, target, output, attributions)
    }
}

impl DynamicModel {
    /// [`forward`](DynamicModel::forward) from and to the memory of the model's GPU, without a copy to the host.
    ///
    /// `inputs` are the declared ones in order, each with the numbers of shape `(batch, …)` in row-major order, and as many numbers of the
    /// output are written. They must be finite, which is not looked at. The model runs on a stream of its own, which waits for no other, and
    /// has written the output when this returns.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] for a model that is not on a GPU, or a slice that is on another one; [`Error::EmptyBatch`], [`Error::InputCount`],
    /// [`Error::SliceLength`], and those of [`prepare`](DynamicModel::prepare).
    pub fn forward_into(
        &self,
        batch: usize,
        inputs: &[Slice<'_>],
        output: SliceMut<'_>,
    ) -> Result<()> {
        self.check(batch, inputs, &output)?;
        self.run_within(Task::Forward, batch, inputs, &[], &mut [output])
    }

    /// [`attribute`](DynamicModel::attribute) from and to the memory of the model's GPU, as
    /// [`forward_into`](DynamicModel::forward_into): it writes the output, and the attributions of each input into a slice as long as that of
    /// the input.
    ///
    /// # Errors
    ///
    /// Those of [`forward_into`](DynamicModel::forward_into), and those of [`attribute`](DynamicModel::attribute).
    pub fn attribute_into<'a>(
        &self,
        batch: usize,
        inputs: &[Slice<'_>],
        target: impl Into<Target<'a>>,
        output: SliceMut<'_>,
        attributions: &mut [SliceMut<'_>],
    ) -> Result<()> {
        rules::attributable_degree(self.spec())?;
        self.check(batch, inputs, &output)?;
        let lengths = attributions.iter().map(SliceMut::len);
        self.check_inputs("the attributions of input", batch, lengths)?;
        let targets = target.into().resolve(self.spec(), batch)?;
        let mut results = vec![output];
        results.extend(attributions.iter_mut().map(SliceMut::reborrow));
        self.run_within(Task::Attribute, batch, inputs, &targets, &mut results)
    }

    /// Checks the inputs and the output of a batch.
    fn check(&self, batch: usize, inputs: &[Slice<'_>], output: &SliceMut<'_>) -> Result<()> {
        if !matches!(self.device(), Device::Cuda(_)) {
            return Err(Error::Device {
                device: self.device().to_string().into(),
                cause: "it does not read a GPU's memory; compile the network for `Device::Cuda`"
                    .into(),
            });
        }
        self.check_inputs("input", batch, inputs.iter().map(Slice::len))?;
        let output_shape = self.spec().output_shape();
        check_length(
            || "the output".to_owned(),
            output_shape,
            batch,
            output.len(),
        )
    }

    /// Checks the lengths of something that there is of each input.
    fn check_inputs(
        &self,
        what: &str,
        batch: usize,
        lengths: impl ExactSizeIterator<Item = usize>,
    ) -> Result<()> {
        let declared = self.spec().inputs();
        if lengths.len() != declared.len() {
            return Err(Error::InputCount {
                names: declared.iter().map(|input| input.name.clone()).collect(),
                found: lengths.len(),
            });
        }
        for (input, length) in declared.iter().zip(lengths) {
            if batch == 0 {
                let name = input.name.clone();
                return Err(Error::EmptyBatch { name });
            }
            let what = || format!("{what} `{}`", input.name);
            check_length(what, input.shape, batch, length)?;
        }
        Ok(())
    }

    /// Runs a task on the device.
    fn run_within(
        &self,
        task: Task,
        batch: usize,
        inputs: &[Slice<'_>],
        targets: &[f32],
        results: &mut [SliceMut<'_>],
    ) -> Result<()> {
        let ready = self.ready(task, batch)?;
        let _span = self.span(task, batch);
        let bindings = Bindings {
            targets,
            ..Bindings::default()
        };
        let leaves = ready.program.leaves().iter().map(|(leaf, _)| match leaf {
            Leaf::Input(i) if *i < inputs.len() => Ok(Given::Device(inputs[*i])),
            leaf => Ok(Given::Host(self.bound(&ready, *leaf, &bindings)?)),
        });
        let leaves: Vec<Given<'_, f32>> = leaves.collect::<Result<_>>()?;
        ready.program.run_within(&leaves, results)
    }
}

/// Checks that there are as many numbers as a batch has.
fn check_length(
    what: impl FnOnce() -> String,
    sample: Shape,
    batch: usize,
    found: usize,
) -> Result<()> {
    match sample.elements().checked_mul(batch) {
        Some(expected) if expected == found => Ok(()),
        _ => Err(Error::SliceLength {
            what: what(),
            expected: [&[batch], sample.dims()].concat(),
            found,
        }),
    }
}
