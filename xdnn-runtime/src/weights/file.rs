//! Files, opened and written with the care that weights deserve.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::{Error, Result};

/// A regular file, and how many bytes it has.
pub(crate) fn open(path: &Path) -> Result<(File, u64)> {
    let opened = || -> io::Result<(File, u64)> {
        // Opening a pipe may wait for ever, and a device may never end.
        if !fs::metadata(path)?.is_file() {
            let cause = "not a regular file";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, cause));
        }
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        Ok((file, size))
    };
    opened().map_err(|cause| unread(path, cause))
}

/// Why a file could not be read.
pub(crate) fn unread(path: &Path, cause: io::Error) -> Error {
    Error::File {
        action: "read",
        path: path.to_owned(),
        cause,
    }
}

/// Puts `bytes` at `path` in one step: whoever reads it finds the old file or the new one, and a failure leaves the old
/// one and nothing else. A file that is marked as read-only is not replaced.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let replaced = || -> io::Result<()> {
        // A link stays a link: what it points to is replaced.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        // Not left to the system, which looks at the permissions of the folder alone.
        if fs::metadata(&target).is_ok_and(|metadata| metadata.permissions().readonly()) {
            let cause = "the file is read-only";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, cause));
        }
        let folder = match target.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let mut temporary = builder().tempfile_in(folder)?;
        temporary.write_all(bytes)?;
        temporary.as_file().sync_all()?;
        temporary
            .persist(&target)
            .map_err(|failure| failure.error)?;
        // The content is safe by now; that the name survives a power cut as well is more than some file systems offer.
        #[cfg(unix)]
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
        Ok(())
    };
    replaced().map_err(|cause| Error::File {
        action: "write",
        path: path.to_owned(),
        cause,
    })
}

/// Temporary files with the permissions of ordinary ones, as far as the umask lets them.
fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".xdnn-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{open, replace};
    use crate::Error;

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        replace(&path, b"old").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("taken");
        fs::create_dir(&taken).unwrap();
        fs::write(taken.join("file"), b"").unwrap();
        let error = replace(&taken, b"new").unwrap_err();
        assert!(matches!(
            error,
            Error::File {
                action: "write",
                ..
            }
        ));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let nowhere = folder.path().join("nowhere").join("weights");
        assert!(replace(&nowhere, b"new").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_ordinary_and_links_stay_links() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let [plain, ordinary, link] =
            ["plain", "ordinary", "link"].map(|name| folder.path().join(name));
        fs::write(&ordinary, b"").unwrap();
        replace(&plain, b"old").unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&plain), mode(&ordinary));
        symlink(&plain, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&plain).unwrap(), b"new");
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(
            open(folder.path()),
            Err(Error::File { action: "read", .. })
        ));
        assert!(matches!(
            open(&folder.path().join("none")),
            Err(Error::File { .. })
        ));
        #[cfg(unix)]
        assert!(matches!(
            open("/dev/zero".as_ref()),
            Err(Error::File { .. })
        ));
    }
}
