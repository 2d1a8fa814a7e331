//! Inputs that cannot be read by position are written to a file in the run directory first: what
//! compressed files hold, and the standard input. From there they are files like any other.
//!
//! While a run is unfinished its spool stays, for the resume; a crash before costs the work of
//! unpacking, and what came in on the standard input. Beside each file a note says of what it was made
//! and what it held when it was whole. A run that takes the place of another one writes apart from it,
//! until it is agreed to: nobody can give once more what came in for the earlier one.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, IsTerminal, Read, Write},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use indicatif::DecimalBytes;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::{Error, Job, Surroundings, rundir::output};
use crate::journal::{self, CHECKPOINT_FILE, Journal, Snapshot};
use crate::model::shell_path;
use crate::private;
use crate::progress::Phase;
use crate::source::{
    Fingerprint, Fingerprinter, Found, Input, Remote, STDIN_NAME, Unpacking,
    unpack::{self, Compression, Windows},
};

/// The directory inside of a run directory.
pub const SPOOL_DIR: &str = "spool";

/// The directory inside of that one, for a run which is to take the place of the one that it is of.
const NEXT_DIR: &str = "next";

/// Version of the notes beside the files.
const NOTE_VERSION: u32 = 1;

/// What the name of a note ends with, and that of a file which is not whole.
const NOTE_SUFFIX: &str = ".json";
const PARTIAL_SUFFIX: &str = ".partial";

/// The most threads that unpack at a time.
const THREADS_MAX: usize = 32;

/// Pieces of the standard input that are read ahead, their size, and how often is looked whether the
/// run is to stop while none comes.
const STDIN_PIECES: usize = 4;
const STDIN_PIECE_BYTES: usize = 1 << 20;
const STOP_EVERY: Duration = Duration::from_millis(100);

/// An input whose rows can be read by position.
#[derive(Debug)]
pub struct Ready {
    /// The input.
    pub input: Input,
    /// What a checkpoint is bound to and what the file with the rows holds, where both are known.
    pub prints: Option<Prints>,
}

impl Ready {
    /// An input that can be read by position where it is.
    pub fn as_it_is(found: &Found) -> Option<Self> {
        Some(Self { input: found.as_it_is()?, prints: None })
    }
}

/// What was unpacked, and what of.
#[derive(Clone, Debug)]
pub struct Prints {
    /// What was found: the compressed file, or what came in.
    pub found: Fingerprint,
    /// The file that holds the rows.
    pub file: Fingerprint,
}

/// The spool of a run directory. What it holds goes when this is dropped, but for that of a run
/// which can be resumed.
#[derive(Debug)]
pub struct Spool {
    /// Where the run's files stand.
    home: PathBuf,
    /// Where they are written: below `home` while an earlier run's may stand there.
    dir: PathBuf,
    checkpoint: PathBuf,
    /// Whether a run here can be resumed at all.
    is_resumable: bool,
    /// Names that this process made.
    made: Mutex<Vec<String>>,
    /// The run goes on that the checkpoint is of.
    is_kept: bool,
}

/// What stands beside a file, which it is believed by.
#[derive(Serialize, Deserialize)]
struct Note {
    version: u32,
    /// The input's name.
    name: String,
    /// The compressed file; `None` where it came in.
    found: Option<Content>,
    /// The file that holds the rows.
    file: Content,
}

#[derive(PartialEq, Serialize, Deserialize)]
struct Content {
    bytes: u64,
    content: String,
}

impl Content {
    fn of(print: &Fingerprint) -> Self {
        Self { bytes: print.bytes, content: print.content.clone() }
    }
}

/// Takes a piece of content, with how many bytes it was made of so far; whether more is wanted.
type Taker<'t> = &'t mut dyn FnMut(&[u8], u64) -> bool;

impl Spool {
    /// The spool of a run directory, which need not exist.
    pub fn new(run_dir: &Path, is_resumable: bool) -> Self {
        let home = run_dir.join(SPOOL_DIR);
        Self {
            dir: home.clone(),
            home,
            checkpoint: run_dir.join(CHECKPOINT_FILE),
            is_resumable,
            made: Mutex::default(),
            is_kept: false,
        }
    }

    /// The spool of a run that begins anew whatever its directory holds: until [`Self::keep`] it
    /// leaves that alone.
    pub fn anew(run_dir: &Path, is_resumable: bool) -> Self {
        let mut spool = Self::new(run_dir, is_resumable);
        spool.dir = spool.home.join(NEXT_DIR);
        spool
    }

