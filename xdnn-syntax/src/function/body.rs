//! The calculus of degrees: what every expression of a body does to a factor `a > 0` of the argument.
//!
//! Each expression has a degree, `e(a·x) = a^d · e(x)`, or is the constant 0, which has every degree, or a truth that `a`
//! does not change. What has neither is refused where it stands.

use std::collections::HashMap;

use proc_macro2::Ident;
use syn::spanned::Spanned as _;
use syn::{BinOp, Block, Expr, ExprMethodCall, Lit, Local, Pat, Path, Stmt, UnOp};
use xdnn_ir::Degree;

use super::methods::{self, Rule};
use super::program::Step;
use crate::diagnostic::{Collector, Diagnostic, Place};

/// What is known of an expression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Degree(Degree),
    /// The constant 0, of every degree.
    Zero,
    Truth,
}

/// An expression that was understood: the step that computes it, and what is known of it.
#[derive(Clone, Copy)]
pub(super) struct Term {
    pub step: usize,
    pub kind: Kind,
    /// Its value, where that does not depend on the argument.
    constant: Option<f64>,
}

/// Reads a body. Mistakes go to `errors`, and what depends on them is left out.
pub(super) struct Reader<'e> {
    errors: &'e mut Collector,
    pub steps: Vec<Step>,
    constants: Vec<Option<f64>>,
    /// The names of each block around; `None` for those that a mistake hides.
    scopes: Vec<HashMap<String, Option<Term>>>,
}

const DEGREES: &str = "give both sides the same degree: `x.abs()` and `(x * x).sqrt()` have degree 1, `x * x` and `x * x.abs()` have degree 2";

impl<'e> Reader<'e> {
    pub(super) fn new(argument: &Ident, errors: &'e mut Collector) -> Self {
        let mut reader = Self {
            errors,
            steps: Vec::new(),
            constants: Vec::new(),
            scopes: vec![HashMap::new()],
        };
        let term = reader.push(Step::Argument, Kind::Degree(Degree::ONE));
        reader.declare(argument, Some(term));
        reader
    }

    fn refuse<T>(&mut self, diagnostic: Diagnostic) -> Option<T> {
        self.errors.push(diagnostic);
        None
    }

    /// Adds a step. What is constantly 0 has every degree.
    fn push(&mut self, step: Step, kind: Kind) -> Term {
        let constants: Option<Vec<f64>> = step
            .operands()
            .into_iter()
            .map(|i| self.constants[i])
            .collect();
        let constant = constants
            .filter(|_| !matches!(step, Step::Argument))
            .map(|_| {
                let of = |i: usize| super::program::Dual {
                    value: self.constants[i].unwrap_or(f64::NAN),
                    slope: 0.0,
                };
                step.at(f64::NAN, of).value
            });
        let kind = match kind {
            Kind::Degree(_) if constant == Some(0.0) => Kind::Zero,
            kind => kind,
        };
        self.steps.push(step);
        self.constants.push(constant);
        Term {
            step: self.steps.len() - 1,
            kind,
            constant,
        }
    }

    fn number(&mut self, value: f64) -> Term {
        self.push(Step::Constant(value), Kind::Degree(Degree::ZERO))
    }

