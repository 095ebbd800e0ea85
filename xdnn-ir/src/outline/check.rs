//! Checks of the sizes that only the compiler knows.
//!
//! They are functions, not methods: a call that starts with a path has the place of its first token.

use super::line::Line;
use super::{Integer, View, shape};
use crate::message::text::{Part, equal, text};
use crate::message::{Explanation, output};
use crate::{Fault, MAX_RANK, Shape};

/// What checks look at.
#[derive(Clone, Copy, Debug)]
pub struct Checks {
    view: View<'static>,
    sizes: &'static [Integer],
    verdicts: &'static [Verdict],
}

/// What is wrong with the steps that a call makes, if anything is.
#[derive(Clone, Copy, Debug)]
pub struct Verdict {
    trouble: Option<Trouble>,
    /// The part of the call to blame, or [`CALL`].
    part: usize,
    /// What messages call it.
    name: &'static str,
    /// The calls of blocks that led to it.
    chain: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum Trouble {
    /// An argument is no size.
    Size(Integer),
    Refused(Fault),
    /// The degree or the weights are others than the macro has found.
    Unforeseen,
}

/// The whole call.
const CALL: usize = usize::MAX;

impl Checks {
    /// What checks of an outline look at.
    pub const fn new(
        view: View<'static>,
        sizes: &'static [Integer],
        verdicts: &'static [Verdict],
    ) -> Self {
        Self {
            view,
            sizes,
            verdicts,
        }
    }
}

impl Verdict {
    /// The verdicts about calls. Each line tells the name of a call, the nodes that it makes, its arguments, which sizes it
    /// has, the least value of each and the part of the call to blame for it, and the calls of blocks that led to it:
    /// ``Conv2d;0,44;out_channels,kernel;2:0:0;in `stage(WIDTH)` ``. The parts are the arguments, the operands but the first
    /// one, and what else is to blame for a size.
    ///
    /// # Panics
    ///
    /// Panics where a line is none.
    pub const fn all<const C: usize>(
        view: &View<'static>,
        sizes: &[Integer],
        lines: &[&'static str; C],
    ) -> [Self; C] {
        let fine = Self {
            trouble: None,
            part: CALL,
            name: "",
            chain: "",
        };
        let (mut verdicts, mut i) = ([fine; C], 0);
        while i < C {
            verdicts[i] = Self::of(view, sizes, lines[i]);
            i += 1;
        }
        verdicts
    }

    const fn of(view: &View<'static>, sizes: &[Integer], line: &'static str) -> Self {
        let mut line = Line::new(line);
        let name = line.heading();
        let (mut trouble, mut part) = (None, CALL);
        line.enter();
        while line.is_in_list() {
            let node = line.number();
            if trouble.is_none() {
                trouble = match view.results[node] {
                    Some(Err(fault)) => Some(Trouble::Refused(fault)),
                    Some(Ok(_)) if !view.is_as_foreseen(node) => Some(Trouble::Unforeseen),
                    _ => None,
                };
            }
        }
        let (argument, operand) = match &trouble {
            Some(Trouble::Refused(fault)) => (fault.argument(), fault.operand()),
            _ => (None, None),
        };
        let mut arguments = 0;
        line.enter();
        while line.is_in_list() {
            let word = line.word();
            if let Some(guilty) = argument
                && equal(word, guilty)
            {
                part = arguments;
            }
            arguments += 1;
            line.skip();
        }
        if let Some(operand) = operand
            && operand > 0
            && part == CALL
        {
            part = arguments + operand - 1;
        }
        line.enter();
        while line.is_in_list() {
            let (size, least, owner) = (sizes[line.number()], line.number(), line.number());
            if trouble.is_none() && !size.is_at_least(least) {
                (trouble, part) = (Some(Trouble::Size(size)), owner);
            }
        }
        line.enter();
        Self {
            trouble,
            part,
            name,
            chain: line.rest(),
        }
    }

    /// Panics with what is wrong.
    #[track_caller]
    const fn refuse(&self, trouble: &Trouble) -> ! {
        let explanation = match trouble {
            Trouble::Size(size) => size.explain(),
            Trouble::Refused(fault) => fault.explain(self.name),
            Trouble::Unforeseen => {
                let headline = "the degree or the weights of `{}` depend on a constant";
                Explanation::new(text(headline, &[Part::Str(self.name)]))
                    .note(text("the macro must know both, and does not know the constants of your crate", &[]))
                    .help(text("write the number, or declare it inside of the network: `const NAME: usize = …;`", &[]))
            }
        };
        refuse(&explanation, self.chain)
    }
}

/// Panics if the first of these calls with which something is wrong has this part to blame.
#[track_caller]
pub const fn blame(checks: &Checks, calls: [usize; 2], part: usize) {
    if let Some(verdict) = first(checks, calls)
        && verdict.part == part
        && let Some(trouble) = &verdict.trouble
    {
        verdict.refuse(trouble);
    }
}

/// Panics if something is wrong with one of these calls.
#[track_caller]
pub const fn accept(checks: &Checks, calls: [usize; 2]) {
    if let Some(verdict) = first(checks, calls)
        && let Some(trouble) = &verdict.trouble
    {
        verdict.refuse(trouble);
    }
}

/// The first call from one to another with which something is wrong.
const fn first(checks: &Checks, [mut call, end]: [usize; 2]) -> Option<&'static Verdict> {
    while call < end {
        if checks.verdicts[call].trouble.is_some() {
            return Some(&checks.verdicts[call]);
        }
        call += 1;
    }
    None
}

/// Panics unless this size is at least 1.
#[track_caller]
pub const fn check_size(checks: &Checks, size: usize) {
    let size = checks.sizes[size];
    if !size.is_at_least(1) {
        refuse(&size.explain(), "");
    }
}

/// Panics if dimensions of these sizes are too large for a value.
#[track_caller]
pub const fn check_shape(checks: &Checks, sizes: &[usize]) {
    let mut i = 0;
    while i < sizes.len() {
        if !checks.sizes[sizes[i]].is_at_least(1) {
            return;
        }
        i += 1;
    }
    if dims(checks, sizes).is_none() {
        refuse(&output::too_large(), "");
    }
}

/// Panics if the network returns another shape than that of these sizes.
#[track_caller]
pub const fn check_output(checks: &Checks, sizes: &[usize]) {
    let view = &checks.view;
    if let (Some(declared), Some(found)) = (dims(checks, sizes), view.shape_of(view.output))
        && !declared.same(&found)
    {
        refuse(&output::explain(view.name, declared, found), "");
    }
}

/// The shape of these sizes.
const fn dims(checks: &Checks, sizes: &[usize]) -> Option<Shape> {
    if sizes.len() > MAX_RANK {
        return None;
    }
    let (mut dims, mut i) = ([Integer::literal(1); MAX_RANK], 0);
    while i < sizes.len() {
        dims[i] = checks.sizes[sizes[i]];
        i += 1;
    }
    shape(dims.split_at(i).0)
}

/// Panics with a message in the form of the macro's.
#[track_caller]
#[allow(clippy::panic)]
const fn refuse(explanation: &Explanation, chain: &str) -> ! {
    panic!("{}", explanation.in_full(chain).as_str())
}
