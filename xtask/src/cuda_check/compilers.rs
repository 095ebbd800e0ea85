//! NVRTC, ptxas and nvdisasm, as wheels from PyPI.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use rayon::prelude::*;
use xdnn_runtime::backend::cuda;

use crate::pypi::Wheel;

/// The wheels, each with a file by which one knows that it has been unpacked.
const WHEELS: [(Wheel, &str); 3] = [
    (wheel("nvidia-cuda-nvrtc", "13.0.88"), "libnvrtc.so.13"),
    (wheel("nvidia-cuda-nvcc", "13.0.88"), PTXAS),
    (wheel("nvidia-cuda-nvdisasm", "13.2.51"), NVDISASM), // the first one there
];
const PTXAS: &str = "ptxas";
const NVDISASM: &str = "nvdisasm";
const ARCHITECTURES: [&str; 3] = ["80", "90a", "100"];

const fn wheel(package: &'static str, version: &'static str) -> Wheel {
    Wheel {
        package,
        version,
        python: "3.12",
        platform: "manylinux_2_17_x86_64",
    }
}

/// What ptxas and nvdisasm tell of a kernel.
#[derive(Debug, Default, PartialEq)]
pub struct Usage {
    pub registers: usize,
    pub shared: usize,
    pub spilled: usize,
    /// Instructions of tensor cores.
    pub tensor: usize,
    /// Instructions of a warp from one group of products of a warpgroup to the next, where there are some.
    pub step: usize,
    /// Why products of warpgroups wait for each other.
    pub serialized: Vec<String>,
}

/// Kernels by their names and architectures.
pub type Kernels = BTreeMap<(String, &'static str), Usage>;

/// The folder of NVRTC's libraries, of ptxas and of nvdisasm.
pub struct Compilers(PathBuf);

impl Compilers {
    /// Those of the wheels, which are downloaded where they are not there yet.
    pub fn fetch() -> Result<Self> {
        let folder = folder();
        for (wheel, _) in WHEELS {
            unpack(&wheel.fetch()?, &folder)?;
        }
        Ok(Self(folder))
    }

    /// Those that are there, as wheels or unpacked.
    pub fn there() -> Result<Option<Self>> {
        let folder = folder();
        for (wheel, file) in WHEELS {
            match wheel.cached()? {
                Some(wheel) => unpack(&wheel, &folder)?,
                None if folder.join(file).exists() => {}
                None => return Ok(None),
            }
        }
        Ok(Some(Self(folder)))
    }

    /// What they make of texts.
    pub fn check(&self, texts: &[String]) -> Result<Kernels> {
        let folder = tempfile::tempdir()?;
        for (i, text) in texts.iter().enumerate() {
            fs::write(folder.path().join(format!("{i}.cu")), text)?;
        }
        // The folders in which NVRTC is looked for are those that the process starts with.
        let mut worker = Command::new(env::current_exe()?);
        worker.args(["cuda-check", "--worker"]).arg(folder.path());
        let status = worker.env("LD_LIBRARY_PATH", &self.0).status()?;
        ensure!(status.success(), "NVRTC failed ({status})");
        let works =
            (0..texts.len()).flat_map(|i| ARCHITECTURES.map(|architecture| (i, architecture)));
        let works: Vec<(usize, &str)> = works.collect();
        let assembled = works.par_iter().map(|(i, architecture)| {
            let path = folder.path().join(format!("{i}.{architecture}.ptx"));
            let kernels = self.assemble(&path, architecture)?;
            let named = kernels
                .into_iter()
                .map(|(name, usage)| ((name, *architecture), usage));
            Ok(named.collect())
        });
        let assembled: Vec<Vec<_>> = assembled.collect::<Result<_>>()?;
        Ok(assembled.into_iter().flatten().collect())
    }

    /// What they tell of the kernels of a module.
    fn assemble(&self, path: &Path, architecture: &str) -> Result<BTreeMap<String, Usage>> {
        let image = path.with_extension("cubin");
        let mut ptxas = Command::new(self.0.join(PTXAS));
        ptxas
            .arg("--verbose")
            .arg(format!("--gpu-name=sm_{architecture}"));
        ptxas.arg(path).arg("--output-file").arg(&image);
        let (_, words) = output(ptxas)?;
        let mut kernels = read(&words, &fs::read_to_string(path)?)?;
        let mut nvdisasm = Command::new(self.0.join(NVDISASM));
        nvdisasm.arg("--print-code").arg(&image);
        let (code, _) = output(nvdisasm)?;
        for (name, step) in steps(&code) {
            if let Some(usage) = kernels.get_mut(name) {
                usage.step = step;
            }
        }
        Ok(kernels)
    }
}

/// What a command that succeeds says on its two outputs.
fn output(mut command: Command) -> Result<(String, String)> {
    let output = command.output()?;
    let [said, words] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    ensure!(output.status.success(), "{command:?} fails: {words}");
    Ok((said, words))
}

fn folder() -> PathBuf {
    crate::target_directory().join("cuda-tools")
}

/// Puts what is needed of a wheel into a folder, where it is not there yet.
fn unpack(wheel: &Path, folder: &Path) -> Result<()> {
    let mut archive = zip::ZipArchive::new(File::open(wheel)?)?;
    for i in 0..archive.len() {
        let mut file = archive.by_index(i)?;
        let name = file
            .name()?
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned();
        let path = folder.join(&name);
        let library = name.starts_with("libnvrtc") && !name.contains(".alt.");
        let wanted = library || [PTXAS, NVDISASM].contains(&name.as_str());
        if wanted && fs::metadata(&path).map(|known| known.len()).ok() != Some(file.size()) {
            fs::create_dir_all(folder)?;
            std::io::copy(&mut file, &mut File::create(&path)?)?;
            executable(&path)?;
        }
    }
    Ok(())
}

#[cfg(unix)]
fn executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).context("a tool")
}

