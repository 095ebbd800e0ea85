//! Names that expansions might have meant, all of them taken.
#![allow(dead_code, non_camel_case_types, non_upper_case_globals, unused_macros)]

/// Not the prelude's.
#[derive(::std::fmt::Debug)]
pub struct Option;
/// Not the prelude's.
#[derive(::std::fmt::Debug)]
pub struct String;
/// Not the prelude's.
#[derive(::std::fmt::Debug)]
pub struct Box;

mod std {}
mod core {}
mod alloc {}
mod neural {}
mod xdnn {}
mod ir {}

struct Some;
struct None;
struct Ok;
struct Err;
struct Cow;
struct f32;
struct usize;
struct str;
struct Self_;
struct Network;
struct NetworkSpec;
struct Parameters;
struct Node;
struct Layer;
struct Combine;
struct Conv2d;
struct Linear;
struct Relu;
trait Clone {}
trait Copy {}
trait Debug {}
trait From {}
trait Into {}
trait FnMut {}
trait Iterator {}
trait Default {}

fn input() {}
fn weight() {}
fn layer() {}
fn combine() {}
fn degree() {}
fn ratio() {}
fn function() {}
fn act() {}
fn value() {}
fn given() {}

const reader: u8 = 0;
const visitor: u8 = 0;
static list: u8 = 0;
const sizes: u8 = 0;
const outline: u8 = 0;
mod outline {}
const SIDE: ::core::primitive::usize = 4;

macro_rules! vec {
    () => {};
}
macro_rules! concat {
    () => {};
}
macro_rules! compile_error {
    () => {};
}
macro_rules! parameters {
    () => {};
}
::neural::network! {
    /// Of degree 2, and with lists.
    pub struct Result(x: [4]) -> [2] {
        product(a: Linear(8) -> Relu, b: Linear(8) -> Abs);
        body: repeat 2 { repeat 3 { fc: Linear(8) -> Relu; } }
        head: Linear(2);
    }
}

::neural::network! {
    /// Of sizes that only the compiler knows.
    pub struct Iter<const N: usize = 3>(x: [SIDE], y: [SIDE]) -> [N] {
        concat(x, y) -> Reshape(2, SIDE) -> MaxPool1d(SIDE / 2, stride = 2) -> Flatten -> head: Linear(N);
    }
}

::neural::network! {
    /// Of two inputs.
    pub struct Vec(x: [4], y: [3]) -> [2] { concat(x, y) -> head: Linear(2); }
}
