//! A conversation with a language server over its standard input and output.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

/// The first start compiles the dependencies of the crate that is looked at.
const PATIENCE: Duration = Duration::from_secs(900);

/// A running server, killed when it is dropped.
pub struct Server {
    process: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    requests: u64,
    versions: u64,
}

impl Server {
    /// Starts a server for the crate in `root`, and waits until it knows everything.
    pub fn start(program: &Path, root: &Path, target: &Path) -> Result<Self> {
        let mut process = Command::new(program)
            .current_dir(root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot run `{}`", program.display()))?;
        let input = process.stdin.take().context("no standard input")?;
        let mut output = BufReader::new(process.stdout.take().context("no standard output")?);
        let (sender, messages) = channel();
        thread::spawn(move || {
            while let Ok(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let mut server = Self {
            process,
            input,
            messages,
            requests: 0,
            versions: 0,
        };
        let uri = format!("file://{}", root.display());
        server.request(
            "initialize",
            json!({
                "rootUri": uri,
                "workspaceFolders": [{ "uri": uri, "name": "session" }],
                "capabilities": {
                    "experimental": { "serverStatusNotification": true },
                    "textDocument": { "hover": { "contentFormat": ["markdown"] } },
                },
                "initializationOptions": {
                    "checkOnSave": false,
                    "cachePriming": { "enable": false },
                    "cargo": { "targetDir": target },
                },
            }),
        )?;
        server.notify("initialized", json!({}))?;
        server.wait(|message| {
            let quiescent = &message["params"]["quiescent"];
            (message["method"] == "experimental/serverStatus" && *quiescent == true).then_some(())
        })?;
        Ok(server)
    }

    /// Opens a file, or replaces what it says.
    pub fn show(&mut self, uri: &str, text: &str) -> Result<()> {
        self.versions += 1;
        let version = self.versions;
        if version == 1 {
            let document =
                json!({ "uri": uri, "languageId": "rust", "version": version, "text": text });
            return self.notify("textDocument/didOpen", json!({ "textDocument": document }));
        }
        let document = json!({ "uri": uri, "version": version });
        let changes = json!([{ "text": text }]);
        self.notify(
            "textDocument/didChange",
            json!({ "textDocument": document, "contentChanges": changes }),
        )
    }

    /// Asks, and waits for the answer.
    pub fn request(&mut self, method: &str, params: Value) -> Result<Value> {
        self.requests += 1;
        let id = self.requests;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))?;
        let answer = self.wait(|message| {
            (message["id"] == id && message.get("method").is_none()).then(|| message.clone())
        })?;
        ensure!(
            answer["error"].is_null(),
            "`{method}` failed: {}",
            answer["error"]
        );
        Ok(answer["result"].clone())
    }

    fn notify(&mut self, method: &str, params: Value) -> Result<()> {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }))
    }

    fn send(&mut self, message: &Value) -> Result<()> {
        let text = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len())?;
        Ok(self.input.flush()?)
    }

    /// Reads messages until one is wanted; what the server asks meanwhile is answered with nothing.
    fn wait<T>(&mut self, wanted: impl Fn(&Value) -> Option<T>) -> Result<T> {
        let end = Instant::now() + PATIENCE;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            let message = self
                .messages
                .recv_timeout(left)
                .context("the server does not answer")?;
            if let Some(value) = wanted(&message) {
                return Ok(value);
            }
            if message.get("method").is_some() && message.get("id").is_some() {
                let nothing = match message["params"]["items"].as_array() {
                    Some(items) => json!(vec![Value::Null; items.len()]),
                    None => Value::Null,
                };
                self.send(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": nothing }))?;
            }
        }
        bail!("the server does not answer")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn read(output: &mut BufReader<ChildStdout>) -> Result<Value> {
    let mut length = None;
    loop {
        let mut line = String::new();
        ensure!(output.read_line(&mut line)? > 0, "the server has ended");
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = Some(value.parse()?);
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length.context("a message without a length")?];
    output.read_exact(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}