    fn declare(&mut self, name: &Ident, term: Option<Term>) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(name.to_string(), term);
        }
    }

    /// `{ let …; expression }`
    pub(super) fn block(&mut self, block: &Block) -> Option<Term> {
        self.scopes.push(HashMap::new());
        let result = self.statements(block);
        self.scopes.pop();
        result
    }

    fn statements(&mut self, block: &Block) -> Option<Term> {
        for (i, statement) in block.stmts.iter().enumerate() {
            match statement {
                Stmt::Local(local) => self.binding(local),
                Stmt::Item(syn::Item::Const(item)) => {
                    let value = self.expr(&item.expr);
                    self.declare(&item.ident, value);
                }
                Stmt::Expr(expr, None) if i + 1 == block.stmts.len() => return self.expr(expr),
                other => {
                    return self.refuse(
                        Diagnostic::new(
                            Place::of(other),
                            "this statement cannot stand in a function of `#[xdnn]`",
                        )
                        .note("its degree is proved from `let`s and the expression at its end"),
                    );
                }
            }
        }
        self.refuse(
            Diagnostic::new(block.span(), "this block has no value")
                .help("end it with an expression"),
        )
    }

    fn binding(&mut self, local: &Local) {
        let value = match &local.init {
            Some(init) if init.diverge.is_none() => self.expr(&init.expr),
            _ => self.refuse(
                Diagnostic::new(Place::of(local), "this `let` has no value")
                    .help("write `let name = …;`"),
            ),
        };
        let pattern = match &local.pat {
            Pat::Type(typed) => &*typed.pat,
            pattern => pattern,
        };
        match pattern {
            Pat::Ident(name)
                if name.mutability.is_none() && name.by_ref.is_none() && name.subpat.is_none() =>
            {
                self.declare(&name.ident, value);
            }
            other => {
                if let Pat::Ident(name) = other {
                    self.declare(&name.ident, None);
                }
                self.errors.push(
                    Diagnostic::new(
                        Place::of(other),
                        "only plain names can be bound in a function of `#[xdnn]`",
                    )
                    .help("write `let name = …;`"),
                );
            }
        }
    }

    fn expr(&mut self, expr: &Expr) -> Option<Term> {
        match expr {
            Expr::Paren(inner) => self.expr(&inner.expr),
            Expr::Group(inner) => self.expr(&inner.expr),
            Expr::Block(inner) if inner.label.is_none() => self.block(&inner.block),
            Expr::Lit(literal) => self.literal(&literal.lit),
            Expr::Path(path) if path.qself.is_none() => self.path(&path.path),
            Expr::Unary(unary) => {
                let term = self.expr(&unary.expr);
                match unary.op {
                    UnOp::Neg(_) => {
                        let term = self.numeric(term?, &unary.expr)?;
                        Some(self.push(Step::Negate(term.step), term.kind))
                    }
                    UnOp::Not(_) => {
                        let term = self.truth(term?, &unary.expr)?;
                        let one = self.number(1.0);
                        Some(self.push(Step::Test(differ, term.step, one.step), Kind::Truth))
                    }
                    _ => self.unsupported(expr),
                }
            }
            Expr::Binary(binary) => {
                let (left, right) = (self.expr(&binary.left), self.expr(&binary.right));
                let (left, right) = (left?, right?);
                if matches!(binary.op, BinOp::And(_) | BinOp::Or(_)) {
                    let left = self.truth(left, &binary.left)?;
                    let right = self.truth(right, &binary.right)?;
                    let test = match binary.op {
                        BinOp::And(_) => |a, b| a != 0.0 && b != 0.0,
                        _ => |a, b| a != 0.0 || b != 0.0,
                    };
                    return Some(self.push(Step::Test(test, left.step, right.step), Kind::Truth));
                }
                let left = self.numeric(left, &binary.left)?;
                let right = self.numeric(right, &binary.right)?;
                self.binary(expr, &binary.op, left, right)
            }
            Expr::MethodCall(call) => self.method(expr, call),
            Expr::Call(call) => self.function(expr, &call.func, call.args.iter().collect()),
            Expr::If(branch) => {
                let condition = match &*branch.cond {
                    Expr::Let(pattern) => self.unsupported(&Expr::Let(pattern.clone())),
                    condition => self
                        .expr(condition)
                        .and_then(|term| self.truth(term, condition)),
                };
                let yes = self.block(&branch.then_branch);
                let Some((_, otherwise)) = &branch.else_branch else {
                    return self.refuse(
                        Diagnostic::new(Place::of(expr), "this `if` has no `else`")
                            .help("write what the value is elsewhere: `else { 0.0 }`"),
                    );
                };
                let no = self.expr(otherwise);
                let (condition, yes, no) = (condition?, yes?, no?);
                let kind = if (yes.kind, no.kind) == (Kind::Truth, Kind::Truth) {
                    Kind::Truth
                } else {
                    let yes = self.numeric(yes, &branch.then_branch)?;
                    let no = self.numeric(no, otherwise)?;
                    self.same(expr, "if", yes, no)?
                };
                Some(self.push(Step::Select(condition.step, yes.step, no.step), kind))
            }
            other => self.unsupported(other),
        }
    }

    fn unsupported(&mut self, expr: &Expr) -> Option<Term> {
        let what = match expr {
            Expr::Return(_) => "`return`",
            Expr::Match(_) => "`match`",
            Expr::Loop(_) | Expr::While(_) | Expr::ForLoop(_) => "a loop",
            Expr::Assign(_) => "an assignment",
            Expr::Cast(_) => "a cast",
            Expr::Macro(_) => "a macro",
            Expr::Closure(_) => "a closure",
            Expr::Let(_) => "a pattern",
            _ => "this expression",
        };
        self.refuse(
            Diagnostic::new(
                Place::of(expr),
                format!("{what} cannot stand in a function of `#[xdnn]`"),
            )
            .note("its degree is proved from arithmetic, comparisons, `if … else …`, `let` and methods of `f32`"),
        )
    }

    fn literal(&mut self, literal: &Lit) -> Option<Term> {
        let value = match literal {
            Lit::Float(float) => float.base10_parse::<f64>().ok(),
            Lit::Int(int) if int.suffix() == "f32" => int.base10_digits().parse().ok(),
            Lit::Bool(bool) => {
                let step = Step::Constant(f64::from(bool.value));
                return Some(self.push(step, Kind::Truth));
            }
            Lit::Int(int) => {
                let help = format!("write `{}.0`", int.base10_digits());
                return self.refuse(
                    Diagnostic::new(literal.span(), "expected a number of type `f32`").help(help),
                );
            }
            _ => None,
        };
        match value.filter(|value| (*value as f32).is_finite()) {
            Some(value) => Some(self.number(value)),
            None => self.refuse(Diagnostic::new(
                literal.span(),
                "expected a number that fits `f32`",
            )),
        }
    }

    fn path(&mut self, path: &Path) -> Option<Term> {
        if let Some(name) = path.get_ident() {
            let known = self
                .scopes
                .iter()
                .rev()
                .find_map(|scope| scope.get(&name.to_string()));
            if let Some(term) = known {
                return *term;
            }
        }
        let mut segments = path.segments.iter().rev().map(|segment| &segment.ident);
        let (name, module) = (segments.next(), segments.next());
        let of_std = module.is_some_and(|module| module == "consts");
        let value = name
            .filter(|_| of_std)
            .and_then(|name| methods::constant(&name.to_string()));
        match value {
            Some(value) => Some(self.number(value)),
            None => {
                let text = text(path);
                self.refuse(
                    Diagnostic::new(Place::of(path), format!("the value of `{text}` is not known here"))
                        .note("a macro sees the text of this function, and nothing else")
                        .help(format!("write the number, or declare it inside of the function: `const {text}: f32 = …;`")),
                )
            }
        }
    }

    fn numeric(&mut self, term: Term, at: &impl quote::ToTokens) -> Option<Term> {
        match term.kind {
            Kind::Truth => self.refuse(Diagnostic::new(
                Place::of(at),
                "expected a number, found a `bool`",
            )),
            _ => Some(term),
        }
    }

    fn truth(&mut self, term: Term, at: &Expr) -> Option<Term> {
        match term.kind {
            Kind::Truth => Some(term),
            _ => self.refuse(Diagnostic::new(
                Place::of(at),
                "expected a `bool`, found a number",
            )),
        }
    }

    /// The degree of two operands that must have the same.
    fn same(&mut self, at: &Expr, operator: &str, left: Term, right: Term) -> Option<Kind> {
        let (a, b) = match (left.kind, right.kind) {
            (Kind::Zero, other) | (other, Kind::Zero) => return Some(other),
            (Kind::Degree(a), Kind::Degree(b)) if a == b => return Some(left.kind),
            (Kind::Degree(a), Kind::Degree(b)) => (a, b),
            _ => return None,
        };
        let constant = left.constant.or(right.constant);
        let compares = ["<", "<=", ">", ">=", "==", "!="].contains(&operator);
        let headline = match compares {
            true => {
                format!("`{operator}` compares the degrees {a} and {b}: scaling changes its answer")
            }
            false => {
                format!("`{operator}` mixes the degrees {a} and {b}: its result is not homogeneous")
            }
        };
        let note = format!(
            "scaling the argument by a > 0 scales one side by {} and the other by {}",
            power(a),
            power(b)
        );
        let help = match (operator, constant) {
            ("+" | "-", Some(_)) => "remove the constant: only 0 scales with everything".to_owned(),
            ("max" | "min" | "clamp", Some(_)) => {
                "clip at 0: `x.max(0.0)` and `x.min(0.0)` are homogeneous".to_owned()
            }
            (_, Some(_)) if compares => {
                "compare with 0, or with a value of the same degree".to_owned()
            }
            _ => DEGREES.to_owned(),
        };
        self.refuse(
            Diagnostic::new(Place::of(at), headline)
                .note(note)
                .help(help),
        )
    }

    fn binary(&mut self, at: &Expr, op: &BinOp, left: Term, right: Term) -> Option<Term> {
        let (a, b) = (left.step, right.step);
        let test: fn(f64, f64) -> bool = match op {
            BinOp::Add(_) => {
                let kind = self.same(at, "+", left, right)?;
                return Some(self.push(Step::Add(a, b), kind));
            }
            BinOp::Sub(_) => {
                let kind = self.same(at, "-", left, right)?;
                let negative = self.push(Step::Negate(b), right.kind);
                return Some(self.push(Step::Add(a, negative.step), kind));
            }
            BinOp::Mul(_) => {
                let kind = self.product(at, left.kind, right.kind)?;
                return Some(self.push(Step::Multiply(a, b), kind));
            }
            BinOp::Div(_) => {
                let kind = self.quotient(at, left.kind, right.kind)?;
                return Some(self.push(Step::Divide(a, b), kind));
            }
            BinOp::Lt(_) => |a, b| a < b,
            BinOp::Le(_) => |a, b| a <= b,
            BinOp::Gt(_) => |a, b| a > b,
            BinOp::Ge(_) => |a, b| a >= b,
            BinOp::Eq(_) => |a, b| a == b,
            BinOp::Ne(_) => differ,
            other => {
                let operator = text(other);
                return self.refuse(
                    Diagnostic::new(
                        Place::of(at),
                        format!("`{operator}` cannot stand in a function of `#[xdnn]`"),
                    )
                    .help("the operators are `+`, `-`, `*`, `/`, comparisons, `&&`, `||` and `!`"),
                );
            }
        };
        self.same(at, &text(op), left, right)?;
        Some(self.push(Step::Test(test, a, b), Kind::Truth))
    }

    fn product(&mut self, at: &Expr, left: Kind, right: Kind) -> Option<Kind> {
        match (left, right) {
            (Kind::Degree(a), Kind::Degree(b)) => self.degree(at, a.plus(b)),
            _ => Some(Kind::Zero),
        }
    }

    fn quotient(&mut self, at: &Expr, left: Kind, right: Kind) -> Option<Kind> {
        match (left, right) {
            (Kind::Degree(a), Kind::Degree(b)) => self.degree(at, a.minus(b)),
            (Kind::Zero, Kind::Degree(_)) => Some(Kind::Zero),
            _ => self.refuse(Diagnostic::new(Place::of(at), "this divides by zero")),
        }
    }

    fn degree(&mut self, at: &Expr, degree: Option<Degree>) -> Option<Kind> {
        match degree {
            Some(degree) => Some(Kind::Degree(degree)),
            None => self.refuse(Diagnostic::new(
                Place::of(at),
                "the degree of this is too large to compute with",
            )),
        }
    }

    /// The degree of a power of a value.
    fn power(&mut self, at: &Expr, of: Kind, exponent: Degree) -> Option<Kind> {
        match of {
            _ if exponent == Degree::ZERO => Some(Kind::Degree(Degree::ZERO)),
            Kind::Degree(degree) => self.degree(at, degree.times(exponent)),
            _ if exponent.is_positive() => Some(Kind::Zero),
            _ => self.refuse(Diagnostic::new(Place::of(at), "this divides by zero")),
        }
    }

    fn method(&mut self, at: &Expr, call: &ExprMethodCall) -> Option<Term> {
        let operands = std::iter::once(&*call.receiver).chain(&call.args).collect();
        self.call(at, &call.method, operands)
    }

    /// `f32::max(x, 0.0)`
    fn function(&mut self, at: &Expr, function: &Expr, operands: Vec<&Expr>) -> Option<Term> {
        if let Expr::Path(path) = function {
            let segments: Vec<_> = path
                .path
                .segments
                .iter()
                .map(|segment| &segment.ident)
                .collect();
            if let [.., of, name] = segments.as_slice()
                && *of == "f32"
            {
                return self.call(at, name, operands);
            }
        }
        let name = text(function);
        self.refuse(
            Diagnostic::new(
                Place::of(function),
                format!("what `{name}` does is not known here"),
            )
            .note("a macro sees the text of this function, and nothing else")
            .help("write its body here, or call methods of `f32` alone"),
        )
    }

    fn call(&mut self, at: &Expr, method: &Ident, operands: Vec<&Expr>) -> Option<Term> {
        let name = method.to_string();
        match (name.as_str(), operands.as_slice()) {
            ("powi", [base, exponent]) => {
                let base = self.operand(base);
                let Some(n) = integer(exponent) else {
                    return self.refuse(
                        Diagnostic::new(
                            Place::of(exponent),
                            "expected an integer that stands here as a number",
                        )
                        .help("write the exponent itself, as in `x.powi(2)`"),
                    );
                };
                self.powered(at, base?, Degree::integer(n))
            }
            ("powf", [base, exponent]) => {
                let (base, term) = (self.operand(base), self.operand(exponent));
                let value = term?.constant;
                let Some(exponent) = value.and_then(dyadic) else {
                    return self.refuse(
                        Diagnostic::new(
                            Place::of(exponent),
                            "the exponent of `powf` must be a fraction that `f32` holds exactly",
                        )
                        .note("the exponent is a factor of the degree, which is an exact rational")
                        .help("write a number such as `1.5`, or use `powi`, `sqrt` and `cbrt`"),
                    );
                };
                self.powered(at, base?, exponent)
            }
            (_, [x]) => {
                let x = self.operand(x);
                match methods::unary(&name) {
                    Some(rule) => self.unary(at, &name, rule, x?),
                    None => self.unknown(method),
                }
            }
            ("max" | "min" | "hypot" | "copysign" | "atan2", [a, b]) => {
                let (a, b) = (self.operand(a), self.operand(b));
                let (a, b) = (a?, b?);
                if name == "copysign" {
                    return Some(self.push(Step::CopySign(a.step, b.step), a.kind));
                }
                let kind = self.same(at, &name, a, b)?;
                let step = match name.as_str() {
                    "max" => Step::Max(a.step, b.step),
                    "min" => Step::Min(a.step, b.step),
                    "hypot" => Step::Hypot(a.step, b.step),
                    _ => return self.unknown(method),
                };
                Some(self.push(step, kind))
            }
            ("clamp", [x, low, high]) => {
                let [x, low, high] = [x, low, high].map(|operand| self.operand(operand));
                let (x, low, high) = (x?, low?, high?);
                let raised = self.same(at, "clamp", x, low)?;
                let raised = self.push(Step::Max(x.step, low.step), raised);
                let kind = self.same(at, "clamp", raised, high)?;
                Some(self.push(Step::Min(raised.step, high.step), kind))
            }
            ("mul_add", [a, b, c]) => {
                let [a, b, c] = [a, b, c].map(|operand| self.operand(operand));
                let (a, b, c) = (a?, b?, c?);
                let product = self.product(at, a.kind, b.kind)?;
                let product = self.push(Step::Multiply(a.step, b.step), product);
                let kind = self.same(at, "+", product, c)?;
                Some(self.push(Step::Add(product.step, c.step), kind))
            }
            _ => self.unknown(method),
        }
    }

    fn operand(&mut self, expr: &Expr) -> Option<Term> {
        let term = self.expr(expr)?;
        self.numeric(term, expr)
    }

    fn powered(&mut self, at: &Expr, base: Term, exponent: Degree) -> Option<Term> {
        let kind = self.power(at, base.kind, exponent)?;
        Some(self.push(Step::Power(exponent.to_f64(), base.step), kind))
    }

    fn unary(&mut self, at: &Expr, name: &str, rule: Rule, x: Term) -> Option<Term> {
        let (step, kind) = match rule {
            Rule::Abs => (Step::Abs(x.step), x.kind),
            Rule::Root(n) => {
                let half = Degree::rational(1, i64::from(n))?;
                (Step::Root(n, x.step), self.power(at, x.kind, half)?)
            }
            Rule::Recip => {
                let kind = self.power(at, x.kind, Degree::integer(-1))?;
                (Step::Power(-1.0, x.step), kind)
            }
            Rule::Sign(f) => (Step::Flat(f, x.step), Kind::Degree(Degree::ZERO)),
            Rule::Truth(f) => {
                let truth = match f(1.0) {
                    true => |x: f64, _: f64| x.is_sign_positive(),
                    false => |x: f64, _: f64| x.is_sign_negative(),
                };
                (Step::Test(truth, x.step, x.step), Kind::Truth)
            }
            Rule::Fixed(f) => {
                if let Kind::Degree(degree) = x.kind
                    && degree != Degree::ZERO
                {
                    return self.refuse(
                        Diagnostic::new(Place::of(at), format!("`{name}` of a value of degree {degree} is not homogeneous"))
                            .note(format!("there is no degree d with {name}(a*x) = a^d * {name}(x) for all a > 0"))
                            .help("use what has a degree: `max`, `min`, `abs`, `sqrt`, `cbrt`, `powi`, `*` and `/`"),
                    );
                }
                (Step::Flat(f, x.step), Kind::Degree(Degree::ZERO))
            }
        };
        Some(self.push(step, kind))
    }

    fn unknown(&mut self, method: &Ident) -> Option<Term> {
        self.refuse(
            Diagnostic::new(method, format!("what `{method}` does to a degree is not known"))
                .help("the methods are `max`, `min`, `clamp`, `abs`, `signum`, `copysign`, `sqrt`, `cbrt`, `hypot`, `powi`, `powf`, `recip` and `mul_add`, and `exp`, `tanh` and the like of values of degree 0"),
        )
    }
}