#[cfg(not(unix))]
fn executable(_: &Path) -> Result<()> {
    Ok(())
}

/// Compiles the texts of a folder to PTX for each architecture.
pub fn compile(folder: &Path) -> Result<()> {
    let files = fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
    files
        .par_iter()
        .map(fs::DirEntry::path)
        .try_for_each(|path| {
            let text = fs::read_to_string(&path)?;
            for architecture in ARCHITECTURES {
                match cuda::ptx(&text, &format!("compute_{architecture}")) {
                    Ok(ptx) => fs::write(path.with_extension(format!("{architecture}.ptx")), ptx)?,
                    Err(error) => bail!("{}: {error}", path.display()),
                }
            }
            Ok(())
        })
}

/// What ptxas's words say of each kernel of a module.
fn read(words: &str, ptx: &str) -> Result<BTreeMap<String, Usage>> {
    let mut kernels: BTreeMap<String, Usage> = BTreeMap::new();
    let mut current = None;
    for line in words.lines() {
        if line.contains("wgmma") && line.contains("serialized") {
            // This comes before the kernel's own lines.
            let name = between(line, "function '", "'").with_context(|| line.to_owned())?;
            let sentence = line.split_once(": ").map_or(line, |(_, sentence)| sentence);
            let usage = kernels.entry(name.to_owned()).or_default();
            usage.serialized.push(sentence.to_owned());
        }
        if let Some(name) = between(line, "Compiling entry function '", "'") {
            kernels.entry(name.to_owned()).or_default().tensor = tensor(ptx, name);
            current = Some(name);
        }
        let Some(usage) = current.and_then(|name| kernels.get_mut(name)) else {
            continue;
        };
        let number = |start: &str, end: &str| {
            between(line, start, end).and_then(|number| number.trim().parse().ok())
        };
        if let Some(bytes) = number("bytes stack frame, ", " bytes spill stores") {
            usage.spilled = bytes;
        }
        if let Some(registers) = number("Used ", " registers") {
            usage.registers = registers;
            let shared = line
                .split(", ")
                .find_map(|part| part.strip_suffix(" bytes smem"));
            usage.shared = shared
                .and_then(|bytes| bytes.parse().ok())
                .unwrap_or_default();
        }
    }
    ensure!(!kernels.is_empty(), "ptxas tells of no kernel: {words}");
    Ok(kernels)
}

fn between<'a>(line: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(start)?;
    rest.split_once(end).map(|(inner, _)| inner)
}

