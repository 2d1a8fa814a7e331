//! A state as a directory: opened, read, moved on.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use ring::rand::{SecureRandom, SystemRandom};

use super::{
    Entry, Error, Fate, Manifest, Pending, PendingWriter, Purpose, Spill,
    fold::{fold, step},
    ids::Ids,
    manifest::MANIFEST_FILE,
    pending::{Header, PENDING_FILE, STAGED_FILE},
};
use crate::model::PrintKeys;
use crate::private::{self, LockError};

/// What the names of files of ids begin with.
const IDS: &str = "ids-";

/// A state, open.
#[derive(Debug)]
pub struct State {
    dir: PathBuf,
    manifest: Manifest,
    secret: [u8; 32],
    ids: Option<Ids>,
    /// Rows that an import was sending when it was cut off.
    pending: Option<Pending>,
    /// Keeps others out, where this one may write.
    _lock: Option<File>,
}

/// What was seen of a state that was read as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Ids in it.
    pub ids: u64,
    /// Rows of an import that was cut off.
    pub pending: u64,
}

impl State {
    /// Opens a state to send by it, and keeps it from others; where there is none, a new one.
    ///
    /// # Errors
    /// Another process has it, it is of something else, or it can't be used.
    pub fn open(dir: &Path, purpose: &Purpose) -> Result<Self, Error> {
        let io = Error::io(dir, "make");
        private::create_dir(dir).map_err(io)?;
        let path = dir.join("lock");
        let lock = private::lock(&path).map_err(|error| match error {
            LockError::Held(pid) => Error::Held { dir: dir.to_owned(), pid },
            LockError::Io(error) => Error::io(&path, "lock")(error),
        })?;
        let manifest = match Manifest::read(dir)? {
            Some(manifest) => manifest,
            None => {
                // Without it every other file means nothing, and could be of anything.
                if let Some(stray) = stray(dir)? {
                    return Err(Error::damaged(&stray, "the manifest that names it is missing"));
                }
                let manifest = new_manifest(purpose)?;
                manifest.write(dir)?;
                manifest
            }
        };
        let state = Self::of(dir, manifest, Some(lock))?;
        state.is_of(purpose)?;
        state.tidy()?;
        Ok(state)
    }

    /// Reads a state and changes nothing, whether or not an import is using it.
    ///
    /// # Errors
    /// There is none, or it can't be used.
    pub fn peek(dir: &Path) -> Result<Self, Error> {
        loop {
            let manifest = Manifest::read(dir)?.ok_or_else(|| Error::Missing(dir.to_owned()))?;
            let state = Self::of(dir, manifest.clone(), None);
            // What was read together belongs together, unless an import moved the state on meanwhile.
            if Manifest::read(dir)?.is_none_or(|now| now == manifest) {
                return state;
            }
        }
    }

    /// The same for a check of rows: where there is no state, one that knows nothing.
    ///
    /// # Errors
    /// It is of another kind of rows, or can't be used.
    pub fn peek_or_none(dir: &Path, purpose: &Purpose) -> Result<Self, Error> {
        match Self::peek(dir) {
            Err(Error::Missing(_)) => Self::of(dir, new_manifest(purpose)?, None),
            state => {
                let state = state?;
                let destination = state.manifest.purpose.destination.clone();
                state.is_of(&Purpose { destination, ..purpose.clone() })?;
                Ok(state)
            }
        }
    }

    fn of(dir: &Path, manifest: Manifest, lock: Option<File>) -> Result<Self, Error> {
        let ids = match manifest.file.as_str() {
            "" => None,
            name => Some(Ids::open(&dir.join(name))?),
        };
        let pending = Pending::read(dir)?;
        let secret = manifest
            .secret()
            .ok_or_else(|| Error::damaged(&dir.join(MANIFEST_FILE), "its secret is none"))?;
        Ok(Self { dir: dir.to_owned(), manifest, secret, ids, pending, _lock: lock })
    }

    fn is_of(&self, purpose: &Purpose) -> Result<(), Error> {
        match self.manifest.purpose == *purpose {
            true => Ok(()),
            false => Err(Error::Other {
                dir: self.dir.clone(),
                was: self.manifest.purpose.to_string(),
                now: purpose.to_string(),
            }),
        }
    }

