//! Which argument belongs to which parameter, for layers and for blocks.

use xdnn_ir::message::{aliases, same_name};
use xdnn_ir::{Layer, ParameterKind, Signature};

use crate::ast::{Argument, Block, Call, Expr};
use crate::diagnostic::Diagnostic;
use crate::suggest;

/// A parameter, as far as arguments are assigned to it.
struct Slot {
    name: String,
    optional: bool,
    /// Whether it takes all remaining positional arguments.
    variadic: bool,
    /// Whether it is given by its name only.
    named: bool,
}

/// For each parameter, the expressions given for it: none, one, or several for a shape.
pub(crate) type Assigned<'a> = Vec<Vec<&'a Expr>>;

/// Assigns the arguments of a layer. The mistakes go to `report`.
pub(crate) fn of_layer<'a>(
    signature: &Signature,
    call: &'a Call,
    report: &mut dyn FnMut(Diagnostic),
) -> Assigned<'a> {
    let slots: Vec<_> = signature
        .parameters
        .iter()
        .map(|parameter| Slot {
            name: parameter.name.to_owned(),
            optional: parameter.optional,
            variadic: parameter.kind == ParameterKind::Dims,
            // `Linear(784, 10)` is meant as PyTorch's, not as a bias.
            named: parameter.name == "bias",
        })
        .collect();
    let infers_input = slots
        .first()
        .is_some_and(|slot| slot.name.starts_with("out_"));
    assign(&slots, call, &mut |problem| {
        let diagnostic = match &problem {
            Problem::Unknown(argument, key) => unknown_parameter(&slots, call, argument, key),
            problem => describe(problem, &slots, call, "layer"),
        };
        let surplus = matches!(problem, Problem::TooMany(_) | Problem::Twice(..));
        report(if infers_input && surplus {
            diagnostic
                .help("the size of the input is inferred: the first argument is that of the output")
        } else if matches!(problem, Problem::Missing(_)) {
            diagnostic.help(match call.is_field {
                true => format!("write `#[layer({})]` in front of it", example(signature)),
                false => format!("write `{}({})`", signature.name, example(signature)),
            })
        } else {
            diagnostic
        });
    })
}

/// Assigns the arguments of a call of a block. The mistakes go to `report`.
pub(crate) fn of_block<'a>(
    block: &Block,
    call: &'a Call,
    report: &mut dyn FnMut(Diagnostic),
) -> Assigned<'a> {
    let slots: Vec<_> = block
        .parameters
        .iter()
        .map(|parameter| Slot {
            name: parameter.name.to_string(),
            optional: parameter.default.is_some(),
            variadic: false,
            named: false,
        })
        .collect();
    assign(&slots, call, &mut |problem| {
        report(match &problem {
            Problem::Unknown(argument, key) => unknown_parameter(&slots, call, argument, key),
            Problem::Missing(_) => {
                let needed: Vec<_> = slots
                    .iter()
                    .filter(|slot| !slot.optional)
                    .map(|slot| slot.name.as_str())
                    .collect();
                describe(&problem, &slots, call, "block").help(format!(
                    "write `{}({})` with a value for each",
                    call.name,
                    needed.join(", ")
                ))
            }
            problem => describe(problem, &slots, call, "block"),
        });
    })
}

