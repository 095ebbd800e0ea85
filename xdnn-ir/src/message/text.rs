//! Texts that const evaluation can write, where `format!` is not available.

use std::fmt;

use crate::{Degree, Shape};

const CAPACITY: usize = 1536;

/// A text of at most 1,536 bytes; what does not fit is cut off.
#[derive(Clone, Copy)]
pub struct Text {
    bytes: [u8; CAPACITY],
    len: usize,
}

/// What a placeholder of a template stands for.
#[derive(Clone, Copy)]
pub(crate) enum Part<'a> {
    Str(&'a str),
    /// In lower case.
    Lower(&'a str),
    Number(usize),
    Shape(Shape),
    Degree(Degree),
}

/// The template with its parts in place of `{}`.
pub(crate) const fn text(template: &str, parts: &[Part]) -> Text {
    let mut text = Text {
        bytes: [0; CAPACITY],
        len: 0,
    };
    let (bytes, mut i, mut part) = (template.as_bytes(), 0, 0);
    while i < bytes.len() {
        if bytes[i] == b'{' && i + 1 < bytes.len() && bytes[i + 1] == b'}' && part < parts.len() {
            text.part(&parts[part]);
            part += 1;
            i += 2;
        } else {
            text.byte(bytes[i]);
            i += 1;
        }
    }
    text
}

impl Text {
    /// The text.
    pub const fn as_str(&self) -> &str {
        let (bytes, _) = self.bytes.split_at(self.len);
        match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(cut) => match std::str::from_utf8(bytes.split_at(cut.valid_up_to()).0) {
                Ok(text) => text,
                Err(_) => "",
            },
        }
    }

    pub(crate) const fn append(&mut self, texts: &[&str]) {
        let mut i = 0;
        while i < texts.len() {
            self.str(texts[i]);
            i += 1;
        }
    }

    const fn byte(&mut self, byte: u8) {
        if self.len < CAPACITY {
            self.bytes[self.len] = byte;
            self.len += 1;
        }
    }

    const fn str(&mut self, text: &str) {
        let (bytes, mut i) = (text.as_bytes(), 0);
        while i < bytes.len() {
            self.byte(bytes[i]);
            i += 1;
        }
    }

    const fn number(&mut self, number: usize) {
        if number >= 10 {
            self.number(number / 10);
        }
        self.byte(b'0' + (number % 10) as u8);
    }

    const fn part(&mut self, part: &Part) {
        match part {
            Part::Str(text) => self.str(text),
            Part::Lower(text) => {
                let (bytes, mut i) = (text.as_bytes(), 0);
                while i < bytes.len() {
                    self.byte(bytes[i].to_ascii_lowercase());
                    i += 1;
                }
            }
            Part::Number(number) => self.number(*number),
            Part::Shape(shape) => {
                self.byte(b'[');
                let (dims, mut i) = (shape.dims(), 0);
                while i < dims.len() {
                    if i > 0 {
                        self.str(", ");
                    }
                    self.number(dims[i]);
                    i += 1;
                }
                self.byte(b']');
            }
            Part::Degree(degree) => {
                if degree.numerator() < 0 {
                    self.byte(b'-');
                }
                self.number(degree.numerator().unsigned_abs() as usize);
                if degree.denominator() != 1 {
                    self.byte(b'/');
                    self.number(degree.denominator().unsigned_abs() as usize);
                }
            }
        }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.as_str().to_owned()
    }
}

pub(crate) const fn starts_with(text: &str, start: &str) -> bool {
    text.len() >= start.len() && same(text.as_bytes().split_at(start.len()).0, start.as_bytes())
}

pub(crate) const fn contains(text: &str, part: &str) -> bool {
    let (bytes, part, mut i) = (text.as_bytes(), part.as_bytes(), 0);
    while i + part.len() <= bytes.len() {
        if same(bytes.split_at(i).1.split_at(part.len()).0, part) {
            return true;
        }
        i += 1;
    }
    false
}

pub(crate) const fn equal(a: &str, b: &str) -> bool {
    same(a.as_bytes(), b.as_bytes())
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

#[cfg(test)]
mod tests {
    use super::{CAPACITY, Part, contains, equal, starts_with, text};
    use crate::{Degree, Shape};

    #[test]
    fn parts_print_as_display_prints_them() {
        let shapes = [Shape::new([3, 0, usize::MAX]), Shape::new([])];
        let degrees = [Degree::integer(-2), Degree::rational(-1, 2).unwrap()];
        for (shape, degree) in shapes.into_iter().zip(degrees) {
            let parts = [Part::Str("é"), Part::Shape(shape), Part::Degree(degree)];
            assert_eq!(
                text("{} of {}: {}{}", &parts).as_str(),
                format!("é of {shape}: {degree}{{}}")
            );
        }
        assert_eq!(text("{}", &[Part::Number(1020)]).to_string(), "1020");
        assert_eq!(text("{}", &[Part::Lower("SiLU é")]).as_str(), "silu é");
    }

    #[test]
    fn long_texts_are_cut_between_letters() {
        let long = format!("a{}", "é".repeat(CAPACITY));
        let cut = text("{}", &[Part::Str(&long)]);
        assert_eq!(cut.as_str(), &long[..CAPACITY - 1]);
    }

    #[test]
    fn const_evaluation_compares_texts() {
        assert!(starts_with("[features]", "[f") && !starts_with("[f", "[features]"));
        assert!(contains("MaxPool2d", "Pool") && !contains("Linear", "Pool") && contains("", ""));
        assert!(equal("sum", "sum") && !equal("sum", "summ") && !equal("sum", "max"));
    }
}