    /// Removes files of ids that no manifest names, and rows that were written down and not sent.
    fn tidy(&self) -> Result<(), Error> {
        let io = Error::io(&self.dir, "clear");
        for entry in fs::read_dir(&self.dir).map_err(&io)? {
            let name = entry.map_err(&io)?.file_name();
            let name = name.to_string_lossy();
            if (is_ids(&name) && name != self.manifest.file) || name == STAGED_FILE {
                private::remove(&self.dir.join(&*name)).map_err(&io)?;
            }
        }
        Ok(())
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What it says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What is known of ids; `None` where nothing is.
    pub fn ids(&self) -> Option<&Ids> {
        self.ids.as_ref()
    }

    /// Rows of an import that was cut off.
    pub fn pending(&self) -> Option<&Pending> {
        self.pending.as_ref()
    }

    /// The keys of its hashes under a mapping.
    pub fn keys(&self, mapping: &str) -> PrintKeys {
        PrintKeys::new(&self.secret, mapping)
    }

    /// Bytes of its files.
    ///
    /// # Errors
    /// They can't be looked at.
    pub fn bytes(&self) -> Result<u64, Error> {
        let io = Error::io(&self.dir, "look at");
        let mut bytes = 0;
        for entry in fs::read_dir(&self.dir).map_err(&io)? {
            bytes += entry.and_then(|entry| entry.metadata()).map_err(&io)?.len();
        }
        Ok(bytes)
    }

    /// Adds the ids of an import that was cut off, other than `run`, to rows that are about to be
    /// compared: nothing that is known of them can be relied on.
    ///
    /// # Errors
    /// A file can't be read or written.
    pub fn doubt(&self, run: &str, spill: &mut Spill) -> Result<(), Error> {
        match &self.pending {
            Some(pending) if pending.header.run != run => {
                pending.each(|_, _, (id, _)| spill.push(Entry::unsure(id)))
            }
            _ => Ok(()),
        }
    }

    /// Begins to write down what an import is about to send.
    ///
    /// # Errors
    /// It can't be written.
    pub fn begin(&self, run: &str, run_dir: &Path) -> Result<PendingWriter, Error> {
        // A relative path means nothing to an import that is started elsewhere.
        let dir = std::path::absolute(run_dir).unwrap_or_else(|_| run_dir.to_owned());
        PendingWriter::create(&self.dir, &Header { run: run.to_owned(), dir })
    }

    /// Before the first row leaves: what is written down holds from now on, and ids of another
    /// import that was cut off are forgotten. `overtaken`: others moved the state on since `run`
    /// decided what to send.
    ///
    /// # Errors
    /// A file can't be read or written.
    pub fn publish(
        &mut self,
        run: &str,
        overtaken: bool,
        writer: PendingWriter,
    ) -> Result<(), Error> {
        if self.pending.as_ref().is_some_and(|pending| pending.header.run != run) {
            // An import that decided by another generation must not take this one for its own.
            let generation = if overtaken { random_name()? } else { run.to_owned() };
            self.settle(generation, |_, _| Fate::Unsure, &Moved::default())?;
        }
        writer.publish()?;
        self.pending = Pending::read(&self.dir)?;
        Ok(())
    }

    /// Moves on by what became of the rows that were written down, which is forgotten then. The
    /// state's generation is `generation` after it.
    ///
    /// # Errors
    /// A file can't be read or written.
    pub fn settle(
        &mut self,
        generation: String,
        mut fate: impl FnMut(u64, u32) -> Fate,
        moved: &Moved,
    ) -> Result<(), Error> {
        let mut steps = Spill::new(&self.dir);
        if let Some(pending) = &self.pending {
            let mut ordinals = 0..;
            pending.each(|seq, element, record| {
                let ordinal = ordinals.next().unwrap_or(u64::MAX);
                match step(record, fate(seq, element), ordinal) {
                    Some(entry) => steps.push(entry),
                    None => Ok(()),
                }
            })?;
        }
        self.move_on(generation, steps, moved)?;
        let path = self.dir.join(PENDING_FILE);
        private::remove(&path).map_err(Error::io(&path, "remove"))?;
        self.pending = None;
        Ok(())
    }

    /// Forgets ids: their rows are sent next time, whatever they say. How many were known.
    ///
    /// # Errors
    /// A file can't be read or written.
    pub fn forget<'i>(&mut self, ids: impl Iterator<Item = &'i str>) -> Result<u64, Error> {
        let keys = self.keys("");
        let mut steps = Spill::new(&self.dir);
        for id in ids {
            let record = (keys.id(id.as_bytes()), 0);
            if let Some(entry) = step(record, Fate::Unsure, 0) {
                steps.push(entry)?;
            }
        }
        let before = self.manifest.ids;
        // An import that ended before this is another one from now on.
        self.move_on(random_name()?, steps, &Moved::default())?;
        Ok(before - self.manifest.ids)
    }

