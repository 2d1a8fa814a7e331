//! Objects of S3, Google Cloud Storage, Azure and plain HTTPS servers, read by position as files are.
//!
//! - `store`: from a URL to the store that it names, with the credentials of the environment.
//! - `list`: from a URL to objects: one, those below a prefix, those that match a pattern.
//! - `read`: sequential reads ahead.
//! - `words`: what went wrong, in plain words.
//!
//! The requests are async and run on one thread of their own; everything here that others call
//! blocks until they are answered. An object is known by its ETag (or version, or time) and size,
//! which every request holds it to, so that nothing is downloaded just to be hashed.

mod list;
mod read;
mod store;
mod words;

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    io,
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use bytes::Bytes;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, path::Path};
use tokio::runtime::Handle;

use super::checked::{Fingerprint, changed};
pub(super) use list::find;
pub use read::Ahead;
pub(super) use store::{Stores, is_remote, without_query};

/// What the windows of one object may take in memory.
const WINDOWS_BYTES_MAX: u64 = 48 << 20;

/// Bytes of a window: many columns share the memory, and a request for less is not worth its time.
const WINDOW_BYTES_MAX: u64 = 8 << 20;
const WINDOW_BYTES_MIN: u64 = 64 << 10;

/// Tries of a read whose body breaks off, where the store's client does not go on by itself.
const READ_TRIES: usize = 3;

/// One object. A clone is the same object.
#[derive(Clone)]
pub struct Remote(Arc<Object>);

struct Object {
    /// What tells it from others of this process.
    id: u64,
    /// What it is called: its URL, without credentials.
    name: String,
    store: Arc<dyn ObjectStore>,
    path: Path,
    bytes: u64,
    version: Version,
    cache: Mutex<Cache>,
}

/// What an object is known by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Version {
    etag: Option<String>,
    id: Option<String>,
    /// Nanoseconds since 1970; `None` where the server does not say.
    modified: Option<i64>,
}

impl Version {
    fn of(meta: &ObjectMeta) -> Self {
        // What a server doesn't say stands there as 1970.
        let modified = meta.last_modified.timestamp_nanos_opt().filter(|&at| at > 0);
        Self { etag: meta.e_tag.clone(), id: meta.version.clone(), modified }
    }

    /// As a checkpoint holds it; `None` where nothing tells one content from another.
    fn text(&self) -> Option<String> {
        let Self { etag, id, modified } = self;
        let etag = etag.as_ref().map(|etag| format!("etag {etag}"));
        let id = || id.as_ref().map(|id| format!("version {id}"));
        etag.or_else(id).or_else(|| modified.map(|at| format!("modified {at}")))
    }

    /// What holds a request to this content.
    fn options(&self) -> GetOptions {
        // A weak tag never matches: RFC 9110, 13.1.1.
        let strong = self.etag.clone().filter(|etag| !etag.starts_with("W/"));
        let modified = self.modified.filter(|_| strong.is_none());
        GetOptions {
            version: self.id.clone().filter(|_| strong.is_none()),
            if_match: strong,
            if_unmodified_since: modified.map(chrono::DateTime::from_timestamp_nanos),
            ..GetOptions::default()
        }
    }

    /// Whether an answer is of this content, as far as it says.
    fn is_of(&self, meta: &ObjectMeta) -> bool {
        let now = Self::of(meta);
        match (&self.etag, &now.etag) {
            (Some(was), Some(now)) => was == now,
            _ => self.modified.is_none() || now.modified.is_none() || self.modified == now.modified,
        }
    }
}

/// Why an object cannot be read, in words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unreadable(String);

