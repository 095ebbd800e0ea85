//! Scalar functions of the user, which `#[xdnn]` has proved to be homogeneous.

use crate::{Degree, Fault, Shape};

/// A function of one number that is homogeneous of degree `p`: `f(a·x) = a^p · f(x)` for every `a > 0`.
///
/// `a = |x|` shows that two values say all of it: `f(x) = f(1)·x^p` for `x > 0`, and `f(x) = f(−1)·|x|^p` for `x < 0`.
/// For `p = 1` this is the two-slope theorem (Hesse, Schaub-Meyer and Roth, NeurIPS 2021, Proposition 3.8).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Function {
    /// The name in the source.
    pub name: &'static str,
    /// `p`, at least 0.
    pub degree: Degree,
    /// `f(1)`.
    pub positive: f64,
    /// `f(−1)`.
    pub negative: f64,
    /// What two values leave open: `f(0)` for `p = 0`, the derivative at 0 for `p = 1`. Elsewhere both are 0, where the
    /// derivative at 0 does not exist, too.
    pub at_zero: f64,
}

impl Function {
    /// A function as expansions write it.
    pub(crate) const fn written(
        name: &'static str,
        [numerator, denominator]: [i32; 2],
        [positive, negative, at_zero]: [f64; 3],
    ) -> Self {
        Self {
            name,
            degree: match Degree::rational(numerator as i64, denominator as i64) {
                Some(degree) => degree,
                None => Degree::ZERO,
            },
            positive,
            negative,
            at_zero,
        }
    }

    /// The shape of the result: that of the input.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        if self.degree.numerator() < 0 {
            return Err(Fault::Argument {
                name: "degree",
                expected: "at least 0",
            });
        }
        if !(self.positive as f32).is_finite()
            || !(self.negative as f32).is_finite()
            || !(self.at_zero as f32).is_finite()
        {
            return Err(Fault::Argument {
                name: "positive",
                expected: "a finite number that fits `f32`, like `negative` and `at_zero`",
            });
        }
        Ok(input)
    }

    /// The degree of the result for an input of this degree: `p` times that.
    pub const fn degree(&self, input: Degree) -> Result<Degree, Fault> {
        match self.degree.times(input) {
            Some(degree) => Ok(degree),
            None => Err(Fault::DegreeTooLarge),
        }
    }

    /// `f(x)`.
    pub fn at(&self, x: f64) -> f64 {
        let value = if x > 0.0 {
            self.positive
        } else if x < 0.0 {
            self.negative
        } else if x.is_nan() {
            return x;
        } else if self.degree.same(Degree::ZERO) {
            return self.at_zero;
        } else {
            return 0.0;
        };
        if value == 0.0 {
            return 0.0;
        }
        value * x.abs().powf(self.degree.to_f64())
    }

    /// The function in C, which is CUDA, too, behind `__device__`.
    ///
    /// ```
    /// use xdnn_ir::{Degree, Function};
    ///
    /// let shrink = Function {
    ///     name: "shrink",
    ///     degree: Degree::ONE,
    ///     positive: 1.0,
    ///     negative: -0.1,
    ///     at_zero: 0.1,
    /// };
    /// assert_eq!(
    ///     shrink.to_c(),
    ///     "static inline float shrink(float x) { return x > 0.0f ? x : x < 0.0f ? 0.1f * x : x; }"
    /// );
    /// ```
    pub fn to_c(&self) -> String {
        let zero = match self.degree.same(Degree::ZERO) {
            true => format!("x == 0.0f ? {} : x", c_float(self.at_zero)),
            false => "x".to_owned(),
        };
        let name = self.name;
        let [positive, negative] = [
            self.c_term(self.positive, "x", 1.0),
            self.c_term(self.negative, "-x", -1.0),
        ];
        format!(
            "static inline float {name}(float x) {{ return x > 0.0f ? {positive} : x < 0.0f ? {negative} : {zero}; }}"
        )
    }

    /// `value · base^p`, where `base` is `sign · x`.
    fn c_term(&self, value: f64, base: &str, sign: f64) -> String {
        let factor = |value: f64, of: &str| match value {
            1.0 => of.to_owned(),
            value => format!("{} * {of}", c_float(value)),
        };
        match (self.degree.numerator(), self.degree.denominator()) {
            _ if value == 0.0 => "0.0f".to_owned(),
            (0, _) => c_float(value),
            (n @ 1..=4, 1) => {
                let power = vec!["x"; n.unsigned_abs() as usize].join(" * ");
                factor(value * sign.powi(n), &power)
            }
            (1, 2) => factor(value, &format!("sqrtf({base})")),
            (n, d) => {
                let exponent = c_float(f64::from(n) / f64::from(d));
                factor(value, &format!("powf({base}, {exponent})"))
            }
        }
    }
}

fn c_float(value: f64) -> String {
    format!("{:?}f", value as f32)
}
