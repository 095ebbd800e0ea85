//! Margins: what surrounds a value, and what is cut off it.

use xdnn_ir::layer::{
    CircularPad1d, CircularPad2d, ConstantPad1d, ConstantPad2d, ConstantPad3d, Crop1d, Crop2d,
    ReflectionPad1d, ReflectionPad2d, ReplicationPad1d, ReplicationPad2d, ZeroPad1d, ZeroPad2d,
    ZeroPad3d,
};

use super::axes::along;
use super::degree_zero::subtract;
use super::{Lower, Site};
use crate::error::Result;
use crate::graph::Value;
use crate::ops::{Op, Place, Slice, SparseMap};

macro_rules! margins {
    ($($name:ident: $field:ident, $lower:expr;)*) => {$(
        impl Lower for $name {
            fn lower(&self, site: Site<'_>) -> Result<Value> {
                $lower(site, &self.$field)
            }
        }
    )*};
}

macro_rules! constants {
    ($($name:ident),*) => {$(
        impl Lower for $name {
            fn lower(&self, site: Site<'_>) -> Result<Value> {
                constant(site, &self.padding, self.value)
            }
        }
    )*};
}

margins! {
    ZeroPad1d: padding, zeros;
    ZeroPad2d: padding, zeros;
    ZeroPad3d: padding, zeros;
    ReflectionPad1d: padding, |site, margins| copies(site, margins, reflected);
    ReflectionPad2d: padding, |site, margins| copies(site, margins, reflected);
    ReplicationPad1d: padding, |site, margins| copies(site, margins, clamped);
    ReplicationPad2d: padding, |site, margins| copies(site, margins, clamped);
    CircularPad1d: padding, |site, margins| copies(site, margins, wrapped);
    CircularPad2d: padding, |site, margins| copies(site, margins, wrapped);
    Crop1d: cropping, crop;
    Crop2d: cropping, crop;
}

constants!(ConstantPad1d, ConstantPad2d, ConstantPad3d);

/// The axes with the margins before them; margins count pairs of sides from the last axis to the first.
fn before(site: &Site<'_>, margins: &[usize]) -> Vec<(usize, usize)> {
    let axes = (2..site.shape.rank()).rev();
    let befores = margins.iter().step_by(2).copied();
    let mut axes: Vec<_> = axes.zip(befores).collect();
    axes.reverse();
    axes
}

fn zeros(mut site: Site<'_>, margins: &[usize]) -> Result<Value> {
    each(&mut site, margins, |axis, start, size| {
        Place { axis, start, size }.into()
    })
}

/// `x`, surrounded by zeros, and a constant that is surrounded by zeros taken from one that is not: no element rounds.
fn constant(mut site: Site<'_>, margins: &[usize], value: f64) -> Result<Value> {
    // As in the rule of its degree.
    if value as f32 == 0.0 {
        return zeros(site, margins);
    }
    let place = |axis, start, size| Place { axis, start, size }.into();
    let x = each(&mut site, margins, place)?;
    site.x = site.graph.constant(value, site.x.shape())?;
    let inside = each(&mut site, margins, place)?;
    let everywhere = site.graph.constant(value, site.shape)?;
    let margin = subtract(site.graph, everywhere, inside)?;
    site.graph.add(x, margin)
}

fn crop(mut site: Site<'_>, margins: &[usize]) -> Result<Value> {
    each(&mut site, margins, |axis, start, length| {
        let slice = Slice {
            axis,
            start,
            length,
        };
        slice.into()
    })
}

/// An operator along each axis whose size changes, from the margin before it and the size of the result.
fn each(
    site: &mut Site<'_>,
    margins: &[usize],
    op: impl Fn(usize, usize, usize) -> Op,
) -> Result<Value> {
    let axes = before(site, margins).into_iter();
    axes.filter(|(axis, _)| site.x.shape().dim(*axis) != site.shape.dim(*axis))
        .try_fold(site.x, |x, (axis, before)| {
            let op = op(axis, before, site.shape.dim(axis));
            site.graph.apply(op, &[x])
        })
}

/// Margins of copies: `source` says of which element a position is a copy, among `size` elements from 0.
fn copies(site: Site<'_>, margins: &[usize], source: fn(isize, isize) -> isize) -> Result<Value> {
    let (x, shape) = (site.x.shape(), site.shape);
    let map = |(axis, before): (usize, usize)| {
        let size = x.dim(axis);
        let row = |output: usize| {
            let position = output as isize - before as isize;
            vec![(source(position, size as isize) as usize, 1.0)]
        };
        (axis, SparseMap::new(size, (0..shape.dim(axis)).map(row)))
    };
    let axes = before(&site, margins).into_iter();
    let maps: Vec<_> = axes
        .filter(|(axis, _)| x.dim(*axis) != shape.dim(*axis))
        .map(map)
        .collect();
    along(site.graph, site.x, maps)
}

fn reflected(position: isize, size: isize) -> isize {
    let position = position.abs();
    if position < size {
        position
    } else {
        2 * (size - 1) - position
    }
}

fn clamped(position: isize, size: isize) -> isize {
    position.clamp(0, (size - 1).max(0))
}

fn wrapped(position: isize, size: isize) -> isize {
    position.rem_euclid(size.max(1))
}