/// What can go wrong when arguments are assigned.
enum Problem<'a> {
    /// No parameter has that name.
    Unknown(&'a Argument, String),
    /// The parameter has a value already.
    Twice(&'a Argument, usize),
    /// There are fewer parameters.
    TooMany(&'a Argument),
    /// It stands behind one with a name.
    Unordered(&'a Argument),
    /// A parameter has no value and no default.
    Missing(usize),
}

fn assign<'a>(
    slots: &[Slot],
    call: &'a Call,
    problem: &mut dyn FnMut(Problem<'a>),
) -> Assigned<'a> {
    let mut assigned = vec![Vec::new(); slots.len()];
    let positional = slots.iter().filter(|slot| !slot.named).count();
    let (mut position, mut named) = (0, false);
    for argument in call.arguments() {
        let slot = match &argument.key {
            Some(key) => {
                named = true;
                let key = key.to_string();
                let Some(slot) = slots.iter().position(|slot| slot.name == key) else {
                    // The parameter that was meant is not missing, too.
                    if let Some(slot) = meant(slots, &key).filter(|slot| assigned[*slot].is_empty())
                    {
                        assigned[slot].push(&argument.value);
                    }
                    problem(Problem::Unknown(argument, key));
                    continue;
                };
                if !assigned[slot].is_empty() {
                    problem(Problem::Twice(argument, slot));
                    continue;
                }
                slot
            }
            None if named => {
                problem(Problem::Unordered(argument));
                continue;
            }
            None if position >= positional => {
                problem(Problem::TooMany(argument));
                continue;
            }
            None => {
                let slot = position;
                if !slots[slot].variadic {
                    position += 1;
                }
                slot
            }
        };
        assigned[slot].push(&argument.value);
    }
    for (slot, given) in assigned.iter().enumerate() {
        if given.is_empty() && !slots[slot].optional {
            problem(Problem::Missing(slot));
        }
    }
    assigned
}

/// Whether an argument of this name is about a bias.
pub(crate) fn is_bias(key: &str) -> bool {
    same_name(key, "bias") || same_name(key, "use_bias")
}

/// The parameter that a wrong name was meant for.
fn meant(slots: &[Slot], key: &str) -> Option<usize> {
    let position = |name: &str| slots.iter().position(|slot| slot.name == name);
    if aliases::NEEDLESS
        .iter()
        .any(|(other, _)| same_name(other, key))
    {
        return None;
    }
    let mut known = aliases::PARAMETERS
        .iter()
        .filter(|(other, _)| same_name(other, key));
    known.find_map(|(_, own)| position(own)).or_else(|| {
        suggest::closest(key, slots.iter().map(|slot| slot.name.as_str())).and_then(position)
    })
}

fn describe(problem: &Problem, slots: &[Slot], call: &Call, what: &str) -> Diagnostic {
    let name = &call.name;
    match *problem {
        Problem::Unknown(argument, ref key) => unknown_parameter(slots, call, argument, key),
        Problem::Twice(argument, slot) => {
            let parameter = &slots[slot].name;
            let diagnostic = Diagnostic::new(
                place(argument),
                format!("`{parameter}` of `{name}` is given twice"),
            );
            let positional = call.arguments().get(slot).filter(|at| at.key.is_none());
            match positional {
                Some(_) => diagnostic.note(format!(
                    "argument {} of `{name}` is `{parameter}` already",
                    slot + 1
                )),
                None => diagnostic,
            }
        }
        Problem::TooMany(argument) => {
            let positional = slots.iter().filter(|slot| !slot.named).count();
            let unnamed = if positional < slots.len() {
                " without a name"
            } else {
                ""
            };
            let diagnostic = Diagnostic::new(
                argument.value.place,
                format!("`{name}` takes {}{unnamed}", count(positional)),
            );
            if slots.is_empty() {
                diagnostic.help(format!("write `{name}` without arguments"))
            } else {
                diagnostic.note(what_it_takes(slots))
            }
        }
        Problem::Unordered(argument) => Diagnostic::new(
            argument.value.place,
            "an argument without a name stands behind one with a name",
        )
        .help(format!(
            "give it a name, too: the {what} `{name}` takes {}",
            list(slots)
        )),
        Problem::Missing(slot) => {
            Diagnostic::new(&call.name, format!("`{name}` needs `{}`", slots[slot].name))
        }
    }
}

fn unknown_parameter(slots: &[Slot], call: &Call, argument: &Argument, key: &str) -> Diagnostic {
    let diagnostic = Diagnostic::new(
        place(argument),
        format!("`{}` has no argument `{key}`", call.name),
    );
    let needless = aliases::NEEDLESS
        .iter()
        .find(|(other, _)| same_name(other, key));
    if let Some((_, why)) = needless {
        return diagnostic.help(*why);
    }
    match meant(slots, key) {
        Some(slot) => diagnostic.help(format!("did you mean `{}`?", slots[slot].name)),
        None if slots.is_empty() => {
            diagnostic.help(format!("write `{}` without arguments", call.name))
        }
        None => diagnostic.help(what_it_takes(slots)),
    }
}

fn place(argument: &Argument) -> crate::diagnostic::Place {
    match &argument.key {
        Some(key) => key.into(),
        None => argument.value.place,
    }
}

fn list(slots: &[Slot]) -> String {
    let names: Vec<_> = slots
        .iter()
        .map(|slot| format!("`{}`", slot.name))
        .collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

fn what_it_takes(slots: &[Slot]) -> String {
    let verb = if slots.len() == 1 {
        "its argument is"
    } else {
        "its arguments are"
    };
    format!("{verb} {}", list(slots))
}

fn count(n: usize) -> String {
    match n {
        0 => "no arguments".to_owned(),
        1 => "one argument".to_owned(),
        n => format!("at most {n} arguments"),
    }
}

/// The arguments that the layer cannot do without.
fn example(signature: &Signature) -> String {
    let required = signature
        .parameters
        .iter()
        .enumerate()
        .filter(|(_, parameter)| !parameter.optional);
    let arguments: Vec<_> = required
        .map(|(i, parameter)| match (i, parameter.kind) {
            (_, ParameterKind::Dims) => "64, 7, 7".to_owned(),
            (_, ParameterKind::Word([word, ..])) => format!("{} = {word}", parameter.name),
            (0, ParameterKind::Ints(4)) => "(1, 1, 1, 1)".to_owned(),
            (0, _) if parameter.name.starts_with("out_") => "64".to_owned(),
            (0, _) => "2".to_owned(),
            _ => format!("{} = 3", parameter.name),
        })
        .collect();
    arguments.join(", ")
}

/// The signature of the layer of exactly this name.
pub(crate) fn signature(name: &str) -> Option<&'static Signature> {
    Layer::SIGNATURES
        .iter()
        .find(|signature| signature.name == name)
}
