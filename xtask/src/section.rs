//! Sections of `docs/benchmarks.md`: each belongs to one command, which replaces it.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

const DOCUMENT: &str = "docs/benchmarks.md";

/// Replaces what stands between the markers of a section.
pub fn write(name: &str, text: &str) -> Result<()> {
    let path = crate::workspace().join(DOCUMENT);
    let document = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let document = replaced(&document, name, text)
        .with_context(|| format!("`{DOCUMENT}` has no section `{name}`"))?;
    fs::write(&path, document).with_context(|| path.display().to_string())
}

fn replaced(document: &str, name: &str, text: &str) -> Option<String> {
    let (begin, end) = (
        format!("<!-- {name} -->\n"),
        format!("<!-- end of {name} -->\n"),
    );
    let (head, rest) = document.split_once(&begin)?;
    let (_, tail) = rest.split_once(&end)?;
    Some(format!("{head}{begin}\n{}\n\n{end}{tail}", text.trim()))
}

/// When and on what it was measured: "Measured on 2026-11-22 …".
pub fn machine() -> Result<String> {
    let date = said(Command::new("date").args(["-u", "+%F"]))?;
    let rustc = said(Command::new("rustc").arg("--version"))?;
    let processor = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let model = text
            .lines()
            .find_map(|line| line.strip_prefix("model name"))?;
        Some(model.trim_start_matches([' ', '\t', ':']).to_owned())
    });
    let processor = processor.unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let threads = std::thread::available_parallelism()?;
    let load = fs::read_to_string("/proc/loadavg").ok();
    let load = load.as_deref().and_then(|text| text.split(' ').nth(1));
    let load = load.map_or(String::new(), |load| {
        format!(" The load of the machine was {load} on average in the last five minutes of the run, which is part of it.")
    });
    Ok(format!(
        "Measured on {date} with {rustc}, on {threads} threads of an {processor}.{load}"
    ))
}

fn said(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot run {command:?}"))?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::replaced;

    #[test]
    fn a_section_is_replaced_and_nothing_else() {
        let document = "a\n<!-- x -->\nold\n<!-- end of x -->\nb\n";
        let new = "a\n<!-- x -->\n\nnew\n\n<!-- end of x -->\nb\n";
        assert_eq!(replaced(document, "x", "new\n").as_deref(), Some(new));
        assert_eq!(replaced(new, "x", "new").as_deref(), Some(new));
        assert_eq!(replaced(document, "y", "new"), None);
    }
}