    /// What is in it belongs to the run that goes on now. Of a run that begins anew this takes the
    /// place of what the earlier one kept, whose checkpoint must be gone.
    ///
    /// # Errors
    /// A file cannot be moved.
    pub fn keep(&mut self) -> Result<(), Error> {
        if self.is_apart() {
            clear(&self.home);
            let made = self.made.get_mut().unwrap_or_else(PoisonError::into_inner);
            for name in made.iter().filter(|name| !name.ends_with(PARTIAL_SUFFIX)) {
                // Whoever reads them has them open.
                let to = self.home.join(name);
                let moved = fs::rename(self.dir.join(name), &to);
                moved.map_err(|error| output(&to, error))?;
            }
            clear(&self.dir);
            if self.home.exists() {
                private::sync_dir(&self.home).map_err(|error| output(&self.home, error))?;
            }
            self.dir.clone_from(&self.home);
        }
        self.is_kept = true;
        Ok(())
    }

    fn is_apart(&self) -> bool {
        self.dir != self.home
    }

    /// Unpacks what has to be, in parallel, and takes what an unfinished run left where that is
    /// still whole.
    ///
    /// The run directory must be held by this process, or be known to nobody else.
    ///
    /// # Errors
    /// The first input that cannot be unpacked, in their order; an earlier run's checkpoint that
    /// cannot be read, since what is here may be that run's.
    pub fn fill(
        &self,
        found: Vec<Found>,
        job: &Job,
        around: &Surroundings,
    ) -> Result<Vec<Ready>, Error> {
        let spooled: Vec<&Found> = found.iter().filter(|found| is_spooled(found)).collect();
        // What a run left that was not agreed to before it was killed.
        clear(&self.home.join(NEXT_DIR));
        let earlier = if self.is_apart() { None } else { self.earlier()? };
        if earlier.is_none() && !self.is_apart() {
            self.remove_all();
        }
        let mut done = Vec::new();
        if !spooled.is_empty() {
            for dir in [&self.home, &self.dir] {
                private::create_dir(dir).map_err(|error| output(dir, error))?;
            }
            let total = spooled.iter().map(|found| found.bytes).sum();
            around.progress.begin(Phase::Spool, total);
            done = self.unpack_all(&spooled, earlier.as_ref(), job, around)?;
        }
        let mut done = done.into_iter();
        found
            .iter()
            .map(|found| match Ready::as_it_is(found) {
                Some(ready) => Ok(ready),
                None => done.next().unwrap_or_else(|| {
                    Err(Error::Internal(format!("{} was not unpacked", found.name())))
                }),
            })
            .collect()
    }