    fn move_on(&mut self, generation: String, steps: Spill, moved: &Moved) -> Result<(), Error> {
        let before = if moved.rebuilt { None } else { self.ids.as_ref() };
        let (name, ids) = match before {
            Some(before) if steps.is_empty() => (self.manifest.file.clone(), before.len()),
            before => {
                let name = format!("{IDS}{}", random_name()?);
                let ids = fold(before, &steps.finish(), &self.dir.join(&name))?;
                private::sync_dir(&self.dir).map_err(Error::io(&self.dir, "sync"))?;
                (name, ids)
            }
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs());
        let mut manifest = self.manifest.clone();
        (manifest.generation, manifest.ids) = (generation, ids);
        (manifest.file, manifest.moved) = (name, now);
        if let Some(mapping) = &moved.mapping {
            manifest.mapping.clone_from(mapping);
        }
        if moved.is_full {
            manifest.full = now;
        }
        manifest.write(&self.dir)?;
        let old = std::mem::replace(&mut self.manifest, manifest).file;
        if old != self.manifest.file {
            self.ids = Some(Ids::open(&self.dir.join(&self.manifest.file))?);
            if !old.is_empty() {
                // What can't be removed now is when the state is opened next.
                let _ = fs::remove_file(self.dir.join(old));
            }
        }
        Ok(())
    }

    /// Reads all of it, and holds it against what every state is.
    ///
    /// # Errors
    /// A file can't be read, or is damaged.
    pub fn verify(&self) -> Result<Verified, Error> {
        let path = self.dir.join(MANIFEST_FILE);
        let ids = self.ids.as_ref().map_or(0, Ids::len);
        if ids != self.manifest.ids {
            return Err(Error::damaged(&path, "it has another number of ids than its file"));
        }
        self.ids.as_ref().map_or(Ok(()), Ids::verify)?;
        self.pending.as_ref().map_or(Ok(()), |pending| pending.each(|_, _, _| Ok(())))?;
        Ok(Verified { ids, pending: self.pending.as_ref().map_or(0, Pending::len) })
    }
}

/// How a state moves on.
#[derive(Clone, Debug, Default)]
pub struct Moved {
    /// What was known before is left out.
    pub rebuilt: bool,
    /// Every row of an export was sent.
    pub is_full: bool,
    /// Hash of the mapping under which rows were sent; `None` = as it was.
    pub mapping: Option<String>,
}

/// A name that no other import or file has: 32 hex digits.
///
/// # Errors
/// The system has no random numbers.
pub fn random_name() -> Result<String, Error> {
    let bytes: [u8; 16] = random()?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| {
        Error::io(Path::new("/dev/urandom"), "read")(io::Error::other("no random numbers"))
    })?;
    Ok(bytes)
}

fn new_manifest(purpose: &Purpose) -> Result<Manifest, Error> {
    Ok(Manifest::new(purpose.clone(), random_name()?, &random()?))
}

/// Whether a file has the name of a file of ids. Others may keep theirs in the same directory.
fn is_ids(name: &str) -> bool {
    let is_hex = |name: &str| name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.strip_prefix(IDS).is_some_and(is_hex)
}

/// A file of a state in a directory.
fn stray(dir: &Path) -> Result<Option<PathBuf>, Error> {
    let io = Error::io(dir, "read");
    for entry in fs::read_dir(dir).map_err(&io)? {
        let entry = entry.map_err(&io)?;
        let name = entry.file_name();
        if name == PENDING_FILE || is_ids(&name.to_string_lossy()) {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::model::RowPrint;

    fn purpose() -> Purpose {
        Purpose { destination: "there".to_owned(), kind: "users".to_owned() }
    }

    /// Writes a row down and moves on over it.
    fn send(state: &mut State, run: &str, row: u128) {
        let mut writer = state.begin(run, Path::new("runs/a")).expect("begun");
        writer.rows(&[RowPrint { id: 7, row }]).expect("written");
        writer.body(1);
        state.publish(run, false, writer).expect("published");
        let moved = Moved::default();
        state.settle(run.to_owned(), |_, _| Fate::Delivered, &moved).expect("moved on");
    }

    /// Whoever looks finds either what was before or what is after, while a state moves on.
    #[test]
    fn a_state_can_be_looked_at_while_it_moves_on() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("state");
        let mut state = State::open(&path, &purpose()).expect("opened");
        send(&mut state, "first", 1);
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let look = || {
                let mut looks = 0_u32;
                while !is_over.load(Ordering::Relaxed) {
                    let seen = State::peek(&path).expect("read");
                    if looks.is_multiple_of(64) {
                        assert_eq!(seen.verify().expect("sound").ids, 1);
                    }
                    looks += 1;
                }
                looks
            };
            let looking = [scope.spawn(look), scope.spawn(look), scope.spawn(look)];
            (2..100).for_each(|row| send(&mut state, &row.to_string(), row));
            is_over.store(true, Ordering::Relaxed);
            for looking in looking {
                assert!(looking.join().expect("no failure") > 5);
            }
        });
    }
}
