//! The values of expressions.
//!
//! Unknown names have been reported by the check of names; here they only make the value unknown.

use xdnn_ir::{Argument, MAX_RANK, ParameterKind};

use super::Lowerer;
use super::scope::{Scope, text};
use super::size::{Given, PlacedSize, Size, path_text};
use crate::ast::{Expr, ExprKind, Operator};
use crate::check::names::is_constant;
use crate::diagnostic::Diagnostic;
use crate::suggest;

/// More than any calculation that a person writes, and little enough for any compiler.
const MAX_LENGTH: usize = 256;

impl<'a> Lowerer<'a, '_> {
    /// An integer; an intermediate value may be negative.
    pub(super) fn integer(&mut self, expr: &Expr, scope: &Scope<'_, 'a>) -> Option<Size> {
        match &expr.kind {
            ExprKind::Int(value) => Some(Size::Known(*value)),
            ExprKind::Name(name) => match scope.size(&text(name)) {
                Some(size) => size,
                None if is_constant(&text(name)) => Some(Size::constant(name.clone().into())),
                None => None,
            },
            ExprKind::Path(path) => Some(Size::constant(path.clone())),
            ExprKind::Parenthesized(value) => self.integer(value, scope),
            ExprKind::Negative(value) => match self.integer(value, scope)? {
                Size::Known(value) => self.fits(expr, value.checked_neg()),
                open => self.short(expr, Size::negative(open)),
            },
            ExprKind::Binary(left, operator, right) => {
                let (left, divisor) = (self.integer(left, scope), right);
                let (left, right) = (left?, self.integer(right, scope)?);
                if let (Operator::Div | Operator::Rem, Size::Known(0)) = (operator, &right) {
                    self.report(Diagnostic::new(divisor.place, "division by zero"));
                    return None;
                }
                let (Size::Known(left), Size::Known(right)) = (&left, &right) else {
                    return self.short(expr, Size::binary(left, *operator, right));
                };
                let value = match operator {
                    Operator::Add => left.checked_add(*right),
                    Operator::Sub => left.checked_sub(*right),
                    Operator::Mul => left.checked_mul(*right),
                    Operator::Div => left.checked_div(*right),
                    Operator::Rem => left.checked_rem(*right),
                };
                self.fits(expr, value)
            }
            _ => {
                self.report(Diagnostic::new(
                    expr.place,
                    format!("expected an integer, found {}", describe(expr)),
                ));
                None
            }
        }
    }

    fn fits(&mut self, expr: &Expr, value: Option<i64>) -> Option<Size> {
        if value.is_none() {
            self.report(Diagnostic::new(
                expr.place,
                "this integer is too large to compute with",
            ));
        }
        value.map(Size::Known)
    }

    fn short(&mut self, expr: &Expr, size: Size) -> Option<Size> {
        if size.length() > MAX_LENGTH {
            let error = Diagnostic::new(expr.place, "this calculation is too long");
            self.report(error.help("compute it in a `const` of your crate"));
            return None;
        }
        Some(size)
    }

    /// An integer that is not negative.
    pub(super) fn size(&mut self, expr: &Expr, scope: &Scope<'_, 'a>) -> Option<Size> {
        let size = self.integer(expr, scope)?;
        if let Size::Known(value @ ..0) = size {
            self.report(Diagnostic::new(
                expr.place,
                format!("a size cannot be negative, but this is {value}"),
            ));
            return None;
        }
        Some(size)
    }

    /// A size that the macro must know. `what` it is stands in the message.
    pub(super) fn known(
        &mut self,
        what: &str,
        expr: &Expr,
        scope: &Scope<'_, 'a>,
    ) -> Option<usize> {
        let size = self.size(expr, scope)?;
        match &size {
            Size::Known(value) => usize::try_from(*value).ok(),
            Size::Open(_) => {
                let error = Diagnostic::new(
                    expr.place,
                    format!(
                        "{what} must be known to the macro, but only the compiler knows `{size}`"
                    ),
                );
                self.report(
                    error
                        .note("the nodes of a network and the names of its weights cannot depend on constants of your crate")
                        .help("write the number, or declare it inside of the network: `const N: usize = …;`"),
                );
                None
            }
        }
    }

    /// An integer of at least 1.
    pub(super) fn dimension(&mut self, expr: &Expr, scope: &Scope<'_, 'a>) -> Option<PlacedSize> {
        let size = self.size(expr, scope)?;
        if let Size::Known(0) = size {
            self.report(Diagnostic::new(
                expr.place,
                "a dimension must be at least 1",
            ));
            return None;
        }
        let place = expr.place;
        Some(PlacedSize { size, place })
    }

    /// The argument for a parameter of this kind. `given` is not empty.
    pub(super) fn argument(
        &mut self,
        name: &str,
        kind: ParameterKind,
        given: &[&Expr],
        scope: &Scope<'_, 'a>,
    ) -> Option<Given> {
        let first = *given.first()?;
        match kind {
            ParameterKind::Int => self.scalar(name, first, scope).map(Given::Int),
            ParameterKind::Ints(n) => match &first.kind {
                ExprKind::Tuple(list) if list.len() == n => {
                    let sizes: Vec<_> = list.iter().map(|expr| self.placed(expr, scope)).collect();
                    sizes.into_iter().collect::<Option<_>>().map(Given::Ints)
                }
                ExprKind::Tuple(list) => {
                    let error = Diagnostic::new(
                        first.place,
                        format!("`{name}` takes {n} integers, found {}", list.len()),
                    );
                    self.report(error.help(format!(
                        "write `{}`, or one integer for all",
                        tuple(name, n)
                    )));
                    None
                }
                ExprKind::List(_) => {
                    let error = Diagnostic::new(
                        first.place,
                        format!("`{name}` takes integers in parentheses, found brackets"),
                    );
                    self.report(error.help(format!("write `{}`", tuple(name, n))));
                    None
                }
                ExprKind::Text(text) if text == "same" || text == "valid" => {
                    let error = Diagnostic::new(
                        first.place,
                        format!("`{name}` takes integers, found a text"),
                    );
                    self.report(
                        error.help(
                            "write the number: half of an odd kernel for `same`, 0 for `valid`",
                        ),
                    );
                    None
                }
                _ => self.scalar(name, first, scope).map(Given::Int),
            },
            ParameterKind::Float => {
                let value = self.float(name, first, scope)?;
                Some(Given::Other(Argument::Float(value)))
            }
            ParameterKind::Bool => match &first.kind {
                ExprKind::Bool(value) => Some(Given::Other(Argument::Bool(*value))),
                ExprKind::Path(path) => {
                    self.only_sizes(name, first, &path_text(path));
                    None
                }
                ExprKind::Name(constant) if is_constant(&text(constant)) => {
                    self.only_sizes(name, first, &text(constant));
                    None
                }
                _ => {
                    let error = Diagnostic::new(
                        first.place,
                        format!(
                            "`{name}` takes `true` or `false`, found {}",
                            describe(first)
                        ),
                    );
                    let meant = match &first.kind {
                        ExprKind::Name(word) => {
                            suggest::closest(&word.to_string(), ["true", "false"])
                        }
                        _ => None,
                    };
                    self.report(match meant {
                        Some(meant) => error.help(format!("did you mean `{meant}`?")),
                        None => error,
                    });
                    None
                }
            },
            ParameterKind::Word(words) => {
                let word = self.word(name, words, first)?;
                Some(Given::Other(Argument::Word(word)))
            }
            ParameterKind::Dims => self.shape(name, given, scope).map(Given::Dims),
        }
    }

    /// A constant of the user's crate stands where the macro must know the value.
    fn only_sizes(&mut self, name: &str, expr: &Expr, constant: &str) {
        let error = Diagnostic::new(
            expr.place,
            format!(
                "`{name}` must be known to the macro, but only the compiler knows `{constant}`"
            ),
        );
        self.report(
            error
                .note("of a layer's arguments only sizes can be constants of your crate")
                .help("write the value"),
        );
    }

    fn placed(&mut self, expr: &Expr, scope: &Scope<'_, 'a>) -> Option<PlacedSize> {
        let (size, place) = (self.size(expr, scope)?, expr.place);
        Some(PlacedSize { size, place })
    }

    fn scalar(&mut self, name: &str, expr: &Expr, scope: &Scope<'_, 'a>) -> Option<PlacedSize> {
        match &expr.kind {
            ExprKind::Int(_)
            | ExprKind::Name(_)
            | ExprKind::Path(_)
            | ExprKind::Negative(_)
            | ExprKind::Binary(..)
            | ExprKind::Parenthesized(_) => self.placed(expr, scope),
            _ => {
                self.report(Diagnostic::new(
                    expr.place,
                    format!("`{name}` takes an integer, found {}", describe(expr)),
                ));
                None
            }
        }
    }

    fn float(&mut self, name: &str, expr: &Expr, scope: &Scope<'_, 'a>) -> Option<f64> {
        match &expr.kind {
            ExprKind::Float(value) => Some(*value),
            ExprKind::Negative(value) => self.float(name, value, scope).map(|value| -value),
            ExprKind::Parenthesized(value) => self.float(name, value, scope),
            // Exact: sizes that matter are far below 2^53.
            ExprKind::Int(_) | ExprKind::Name(_) | ExprKind::Path(_) => {
                match self.integer(expr, scope)? {
                    Size::Known(value) => Some(value as f64),
                    open => {
                        self.only_sizes(name, expr, &open.to_string());
                        None
                    }
                }
            }
            ExprKind::Binary(left, operator, right) => {
                let (left, right) = (
                    self.float(name, left, scope),
                    self.float(name, right, scope),
                );
                let (left, right) = (left?, right?);
                Some(match operator {
                    Operator::Add => left + right,
                    Operator::Sub => left - right,
                    Operator::Mul => left * right,
                    Operator::Div => left / right,
                    Operator::Rem => left % right,
                })
            }
            _ => {
                self.report(Diagnostic::new(
                    expr.place,
                    format!("`{name}` takes a number, found {}", describe(expr)),
                ));
                None
            }
        }
    }

    fn word(
        &mut self,
        name: &str,
        words: &'static [&'static str],
        expr: &Expr,
    ) -> Option<&'static str> {
        let given = match &expr.kind {
            ExprKind::Name(word) => text(word),
            ExprKind::Text(text) => text.clone(),
            _ => String::new(),
        };
        let quoted = matches!(expr.kind, ExprKind::Text(_));
        let exact = words.iter().copied().find(|word| *word == given);
        if exact.is_some() && !quoted {
            return exact;
        }
        let list: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
        let error = Diagnostic::new(
            expr.place,
            format!(
                "`{name}` takes one of {}, found {}",
                list.join(", "),
                describe(expr)
            ),
        );
        self.report(
            match exact.or_else(|| suggest::closest(&given, words.iter().copied())) {
                Some(meant) if quoted => {
                    error.help(format!("write `{name} = {meant}`, without quotes"))
                }
                Some(meant) => error.help(format!("did you mean `{meant}`?")),
                None => error,
            },
        );
        None
    }

    /// A shape: several integers, or one tuple of them.
    fn shape(
        &mut self,
        name: &str,
        given: &[&Expr],
        scope: &Scope<'_, 'a>,
    ) -> Option<Vec<PlacedSize>> {
        let sizes: Vec<_> = match given {
            [
                Expr {
                    kind: ExprKind::Tuple(list),
                    ..
                },
            ] => list
                .iter()
                .map(|expr| self.dimension(expr, scope))
                .collect(),
            given => given
                .iter()
                .map(|expr| match &expr.kind {
                    ExprKind::Negative(_) => {
                        let error =
                            Diagnostic::new(expr.place, "every dimension must be written out");
                        self.report(
                            error.note("-1 for \"what is left\" is not part of the language"),
                        );
                        None
                    }
                    _ => self
                        .scalar(name, expr, scope)
                        .and_then(|_| self.dimension(expr, scope)),
                })
                .collect(),
        };
        let sizes = sizes.into_iter().collect::<Option<Vec<_>>>()?;
        if let (true, Some(first)) = (sizes.len() > MAX_RANK, given.first()) {
            self.report(
                Diagnostic::new(
                    first.place,
                    format!("a shape of {} dimensions is too large", sizes.len()),
                )
                .note("a value has at most 5 dimensions beside the batch"),
            );
            return None;
        }
        Some(sizes)
    }
}

fn tuple(name: &str, n: usize) -> String {
    let numbers = vec![if n == 4 { "1" } else { "3" }; n];
    format!("{name} = ({})", numbers.join(", "))
}

fn describe(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Int(value) => format!("the integer {value}"),
        ExprKind::Float(value) => format!("the number {value:?}"),
        ExprKind::Bool(value) => format!("`{value}`"),
        ExprKind::Text(_) => "a text".to_owned(),
        ExprKind::Name(name) => format!("`{name}`"),
        ExprKind::Path(path) => format!("`{}`", path_text(path)),
        ExprKind::Negative(_) | ExprKind::Binary(..) => "a calculation".to_owned(),
        ExprKind::Parenthesized(value) => describe(value),
        ExprKind::Tuple(list) => format!("{} values in parentheses", list.len()),
        ExprKind::List(_) => "values in brackets".to_owned(),
    }
}
