//! What an editor shows inside of `network!` and of structs of layers: `cargo xtask editors`.
//!
//! A session with rust-analyzer in a small crate: hover and go-to-definition of layers and of their arguments, and the
//! completion of both while they are typed; first in a network without mistakes, then in one with.

mod program;
mod server;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};

use server::Server;

/// Prove with rust-analyzer that editors help inside of `network!`
#[derive(Args)]
pub struct Editors {}

const NETWORK: &str = "xdnn::network! {
    /// Reads pictures.
    pub struct Net(image: [3, 32, 32]) -> [10] {
        const WIDTH: usize = 16;
        block unit(width) { inner: Conv2d(width, kernel = 3, padding = 1) -> Relu; }
        conv: Conv2d(WIDTH, kernel = 3, padding = 1) -> Relu;
        body: unit(WIDTH) -> MaxPool2d(2);
        residual { unit2: Conv2d(16, kernel = 1) -> LeakyRelu(negative_slope = 0.1) };
        sum(Flatten -> left: Linear(10), Flatten -> Abs -> right: Linear(10));
    }
}
";

const STRUCT: &str = "#[xdnn::xdnn(input = [3, 32, 32])]
pub struct Chain {
    #[layer(16, kernel = 5)]
    conv: Conv2d,
    relu: Relu,
    pool: MaxPool2d<2>,
    flatten: Flatten,
}
";

/// What replaces a line of the struct to make mistakes.
const MISTAKES_OF_STRUCT: &str = "relu: Sigmoid, other: Frobnicate<3>,";

/// What replaces a line to make mistakes of every kind.
const MISTAKES: &str = "body: unit(WIDTH) -> Frobnicate(3) -> Sigmoid; Conv2d(8, kernl = ); x: 3 -> ; Flatten Abs; unit(WIDTH) -> MaxPool2d(2);";

/// Layers and arguments with what stands behind them, the file that declares them, and what their documentation says.
const KNOWN: [(&str, &str, &str, &[&str]); 9] = [
    (
        "Conv2d",
        "(WIDTH",
        "layer/convolution.rs",
        &["convolution", "=", "degree"],
    ),
    (
        "Conv2d",
        "(width",
        "layer/convolution.rs",
        &["convolution", "=", "degree"],
    ),
    ("Relu", ";", "layer/activation.rs", &["max(x, 0)", "degree"]),
    // Its arrow is missing.
    ("Abs", "; unit", "layer/activation.rs", &["|x|", "degree"]),
    (
        "MaxPool2d",
        "(2)",
        "layer/pool.rs",
        &["maximum", "=", "degree"],
    ),
    (
        "LeakyRelu",
        "(",
        "layer/activation.rs",
        &["slope", "degree"],
    ),
    (
        "Linear",
        "(10), Flatten",
        "layer/linear.rs",
        &["W·x", "degree"],
    ),
    (
        "kernel",
        " = 3, padding = 1) -> Relu;\n",
        "layer/convolution.rs",
        &["size of the kernel"],
    ),
    (
        "negative_slope",
        " = 0.1",
        "layer/activation.rs",
        &["slope for"],
    ),
];

/// The same for the struct.
const KNOWN_OF_STRUCT: [(&str, &str, &str, &[&str]); 4] = [
    (
        "Conv2d",
        ",",
        "layer/convolution.rs",
        &["convolution", "=", "degree"],
    ),
    ("Relu", ",", "layer/activation.rs", &["max(x, 0)", "degree"]),
    ("MaxPool2d", "<2>", "layer/pool.rs", &["maximum", "degree"]),
    (
        "kernel",
        " = 5",
        "layer/convolution.rs",
        &["size of the kernel"],
    ),
];

/// An edit, with `|` where the cursor is, and what is to be offered there.
const TYPED: [(&str, &str, &str); 8] = [
    ("-> Relu;\n        body", "-> Rel|;\n        body", "Relu"),
    (
        "-> Relu;\n        body",
        "-> Relu -> |;\n        body",
        "MaxPool2d",
    ),
    (
        "-> Relu;\n        body",
        "-> Relu;\n        Max|\n        body",
        "MaxPool2d",
    ),
    ("conv: Conv2d(WIDTH", "conv: Conv|(WIDTH", "Conv2d"),
    ("sum(Flatten", "sum(Flat|", "Flatten"),
    ("WIDTH, kernel = 3", "WIDTH, ker|", "kernel"),
    (
        "kernel = 3, padding = 1) -> Relu;\n",
        "kernel = 3, pad| = 1) -> Relu;\n",
        "padding",
    ),
    ("kernel = 1)", "kernel = 1, dil|)", "dilation"),
];

/// The same for the struct.
const TYPED_OF_STRUCT: [(&str, &str, &str); 5] = [
    ("conv: Conv2d", "conv: Conv|", "Conv2d"),
    ("pool: MaxPool2d<2>", "pool: Max|<2>", "MaxPool2d"),
    ("pool: MaxPool2d<2>", "pool: Max|", "MaxPool2d"),
    ("16, kernel = 5", "16, ker|", "kernel"),
    ("kernel = 5)", "kernel = 5, dil|)", "dilation"),
];