    /// The unfinished run of this directory; `None` where there was none, or it is over.
    fn earlier(&self) -> Result<Option<Snapshot>, journal::Error> {
        match Journal::peek(&self.checkpoint) {
            Ok(snapshot) => Ok(snapshot.finished.is_none().then_some(snapshot)),
            Err(journal::Error::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn unpack_all(
        &self,
        spooled: &[&Found],
        earlier: Option<&Snapshot>,
        job: &Job,
        around: &Surroundings,
    ) -> Result<Vec<Result<Ready, Error>>, Error> {
        let windows = Windows::default();
        let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = || {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(found) = spooled.get(at) else { return };
                let result = match found.unpacking {
                    Unpacking::Stdin => self.take_stdin(found, earlier, job, &windows, around),
                    Unpacking::Compressed(_) | Unpacking::Download => {
                        self.take_file(found, earlier, &windows, around)
                    }
                    Unpacking::No => Err(Error::Internal("nothing is to be unpacked".to_owned())),
                };
                if result.is_err() {
                    // Those before it are under way; those behind it are not wanted any more.
                    next.store(spooled.len(), Ordering::Relaxed);
                }
                results.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
            }
        };
        thread::scope(|scope| {
            for _ in 1..job.threads.min(THREADS_MAX).min(spooled.len()) {
                scope.spawn(work);
            }
            work();
        });
        let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.sort_by_key(|(at, _)| *at);
        match results.iter().position(|(_, result)| result.is_err()) {
            Some(at) => match results.swap_remove(at).1 {
                Err(error) => Err(error),
                Ok(_) => Ok(Vec::new()),
            },
            None => Ok(results.into_iter().map(|(_, result)| result).collect()),
        }
    }

    /// What a compressed file holds, or what a server gives as a whole alone.
    fn take_file(
        &self,
        found: &Found,
        earlier: Option<&Snapshot>,
        windows: &Windows,
        around: &Surroundings,
    ) -> Result<Ready, Error> {
        let key = format!("{:016x}", xxh3_64(found.path.to_string_lossy().as_bytes()));
        let unreadable = |error: &dyn std::fmt::Display| Error::Unreadable {
            path: found.name(),
            reason: error.to_string(),
        };
        let version = found.remote.as_ref().and_then(Remote::fingerprint);
        if earlier.is_some()
            && let Some((note, file)) = self.whole(&key)
        {
            let print = match (&found.remote, &version) {
                (_, Some(version)) => Some(version.clone()),
                // Only all of it tells whether it is the same.
                (Some(_), None) => None,
                (None, None) => Some(
                    Fingerprint::of(&found.path, |bytes| around.progress.advance(bytes))
                        .map_err(|error| unreadable(&error))?,
                ),
            };
            if let Some(print) = print
                && note.found == Some(Content::of(&print))
            {
                return self.ready(found, &key, Prints { found: print, file });
            }
        }
        let from = open(found).map_err(|error| unreadable(&error))?;
        let mut whole = Hashed { from, print: Fingerprinter::default() };
        let file = self.write(&key, found, around, |to| match found.unpacking {
            Unpacking::Compressed(kind) => {
                unpack::unpack(kind, &mut whole, windows, to).map_err(|error| unreadable(&error))
            }
            _ => copy(&mut whole, windows, to, &unreadable),
        })?;
        let prints = Prints { found: version.unwrap_or_else(|| whole.print.finish()), file };
        self.settle(&key, found, Some(&prints.found), &prints.file)?;
        self.ready(found, &key, prints)
    }

    /// What came in on the standard input, now or for the run that goes on.
    fn take_stdin(
        &self,
        found: &Found,
        earlier: Option<&Snapshot>,
        job: &Job,
        windows: &Windows,
        around: &Surroundings,
    ) -> Result<Ready, Error> {
        if !job.reads_stdin {
            if earlier.is_none() {
                return Err(Error::Usage(format!(
                    "{} holds an import from the standard input that is complete already; nothing was sent: \
                     its report is there, and what came in is no longer kept",
                    job.run_dir.display()
                )));
            }
            let Some((_, file)) = self.whole(STDIN_NAME) else {
                return Err(Error::Changed(format!(
                    "what came in on the standard input is no longer in {}; give the same again with \
                     `moebulk import - --run-dir {}`, or begin anew with --restart",
                    self.dir.display(),
                    shell_path(&job.run_dir)
                )));
            };
            return self.ready(found, STDIN_NAME, Prints { found: file.clone(), file });
        }
        if io::stdin().is_terminal() {
            return Err(Error::Usage(
                "`-` is the standard input, and that is a terminal: pipe the data into it"
                    .to_owned(),
            ));
        }
        let file = self.write(STDIN_NAME, found, around, |to| copy_stdin(windows, around, to))?;
        let bound = earlier.and_then(|snapshot| {
            snapshot.binding.inputs.iter().find(|input| input.path == STDIN_NAME)
        });
        if bound.is_some_and(|bound| bound.content != file.content) {
            return Err(Error::Changed(format!(
                "{} holds an unfinished import of other data: what came in on the standard input is not what \
                 it was; go on with `moebulk import --run-dir {}`, which has kept that, or begin anew with \
                 --restart",
                job.run_dir.display(),
                shell_path(&job.run_dir)
            )));
        }
        self.settle(STDIN_NAME, found, None, &file)?;
        self.ready(found, STDIN_NAME, Prints { found: file.clone(), file })
    }

    fn ready(&self, found: &Found, key: &str, prints: Prints) -> Result<Ready, Error> {
        let input = found.unpacked(self.dir.join(key))?;
        Ok(Ready { input, prints: Some(prints) })
    }

    /// A file that is as its note says.
    fn whole(&self, key: &str) -> Option<(Note, Fingerprint)> {
        let note = fs::read(self.dir.join(format!("{key}{NOTE_SUFFIX}"))).ok()?;
        let note: Note = serde_json::from_slice(&note).ok()?;
        let file = Fingerprint::of(&self.dir.join(key), |_| ()).ok()?;
        (note.version == NOTE_VERSION && note.file == Content::of(&file)).then_some((note, file))
    }

    /// Writes a file under its working name.
    fn write(
        &self,
        key: &str,
        found: &Found,
        around: &Surroundings,
        fill: impl FnOnce(Taker<'_>) -> Result<(), Error>,
    ) -> Result<Fingerprint, Error> {
        let name = format!("{key}{PARTIAL_SUFFIX}");
        let path = self.dir.join(&name);
        private::remove(&path).map_err(|error| output(&path, error))?;
        let file = private::options().write(true).create_new(true).open(&path);
        let mut file = file.map_err(|error| output(&path, error))?;
        self.note_made(name);
        let mut print = Fingerprinter::default();
        let (mut failed, mut advanced) = (None, 0);
        let filled = fill(&mut |piece, read| {
            around.progress.advance(read - advanced);
            advanced = read;
            if around.stop.is_asked() {
                failed = Some(Error::Interrupted);
                return false;
            }
            if let Err(error) = file.write_all(piece) {
                let wanted = print.bytes() + piece.len() as u64;
                failed = Some(self.no_room(found, &path, error, wanted, read));
                return false;
            }
            print.add(piece);
            true
        });
        if let Some(error) = failed {
            return Err(error);
        }
        filled?;
        Ok(print.finish())
    }

    /// Gives a whole file its name, with a note beside it.
    fn settle(
        &self,
        key: &str,
        found: &Found,
        of: Option<&Fingerprint>,
        file: &Fingerprint,
    ) -> Result<(), Error> {
        let (partial, path) = (self.dir.join(format!("{key}{PARTIAL_SUFFIX}")), self.dir.join(key));
        let note_path = self.dir.join(format!("{key}{NOTE_SUFFIX}"));
        let fail = |error| output(&path, error);
        // A note never stands beside what it is not about.
        private::remove(&note_path).map_err(fail)?;
        if of.is_none() {
            // Nobody can give it again: it has to outlive the machine as the checkpoint does.
            File::open(&partial).and_then(|file| file.sync_all()).map_err(fail)?;
        }
        fs::rename(&partial, &path).map_err(fail)?;
        self.note_made(key.to_owned());
        let note = Note {
            version: NOTE_VERSION,
            name: found.name(),
            found: of.map(Content::of),
            file: Content::of(file),
        };
        let text = serde_json::to_vec(&note).map_err(|error| fail(error.into()))?;
        self.note_made(format!("{key}{NOTE_SUFFIX}"));
        let mut note =
            private::options().write(true).create_new(true).open(&note_path).map_err(fail)?;
        note.write_all(&text).and_then(|()| note.sync_all()).map_err(fail)?;
        private::sync_dir(&self.dir).map_err(fail)
    }

    fn note_made(&self, name: String) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(name);
    }

    /// What a full disk would have needed, as far as the part that was read tells.
    fn no_room(
        &self,
        found: &Found,
        path: &Path,
        error: io::Error,
        written: u64,
        read: u64,
    ) -> Error {
        let is_full = matches!(
            error.kind(),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
        );
        if !is_full {
            return output(path, error);
        }
        // As large as what was read is small: the part that is left is taken for the same.
        let all = (u128::from(written) * u128::from(found.bytes))
            .checked_div(u128::from(read))
            .filter(|_| found.bytes > 0)
            .map(|all| format!(", about {} in all", DecimalBytes(all as u64)))
            .unwrap_or_default();
        let text = format!(
            "{error}: what {} holds takes {}{all}; make room, or name a directory on a larger disk with --run-dir",
            found.name(),
            DecimalBytes(written)
        );
        output(path, io::Error::new(error.kind(), text))
    }

    /// Removes whatever a spool wrote, and the directory where nothing else is in it.
    pub fn remove_all(&self) {
        clear(&self.home.join(NEXT_DIR));
        clear(&self.home);
    }
}

/// Removes the files of a directory that a spool wrote, and the directory where nothing else is in it.
fn clear(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if is_ours(&name) {
            let _ = fs::remove_file(&path);
        }
    }
    let _ = fs::remove_dir(dir);
}

impl Drop for Spool {
    /// What rows hold does not stay longer than it is of use.
    fn drop(&mut self) {
        if !self.home.exists() {
            return;
        }
        // A checkpoint that can't be read may be that of a run which can be resumed.
        if self.is_resumable && matches!(self.earlier(), Ok(None)) {
            return self.remove_all();
        }
        let is_kept = self.is_resumable && self.is_kept;
        let partial = |name: &&String| name.ends_with(PARTIAL_SUFFIX);
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        for name in made.iter().filter(|name| !is_kept || partial(name)) {
            let _ = fs::remove_file(self.dir.join(name));
        }
        let _ = fs::remove_dir(&self.dir);
        let _ = fs::remove_dir(&self.home);
    }
}

/// Whether an input is written to the spool.
pub fn is_spooled(found: &Found) -> bool {
    found.unpacking != Unpacking::No
}

/// Whether a name is one that a spool writes.
fn is_ours(name: &str) -> bool {
    let key = [NOTE_SUFFIX, PARTIAL_SUFFIX].iter().find_map(|suffix| name.strip_suffix(suffix));
    let key = key.unwrap_or(name);
    key == STDIN_NAME || (key.len() == 16 && key.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The bytes of an input as it was found, from the first on.
fn open(found: &Found) -> io::Result<Box<dyn Read>> {
    Ok(match (&found.remote, found.unpacking) {
        (None, _) => Box::new(File::open(&found.path)?),
        (Some(remote), Unpacking::Download) => Box::new(remote.whole()?),
        (Some(remote), _) => Box::new(remote.unpacked()),
    })
}

/// A reader whose bytes are hashed as they pass.
struct Hashed {
    from: Box<dyn Read>,
    print: Fingerprinter,
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.print.add(&buffer[..read]);
        Ok(read)
    }
}

/// Copies the standard input, unpacked where it is compressed.
fn copy_stdin(windows: &Windows, around: &Surroundings, to: Taker<'_>) -> Result<(), Error> {
    let unreadable = |error: &dyn std::fmt::Display| Error::Unreadable {
        path: STDIN_NAME.to_owned(),
        reason: error.to_string(),
    };
    let copied = copy(Incoming::start(around)?, windows, to, &unreadable);
    if around.stop.is_asked() { Err(Error::Interrupted) } else { copied }
}

/// Copies what comes, unpacked where it is compressed.
fn copy(
    mut from: impl Read,
    windows: &Windows,
    to: Taker<'_>,
    unreadable: &dyn Fn(&dyn std::fmt::Display) -> Error,
) -> Result<(), Error> {
    let mut head = Vec::new();
    let looked = Read::by_ref(&mut from).take(unpack::HEAD_BYTES as u64).read_to_end(&mut head);
    looked.map_err(|error| unreadable(&error))?;
    let mut from = head.as_slice().chain(from);
    if let Some(kind) = Compression::of(&head) {
        return unpack::unpack(kind, from, windows, to).map_err(|error| unreadable(&error));
    }
    let (mut piece, mut all) = (vec![0; STDIN_PIECE_BYTES], 0);
    loop {
        let read = from.read(&mut piece).map_err(|error| unreadable(&error))?;
        all += read as u64;
        if read == 0 || !to(&piece[..read], all) {
            return Ok(());
        }
    }
}

/// The standard input, read by a thread of its own: a pipe in which nothing comes can't be stopped.
struct Incoming<'a> {
    pieces: mpsc::Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    at: usize,
    around: &'a Surroundings<'a>,
}

impl<'a> Incoming<'a> {
    fn start(around: &'a Surroundings<'a>) -> Result<Self, Error> {
        let (sender, pieces) = mpsc::sync_channel(STDIN_PIECES);
        let read_all = move || {
            let mut stdin = io::stdin().lock();
            loop {
                let mut piece = vec![0; STDIN_PIECE_BYTES];
                let read = match stdin.read(&mut piece) {
                    Ok(0) => return,
                    Ok(len) => {
                        piece.truncate(len);
                        Ok(piece)
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let ended = read.is_err();
                if sender.send(read).is_err() || ended {
                    return;
                }
            }
        };
        // It is left to itself where the run stops before the input ends.
        let started = thread::Builder::new().name("stdin".to_owned()).spawn(read_all);
        started.map_err(|error| Error::Output { path: STDIN_NAME.to_owned(), error })?;
        Ok(Self { pieces, piece: Vec::new(), at: 0, around })
    }
}

impl Read for Incoming<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            match self.pieces.recv_timeout(STOP_EVERY) {
                Ok(piece) => (self.piece, self.at) = (piece?, 0),
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
                // No kind of error that a reader tries again.
                Err(RecvTimeoutError::Timeout) if self.around.stop.is_asked() => {
                    return Err(ErrorKind::ConnectionAborted.into());
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        let rest = &self.piece[self.at..];
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        self.at += len;
        Ok(len)
    }
}