fn differ(a: f64, b: f64) -> bool {
    a != b
}

fn text(tokens: &impl quote::ToTokens) -> String {
    tokens.to_token_stream().to_string().replace(' ', "")
}

/// `a^2`, or 1 for degree 0.
fn power(degree: Degree) -> String {
    if degree == Degree::ZERO {
        "1".to_owned()
    } else if degree == Degree::ONE {
        "a".to_owned()
    } else if degree.denominator() == 1 {
        format!("a^{degree}")
    } else {
        format!("a^({degree})")
    }
}

/// The value of `3` or `-3`.
fn integer(expr: &Expr) -> Option<i32> {
    match expr {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(int) => int.base10_parse().ok(),
            _ => None,
        },
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => {
            integer(&unary.expr)?.checked_neg()
        }
        Expr::Paren(inner) => integer(&inner.expr),
        Expr::Group(inner) => integer(&inner.expr),
        _ => None,
    }
}

/// The fraction with a small power of two below that a number is.
fn dyadic(value: f64) -> Option<Degree> {
    const PARTS: f64 = 1024.0;
    let numerator = value * PARTS;
    let exact = numerator.fract() == 0.0 && numerator.abs() < f64::from(i32::MAX);
    exact
        .then(|| Degree::rational(numerator as i64, PARTS as i64))
        .flatten()
}