impl Editors {
    pub fn run(self) -> Result<ExitCode> {
        let root = crate::target_directory().join("editors");
        let mut session = Session::start(root)?;
        let with_mistakes = NETWORK.replace("body: unit(WIDTH) -> MaxPool2d(2);", MISTAKES);
        let struct_with_mistakes = STRUCT.replace("relu: Relu,", MISTAKES_OF_STRUCT);
        for (title, text, known, typed) in [
            ("a network", NETWORK, &KNOWN[..], &TYPED[..]),
            ("a network with mistakes", &with_mistakes, &KNOWN, &TYPED),
            ("a struct", STRUCT, &KNOWN_OF_STRUCT, &TYPED_OF_STRUCT),
            (
                "a struct with mistakes",
                &struct_with_mistakes,
                &KNOWN_OF_STRUCT,
                &TYPED_OF_STRUCT,
            ),
        ] {
            println!("{title}");
            for (name, behind, file, docs) in known {
                session.known(text, name, behind, file, docs)?;
            }
            for (old, new, wanted) in typed {
                session.typed(text, old, new, wanted)?;
            }
        }
        println!(
            "editors: passed={} failed={}",
            session.passed, session.failed
        );
        Ok(ExitCode::from(u8::from(session.failed > 0)))
    }
}

struct Session {
    server: Server,
    uri: String,
    passed: usize,
    failed: usize,
}

impl Session {
    fn start(root: PathBuf) -> Result<Self> {
        let manifest = format!(
            "[package]\nname = \"session\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [dependencies]\nxdnn = {{ path = {:?} }}\n\n[workspace]\n",
            crate::workspace()
        );
        let file = root.join("src/lib.rs");
        fs::create_dir_all(root.join("src")).with_context(|| root.display().to_string())?;
        fs::write(root.join("Cargo.toml"), manifest)?;
        fs::copy(
            crate::workspace().join("Cargo.lock"),
            root.join("Cargo.lock"),
        )?;
        fs::write(&file, NETWORK)?;
        let root = root.canonicalize()?;
        let server = Server::start(&program::find()?, &root, &root.join("target"))?;
        Ok(Self {
            server,
            uri: format!("file://{}", root.join("src/lib.rs").display()),
            passed: 0,
            failed: 0,
        })
    }

    /// Whether a name is explained, and leads to its declaration.
    fn known(
        &mut self,
        text: &str,
        name: &str,
        behind: &str,
        file: &str,
        docs: &[&str],
    ) -> Result<()> {
        self.server.show(&self.uri, text)?;
        let Some(at) = text.find(&format!("{name}{behind}")) else {
            // The line with the mistakes took its place.
            return Ok(());
        };
        let hover = self.ask("textDocument/hover", text, at + 1)?;
        let shown = hover["contents"]["value"].as_str().unwrap_or_default();
        let missing: Vec<_> = docs.iter().filter(|doc| !shown.contains(**doc)).collect();
        self.judge(missing.is_empty(), &format!("hover on `{name}`"), || {
            format!("{missing:?} missing in {shown:?}")
        });
        let definition = self.ask("textDocument/definition", text, at + 1)?;
        let leads = definition.to_string();
        self.judge(
            leads.contains(file),
            &format!("definition of `{name}`"),
            || leads.clone(),
        );
        Ok(())
    }

    /// Whether a name is offered while it is typed.
    fn typed(&mut self, text: &str, old: &str, new: &str, wanted: &str) -> Result<()> {
        let Some(at) = text.find(old) else {
            return Ok(());
        };
        let cursor = at + new.find('|').context("an edit without a cursor")?;
        let edited = text.replacen(old, &new.replace('|', ""), 1);
        self.server.show(&self.uri, &edited)?;
        let offered = self.ask("textDocument/completion", &edited, cursor)?;
        let items = offered["items"].as_array().or(offered.as_array());
        let labels: Vec<_> = items
            .into_iter()
            .flatten()
            .filter_map(|item| item["label"].as_str())
            .collect();
        let what = format!("completion of `{}`", new.trim_end().replace('\n', " "));
        self.judge(labels.contains(&wanted), &what, || {
            format!("`{wanted}` not in {labels:?}")
        });
        Ok(())
    }

    fn ask(&mut self, method: &str, text: &str, at: usize) -> Result<Value> {
        let before = &text[..at];
        let line = before.matches('\n').count();
        let character = before.chars().rev().take_while(|c| *c != '\n').count();
        self.server.request(
            method,
            json!({
                "textDocument": { "uri": self.uri },
                "position": { "line": line, "character": character },
            }),
        )
    }

    fn judge(&mut self, passed: bool, what: &str, evidence: impl FnOnce() -> String) {
        if passed {
            self.passed += 1;
            println!("  ok      {what}");
        } else {
            self.failed += 1;
            println!("  FAILED  {what}: {}", evidence());
        }
    }
}