impl Remote {
    fn new(name: String, store: Arc<dyn ObjectStore>, path: Path, meta: &ObjectMeta) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let (bytes, version, cache) = (meta.size, Version::of(meta), Mutex::default());
        Self(Arc::new(Object { id, name, store, path, bytes, version, cache }))
    }

    /// Size in bytes.
    pub fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// What a checkpoint is bound to, instead of a hash of the content; `None` where the server says
    /// nothing that tells one content from another.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        Some(Fingerprint::of_version(self.0.bytes, self.0.version.text()?))
    }

    /// Says which ranges will be read: each from its start on. What lies between them is not asked
    /// for.
    pub fn expect(&self, mut sections: Vec<Range<u64>>, at_a_time: usize) {
        sections.sort_by_key(|section| section.start);
        let mut cache = self.0.cache.lock().unwrap_or_else(PoisonError::into_inner);
        // Of each column one that is read and one that was.
        let share = WINDOWS_BYTES_MAX / 2 / at_a_time.max(1) as u64;
        cache.window_bytes = share.clamp(WINDOW_BYTES_MIN, WINDOW_BYTES_MAX);
        cache.sections = sections;
    }

    /// The bytes from `start` on, `len` of them, which have to be there. What lies behind in the same
    /// section comes along, and is there when it is asked for.
    ///
    /// # Errors
    /// The object cannot be read, or has changed.
    pub fn read_at(&self, start: u64, len: usize) -> io::Result<Bytes> {
        let mut cache = self.0.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = cache.find(start, len) {
            return Ok(found);
        }
        let needed = start + len as u64;
        let end = cache.end_of_window(start).max(needed).min(self.0.bytes);
        let bytes = self.start_read(start..end)?.wait()?;
        cache.keep(start, &bytes);
        Ok(bytes.slice(..len.min(bytes.len())))
    }

    /// Asks for a range.
    fn start_read(&self, range: Range<u64>) -> io::Result<Pending> {
        let object = Arc::clone(&self.0);
        start(async move { object.read(range).await })
    }
}

impl Object {
    async fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let mut tries = if self.version.etag.is_some() { 1 } else { READ_TRIES };
        loop {
            tries -= 1;
            match self.read_once(range.clone()).await {
                Err(error) if words::is_changed(&error) => return Err(changed()),
                Err(error) if tries == 0 => return Err(self.unreadable(&error)),
                Err(_) => {}
                Ok(Some(bytes)) => return Ok(bytes),
                Ok(None) => return Err(changed()),
            }
        }
    }

    /// A range; `None` where the object is not what it was.
    async fn read_once(&self, range: Range<u64>) -> object_store::Result<Option<Bytes>> {
        let options = self.version.options().with_range(Some(GetRange::Bounded(range.clone())));
        let answer = self.store.get_opts(&self.path, options).await?;
        if !self.version.is_of(&answer.meta) || answer.meta.size != self.bytes {
            return Ok(None);
        }
        let bytes = answer.bytes().await?;
        if bytes.len() as u64 != range.end - range.start {
            let source = "the body has another length than the server said".into();
            return Err(object_store::Error::Generic { store: "remote", source });
        }
        Ok(Some(bytes))
    }

    fn unreadable(&self, error: &object_store::Error) -> io::Error {
        io::Error::other(Unreadable(words::of(error, &self.name)))
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Remote").field(&self.0.name).finish()
    }
}

impl PartialEq for Remote {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (&self.0, &other.0);
        (&a.name, a.bytes, &a.version) == (&b.name, b.bytes, &b.version)
    }
}

impl Eq for Remote {}

/// Bytes that came along with others.
#[derive(Default)]
struct Cache {
    sections: Vec<Range<u64>>,
    window_bytes: u64,
    /// Where each begins; first the one that was longest not asked for.
    windows: VecDeque<(u64, Bytes)>,
    bytes: u64,
}

impl Cache {
    /// Bytes that are there; their window is the last to go then.
    fn find(&mut self, start: u64, len: usize) -> Option<Bytes> {
        let holds = |(at, bytes): &(u64, Bytes)| {
            *at <= start && start + len as u64 <= at + bytes.len() as u64
        };
        let at = self.windows.iter().rposition(holds)?;
        let (from, window) = self.windows.remove(at)?;
        let found = window.slice((start - from) as usize..(start - from) as usize + len);
        self.windows.push_back((from, window));
        Some(found)
    }

    /// Where a window that begins here ends: at the end of its section at the latest.
    fn end_of_window(&self, start: u64) -> u64 {
        let behind = self.sections.partition_point(|section| section.start <= start);
        match behind.checked_sub(1).and_then(|at| self.sections.get(at)) {
            Some(section) if start < section.end => section.end.min(start + self.window_bytes),
            _ => start,
        }
    }

