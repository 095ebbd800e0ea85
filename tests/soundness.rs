//! What the compiler accepts is homogeneous of exactly the degree that it states, and what it refuses is not: measured on
//! networks as text, which the macro's own front end reads and the runtime computes.
//!
//! Half of the networks have a fault put in. What is refused is computed all the same, as the same text with `#[regular]` in
//! front. Refusals for other reasons, such as shapes that do not fit or an output of degree 0, are drawn again and count
//! nowhere. `XDNN_SOUNDNESS=1000000` asks for another number of networks.

#![allow(clippy::panic, clippy::unwrap_used)]

#[path = "soundness/generate.rs"]
mod generate;
#[path = "soundness/judge.rs"]
mod judge;
#[path = "soundness/mutate.rs"]
mod mutate;
#[path = "soundness/network.rs"]
mod network;
#[allow(dead_code)]
#[path = "../xdnn-runtime/tests/common/numbers.rs"]
mod numbers;
#[path = "soundness/text.rs"]
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use generate::Generator;
use judge::Seen;
use mutate::Fault;
use numbers::Numbers;
use xdnn::ir::{Combine, Degree, Layer, NetworkSpec, Signature};

/// What became of some networks.
#[derive(Default)]
struct Tally {
    accepted: usize,
    /// Those accepted of which no point that was tried shows anything.
    undecided: usize,
    rejected: usize,
    unsound: Vec<String>,
    falsely_rejected: BTreeMap<String, Vec<String>>,
    /// The layers and combinations of the networks that were computed.
    steps: BTreeSet<&'static str>,
    /// The faults that were refused.
    faults: BTreeMap<String, usize>,
}

#[test]
fn what_is_accepted_is_homogeneous_and_what_is_refused_is_not() {
    let networks = match std::env::var("XDNN_SOUNDNESS") {
        Ok(number) => number.parse().unwrap(),
        // Unoptimised code takes several times as long.
        Err(_) if cfg!(debug_assertions) => 3_000,
        Err(_) => 20_000,
    };
    let next = AtomicUsize::new(0);
    let work = || {
        let mut tally = Tally::default();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= networks {
                return tally;
            }
            tally.add(index);
            // proc-macro2 keeps all text that it ever read, and nothing of this network points into it any more.
            proc_macro2::extra::invalidate_current_thread_spans();
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let tally = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let tallies = workers.into_iter().map(|worker| worker.join().unwrap());
        tallies.fold(Tally::default(), Tally::with)
    });
    tally.report(networks);
}

impl Tally {
    /// Draws network number `index` until it is accepted, or refused because it is not homogeneous.
    fn add(&mut self, index: usize) {
        let focus = &Layer::SIGNATURES[index / 2 % Layer::SIGNATURES.len()];
        for attempt in 0..1000 {
            let mut numbers = Numbers::new((index as u64) << 16 | attempt);
            let mut generator = Generator {
                numbers: &mut numbers,
            };
            // Some layers leave no place for some faults.
            let focus = if attempt < 200 {
                focus
            } else {
                generator.signature()
            };
            let Some(mut network) = generator.network(focus) else {
                continue;
            };
            let mut said = String::new();
            if index % 2 == 1 {
                let sound = xdnn_syntax::check_str(&text::text(&network, 0, true));
                if !sound.is_ok_and(|spec| judge::is_alive(&spec, generator.numbers)) {
                    continue;
                }
                let fault = Fault::ALL[(index / 2 + attempt as usize) % Fault::ALL.len()];
                match mutate::mutate(&mut network, fault, &mut generator) {
                    Some(fault) => said = fault,
                    None => continue,
                }
            }
            let style = numbers.bits();
            let source = text::text(&network, style, true);
            let unchecked = text::text(&network, style, false);
            let unchecked = match xdnn_syntax::check_str(&unchecked) {
                Ok(spec) => spec,
                // Refused for another reason, which must not hide from the check of homogeneity.
                Err(_) => {
                    assert!(xdnn_syntax::check_str(&source).is_err(), "{source}");
                    continue;
                }
            };
            match xdnn_syntax::check_str(&source) {
                Ok(spec) => {
                    assert_eq!(spec, unchecked, "{source}");
                    self.accept(&spec, &source, &mut numbers);
                }
                Err(_) if unchecked.degree().is_some() => continue, // of degree 0 or below
                Err(_) if !judge::is_alive(&unchecked, &mut numbers) => continue,
                Err(_) => self.reject(&unchecked, &source, said, &mut numbers),
            }
            return;
        }
        panic!("no network for `{}`", focus.name);
    }