/// The instructions of tensor cores in a kernel.
fn tensor(ptx: &str, name: &str) -> usize {
    let body = ptx
        .split_once(&format!(".entry {name}("))
        .map_or("", |(_, rest)| rest);
    let body = body.split_once("\n}").map_or(body, |(body, _)| body);
    body.lines()
        .filter(|line| line.contains("mma.sync") || line.contains("wgmma.mma_async"))
        .count()
}

/// The kernels of nvdisasm's code that have groups of products of warpgroups, and the most instructions from one to the next.
fn steps(code: &str) -> Vec<(&str, usize)> {
    let kernels = code.split("\n.text.").skip(1);
    let steps = kernels.filter_map(|text| {
        let (name, body) = text.split_once(':')?;
        let instructions = body
            .lines()
            .filter(|line| line.trim_start().starts_with("/*"));
        let groups = instructions.enumerate();
        let groups = groups.filter(|(_, line)| line.contains("HGMMA") && line.contains("gsb0"));
        let groups: Vec<usize> = groups.map(|(at, _)| at).collect();
        let step = groups.windows(2).map(|pair| pair[1] - pair[0]).max()?;
        Some((name, step))
    });
    steps.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &str = "\
ptxas info    : (C7519) warpgroup.arrive is injected in around line 43 by compiler to allow use of registers in GMMA in function 'serial'
ptxas info    : (C7511) Potential Performance Loss: wgmma.mma_async instructions are serialized due to insufficient register resources \
for the wgmma pipeline in the function 'serial'
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'serial' for 'sm_90a'
ptxas info    : Function properties for serial
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 30 registers, used 0 barriers
ptxas info    : Compiling entry function 'spilling' for 'sm_90a'
ptxas info    : Function properties for spilling
    8 bytes stack frame, 12 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 128 registers, used 1 barriers, 8 bytes cumulative stack size, 20480 bytes smem
";
    const PTX: &str = "\
.visible .entry serial(
{
\twgmma.fence.sync.aligned;
\twgmma.mma_async.sync.aligned.m64n8k8.f32.tf32.tf32 {%f1, %f2, %f3, %f4}, %rd1, %rd2, p, 1, 1;
}
.visible .entry spilling(
{
\tmma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f1, %f2, %f3, %f4}, {%r1, %r2, %r3, %r4}, {%r5, %r6}, {%f1, %f2, %f3, %f4};
\tmma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f1, %f2, %f3, %f4}, {%r1, %r2, %r3, %r4}, {%r5, %r6}, {%f1, %f2, %f3, %f4};
}
";

    #[test]
    fn words_of_ptxas() {
        let serial = Usage {
            registers: 30,
            tensor: 1,
            serialized: vec![
                "(C7511) Potential Performance Loss: wgmma.mma_async instructions are serialized due to insufficient \
                 register resources for the wgmma pipeline in the function 'serial'"
                    .to_owned(),
            ],
            ..Usage::default()
        };
        let spilling = Usage {
            registers: 128,
            shared: 20480,
            spilled: 12,
            tensor: 2,
            ..Usage::default()
        };
        let expected = [("serial", serial), ("spilling", spilling)];
        let expected = expected.map(|(name, usage)| (name.to_owned(), usage));
        assert_eq!(read(WORDS, PTX).unwrap(), BTreeMap::from(expected));
        assert!(read("", PTX).is_err());
    }

    #[test]
    fn code_of_nvdisasm() {
        let code = "\
\t.section\t.text.plain,\"ax\",@progbits
.text.plain:
        /*0000*/                   EXIT ;
\t.section\t.text.grouped,\"ax\",@progbits
.text.grouped:
        /*0000*/                   LDC R1, c[0x0][0x28] ;
        /*0010*/                   HGMMA.64x64x8.F32.TF32 R24, R56, gdesc[UR4], R24 ;
        /*0020*/                   HGMMA.64x64x8.F32.TF32 R24, R60, gdesc[UR4], R24, gsb0 ;
.L_x_1:
        /*0030*/                   WARPSYNC.ALL ;
        /*0040*/                   HGMMA.64x64x8.F32.TF32 R24, R64, gdesc[UR4], R24 ;
        /*0050*/                   HGMMA.64x64x8.F32.TF32 R24, R68, gdesc[UR4], R24, gsb0 ;
        /*0060*/                   EXIT ;
";
        assert_eq!(steps(code), [("grouped", 3)]);
    }
}
