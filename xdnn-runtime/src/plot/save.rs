use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Write},
    path::Path,
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use ndarray::Array3;

use super::PlotError;

/// The PNG of an sRGB picture of shape `(H, W, 3)`.
pub(super) fn encode(pixels: &Array3<u8>) -> Result<Vec<u8>, PlotError> {
    let failed = |reason: String| PlotError::Encode { reason };
    let (height, width, _) = pixels.dim();
    let side = |length: usize| u32::try_from(length).map_err(|error| failed(error.to_string()));
    let bytes: Vec<u8> = pixels.iter().copied().collect();

    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, side(width)?, side(height)?);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_source_srgb(png::SrgbRenderingIntent::RelativeColorimetric);
    let mut writer = encoder
        .write_header()
        .map_err(|error| failed(error.to_string()))?;
    writer
        .write_image_data(&bytes)
        .map_err(|error| failed(error.to_string()))?;
    writer.finish().map_err(|error| failed(error.to_string()))?;
    Ok(file)
}

/// Writes all of `bytes` to `path` or nothing: into a file beside it first, which then takes its name.
pub(super) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), PlotError> {
    let attempt = || {
        let name = path
            .file_name()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no file name"))?;
        let temporary = path.with_file_name(temporary_name(name.to_owned()));
        let written = File::create_new(&temporary).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()?;
            drop(file);
            fs::rename(&temporary, path)
        });
        if written.is_err() {
            // The error of the write is the one to report.
            let _ = fs::remove_file(&temporary);
        }
        written
    };
    attempt().map_err(|source| PlotError::Write {
        path: path.to_owned(),
        source,
    })
}

/// A name that no other thread or process takes at the same time.
fn temporary_name(name: OsString) -> OsString {
    static SAVES: AtomicU64 = AtomicU64::new(0);
    let save = SAVES.fetch_add(1, Ordering::Relaxed);
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}-{save}.tmp", process::id()));
    temporary
}
