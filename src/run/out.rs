//! Where `pack` and `init` write.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
};

use crate::private::Whole;

/// Small writes go together; a body of this size goes as it is, which most do.
const BUFFER_BYTES: usize = 16 << 10;

/// A new file that appears whole or not at all, or whatever stands there if that is no regular file
/// (a pipe, a terminal, `/dev/null`), or stdout. A link stays, and what it leads to is written: a
/// rename over `/dev/stdout` would take it from every other program.
pub enum Out {
    /// Seen by nobody before [`Out::finish`]; dropped without it, what was there stays.
    New(BufWriter<Whole>),
    /// What is written can't be taken back.
    Open(BufWriter<Box<dyn Write + Send>>),
}

impl Out {
    /// Begins the output to `target`; `-` is stdout.
    ///
    /// # Errors
    /// It can't be opened, or no file be made beside it.
    pub fn create(target: &Path) -> io::Result<Self> {
        let open = |to| Ok(Self::Open(BufWriter::with_capacity(BUFFER_BYTES, to)));
        if target == Path::new("-") {
            return open(Box::new(io::stdout()));
        }
        if fs::metadata(target).is_ok_and(|found| !found.is_file()) {
            return open(Box::new(File::options().write(true).open(target)?));
        }
        let target = if fs::symlink_metadata(target).is_ok_and(|found| found.is_symlink()) {
            fs::canonicalize(target)?
        } else {
            target.to_owned()
        };
        Ok(Self::New(BufWriter::with_capacity(BUFFER_BYTES, Whole::create(&target)?)))
    }

    /// Ends the output, and puts a new file in its place.
    ///
    /// # Errors
    /// The last of it can't be written, synced or renamed.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Self::Open(mut out) => out.flush(),
            Self::New(out) => out.into_inner().map_err(io::IntoInnerError::into_error)?.commit(),
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::New(out) => out.write(bytes),
            Self::Open(out) => out.write(bytes),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::New(out) => out.write_all(bytes),
            Self::Open(out) => out.write_all(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::New(out) => out.flush(),
            Self::Open(out) => out.flush(),
        }
    }
}