    fn see(&mut self, spec: &NetworkSpec) {
        self.steps
            .extend(spec.nodes().iter().map(|node| node.operation.name()));
    }

    fn accept(&mut self, spec: &NetworkSpec, source: &str, numbers: &mut Numbers) {
        self.accepted += 1;
        self.see(spec);
        match judge::accepted(spec, numbers) {
            Ok(Seen::Right) => {}
            Ok(Seen::Nothing) => self.undecided += 1,
            Ok(Seen::Wrong(evidence)) | Err(evidence) => {
                self.unsound.push(format!("{source}\n{spec}{evidence}"));
            }
        }
    }

    fn reject(&mut self, spec: &NetworkSpec, source: &str, fault: String, numbers: &mut Numbers) {
        self.rejected += 1;
        self.see(spec);
        let class = spec
            .first_inhomogeneous()
            .map_or_else(String::new, |(node, fault)| {
                format!(
                    "{}: {}",
                    node.operation.name(),
                    fault.message(node.operation.name()).headline
                )
            });
        *self.faults.entry(fault).or_default() += 1;
        match judge::seems_homogeneous(spec, numbers) {
            Ok(false) => {}
            Ok(true) => self
                .falsely_rejected
                .entry(class)
                .or_default()
                .push(format!("{source}\n{spec}")),
            Err(error) => panic!("{error}\n{source}"),
        }
    }

    fn with(mut self, other: Self) -> Self {
        self.accepted += other.accepted;
        self.undecided += other.undecided;
        self.rejected += other.rejected;
        self.unsound.extend(other.unsound);
        self.steps.extend(other.steps);
        for (class, sources) in other.falsely_rejected {
            self.falsely_rejected
                .entry(class)
                .or_default()
                .extend(sources);
        }
        for (fault, count) in other.faults {
            *self.faults.entry(fault).or_default() += count;
        }
        self
    }

    fn report(&self, networks: usize) {
        for network in self.unsound.iter().take(5) {
            println!("unsound: {network}\n");
        }
        println!("refused: {:?}", self.faults);
        println!("accepted, and nothing to see: {}", self.undecided);
        for (class, sources) in &self.falsely_rejected {
            let shortest = sources.iter().min_by_key(|source| source.len());
            println!(
                "falsely rejected, {} times: {class}\n{}\n",
                sources.len(),
                shortest.map_or("", String::as_str)
            );
        }
        let falsely_rejected: usize = self.falsely_rejected.values().map(Vec::len).sum();
        println!(
            "soundness: networks={networks} accepted={} unsound={} rejected={} falsely_rejected={falsely_rejected}",
            self.accepted,
            self.unsound.len(),
            self.rejected,
        );
        assert_eq!(self.accepted + self.rejected, networks);
        assert!(self.unsound.is_empty());
        assert!(self.undecided * 1000 <= networks, "{}", self.undecided);
        assert!(
            falsely_rejected * 100 <= self.rejected,
            "{falsely_rejected} of {}",
            self.rejected
        );
        let layers = Layer::SIGNATURES.iter().map(|signature| signature.name);
        let missing: Vec<_> = layers
            .chain(Combine::ALL.map(Combine::name))
            .filter(|name| !self.steps.contains(name))
            .collect();
        assert_eq!(missing, Vec::<&str>::new(), "what no network had");
        for fault in possible_faults() {
            let occurred = self.faults.keys().any(|said| said.starts_with(fault));
            assert!(occurred, "no network was refused for `{fault}`");
        }
    }
}

/// The kinds of faults that the layers of the language leave room for, as their descriptions start.
fn possible_faults() -> Vec<&'static str> {
    let mut faults = vec!["bias", "degrees", "constant padding"];
    let breaks = |signature: &Signature| {
        let layer = Layer::from_arguments(signature.name, &vec![None; signature.parameters.len()]);
        layer.is_some_and(|layer| layer.degree(Degree::ONE).is_err())
    };
    if Layer::SIGNATURES.iter().any(breaks) {
        faults.push("swap");
    }
    let mut parameters = Layer::SIGNATURES
        .iter()
        .flat_map(|signature| signature.parameters);
    if parameters.any(|parameter| parameter.name == "eps") {
        faults.push("argument eps");
    }
    faults
}
