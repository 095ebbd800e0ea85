//! Lines of text, in which the macro describes nodes and calls.
//!
//! Const evaluation takes longer for a call than for a byte, so that there are few calls here.

use crate::message::text::equal;
use crate::{Degree, MAX_RANK, Operand, Shape};

/// A line, and how far it has been read.
pub(super) struct Line {
    text: &'static str,
    bytes: &'static [u8],
    at: usize,
}

impl Line {
    pub(super) const fn new(text: &'static str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
        }
    }

    /// What stands in front of the next separator.
    pub(super) const fn word(&mut self) -> &'static str {
        let start = self.at;
        while !matches!(self.bytes[self.at], b' ' | b'[' | b'?' | b',' | b';') {
            self.at += 1;
        }
        self.text.split_at(self.at).0.split_at(start).1
    }

    /// What stands in front of the next list, whatever it says.
    pub(super) const fn heading(&mut self) -> &'static str {
        let start = self.at;
        while self.bytes[self.at] != b';' {
            self.at += 1;
        }
        self.text.split_at(self.at).0.split_at(start).1
    }

    /// A number, and the separator behind it, but for the end of a list.
    pub(super) const fn number(&mut self) -> usize {
        assert!(
            self.bytes[self.at].is_ascii_digit(),
            "this is no line of `network!`"
        );
        let mut number = 0;
        while self.bytes[self.at].is_ascii_digit() {
            number = 10 * number + (self.bytes[self.at] - b'0') as usize;
            self.at += 1;
        }
        self.skip();
        number
    }

    /// Goes on behind a separator, unless a list ends here.
    pub(super) const fn skip(&mut self) {
        if self.is_in_list() {
            self.at += 1;
        }
    }

    /// Whether a list goes on here.
    pub(super) const fn is_in_list(&self) -> bool {
        !matches!(self.bytes[self.at], b']' | b';')
    }

    /// Goes into the list that starts here.
    pub(super) const fn enter(&mut self) {
        self.at += 1;
    }

    /// All that is left.
    pub(super) const fn rest(&self) -> &'static str {
        self.text.split_at(self.at).1
    }

    /// The next operand. `None` behind the last one.
    pub(super) const fn operand(&mut self) -> Option<Operand> {
        let kind = self.bytes[self.at];
        if kind != b'x' && kind != b'n' {
            return None;
        }
        self.at += 1;
        let position = self.number();
        Some(match kind {
            b'x' => Operand::Input(position),
            _ => Operand::Node(position),
        })
    }

    /// A degree. `None` where there is none.
    pub(super) const fn degree(&mut self) -> Option<Degree> {
        if self.bytes[self.at] == b'?' {
            self.at += 2;
            return None;
        }
        let sign = match self.bytes[self.at] {
            b'-' => -1,
            _ => 1,
        };
        if sign < 0 {
            self.at += 1;
        }
        let numerator = sign * self.number() as i64;
        match self.bytes[self.at - 1] {
            b'/' => Degree::rational(numerator, self.number() as i64),
            _ => Some(Degree::integer(numerator as i32)),
        }
    }

    /// A shape. `None` where the macro does not know it.
    pub(super) const fn shape(&mut self) -> Option<Shape> {
        let is_known = self.bytes[self.at] == b'[';
        self.enter();
        let (mut dims, mut rank) = ([1; MAX_RANK], 0);
        if is_known {
            while self.is_in_list() {
                dims[rank] = self.number();
                rank += 1;
            }
            self.enter();
        }
        self.enter();
        match is_known {
            true => Shape::from_slice(dims.split_at(rank).0),
            false => None,
        }
    }

    /// The name of the next weight. `None` at the end of the line.
    pub(super) const fn name(&mut self) -> Option<&'static str> {
        if self.at >= self.bytes.len() {
            return None;
        }
        Some(self.word())
    }
}

/// The name of a weight without the path of its node.
pub(super) const fn without<'n>(path: &str, name: &'n str) -> &'n str {
    if path.is_empty() || name.len() <= path.len() {
        return name;
    }
    let (front, rest) = name.split_at(path.len());
    match rest.as_bytes() {
        [b'.', ..] if equal(front, path) => rest.split_at(1).1,
        _ => name,
    }
}