    fn keep(&mut self, start: u64, bytes: &Bytes) {
        self.bytes += bytes.len() as u64;
        self.windows.push_back((start, bytes.clone()));
        while self.bytes > WINDOWS_BYTES_MAX
            && let Some((_, oldest)) = self.windows.pop_front()
        {
            self.bytes -= oldest.len() as u64;
        }
    }
}

/// A request under way.
struct Pending<T = Bytes>(mpsc::Receiver<io::Result<T>>);

impl<T> Pending<T> {
    /// Waits for its answer.
    fn wait(self) -> io::Result<T> {
        self.0.recv().unwrap_or_else(|_| Err(ended()))
    }
}

fn ended() -> io::Error {
    io::Error::other(Unreadable("the thread of the requests ended".to_owned()))
}

/// Starts a request on the thread of the requests.
fn start<T: Send + 'static>(
    request: impl Future<Output = io::Result<T>> + Send + 'static,
) -> io::Result<Pending<T>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    runtime()?.spawn(async move {
        // Whoever asked may have gone away.
        let _ = sender.send(request.await);
    });
    Ok(Pending(receiver))
}

/// The runtime of the thread of the requests, which is started with the first one.
fn runtime() -> io::Result<Handle> {
    static RUNTIME: Mutex<Option<Handle>> = Mutex::new(None);
    let mut known = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*known {
        return Ok(handle.clone());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new()
        .name("remote".to_owned())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
    Ok(known.insert(handle).clone())
}

#[cfg(test)]
mod tests {
    use object_store::{ObjectStoreExt, memory::InMemory};

    use super::*;

    fn remote(content: Vec<u8>) -> (Arc<InMemory>, Remote) {
        let store = Arc::new(InMemory::new());
        let path = Path::from("o");
        let put = Arc::clone(&store);
        let (to, body) = (path.clone(), content.clone());
        let meta = start(async move {
            put.put(&to, body.into()).await.map_err(io::Error::other)?;
            put.head(&to).await.map_err(io::Error::other)
        });
        let meta = meta.expect("started").wait().expect("put");
        let dynamic: Arc<dyn ObjectStore> = store.clone();
        (store, Remote::new("m://o".to_owned(), dynamic, path, &meta))
    }

    #[test]
    fn a_window_ends_with_its_section_and_is_asked_for_once() {
        let content: Vec<u8> = (0..300_000_u32).map(|at| (at / 3) as u8).collect();
        let (_, remote) = remote(content.clone());
        remote.expect(vec![200_000..250_000, 1_000..150_000], 4_000);
        for (start, len) in [(1_000, 10), (1_200, 1_000), (149_990, 10), (149_995, 100), (5, 7)] {
            let read = remote.read_at(start, len).expect("read");
            assert_eq!(read, content[start as usize..start as usize + len], "{start}");
        }
        let windows = |remote: &Remote| -> Vec<(u64, usize)> {
            let cache = remote.0.cache.lock().expect("no panic");
            cache.windows.iter().map(|(at, bytes)| (*at, bytes.len())).collect()
        };
        let expected = [(1_000, 65_536), (149_990, 10), (149_995, 100), (5, 7)];
        assert_eq!(windows(&remote), expected, "64 KiB at least, no byte behind the section");
        remote.read_at(240_000, 500).expect("read");
        remote.read_at(249_000, 1_000).expect("read");
        assert_eq!(windows(&remote).last(), Some(&(240_000, 10_000)));
    }

    #[test]
    fn another_content_is_never_read() {
        let (store, remote) = remote(vec![1; 100]);
        assert_eq!(remote.read_at(0, 10).expect("read"), vec![1; 10]);
        let put = start(async move {
            store.put(&Path::from("o"), vec![2; 100].into()).await.map_err(io::Error::other)
        });
        put.expect("started").wait().expect("put");
        let error = remote.read_at(50, 10).expect_err("changed");
        assert!(
            error.get_ref().is_some_and(|inner| inner.is::<super::super::Changed>()),
            "{error}"
        );
    }
}
