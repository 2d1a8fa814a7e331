//! From URLs to objects.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_util::StreamExt;
use object_store::{
    GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, path::Path as Key,
};

use super::{
    super::{
        find::{self, Error, Found, Unpacking},
        mistaken,
        unpack::{Compression, HEAD_BYTES},
    },
    Pending, READ_TRIES, Remote, start,
    store::{self, Stores, Target},
    words,
};

/// Objects that are looked at at a time.
const LOOKS: usize = 16;

/// The most objects below one prefix.
const OBJECTS_MAX: usize = 1_000_000;

/// An object as it was found: the first bytes, and whether parts of it can be asked for.
struct Look {
    meta: ObjectMeta,
    head: Vec<u8>,
    has_ranges: bool,
}

/// Finds what URLs name, in their order.
///
/// # Errors
/// The first one that cannot be used.
pub fn find(stores: &mut Stores, name: &Path) -> Result<Vec<Found>, Error> {
    let text = name.to_string_lossy();
    let shown = store::without_query(&text).to_owned();
    let refused = |reason: String| Error::Remote { path: shown.clone(), reason };
    let target = stores.target(&text).map_err(refused)?;
    if !target.is_listed {
        return match look(&target.store, Key::default()).and_then(Pending::wait) {
            Ok(Ok(found)) => Ok(vec![object(&target, Key::default(), target.base.clone(), found)?]),
            Ok(Err(error)) => Err(refused(words::of(&error, &text))),
            Err(error) => Err(refused(error.to_string())),
        };
    }
    let has_pattern = target.key.contains(['*', '?', '[']);
    let is_prefix = target.key.is_empty() || target.key.ends_with('/');
    if !has_pattern && !is_prefix {
        let key = store::key(&target.key).map_err(refused)?;
        match look(&target.store, key.clone()).and_then(Pending::wait) {
            Ok(Ok(found)) => {
                let name = format!("{}{}", target.base, target.key);
                return Ok(vec![object(&target, key, name, found)?]);
            }
            // It may be the name of what others have before theirs.
            Ok(Err(error)) if words::is_missing(&error) => {
                let below = listed(&target, &format!("{}/", target.key), None).map_err(refused)?;
                return match below.is_empty() {
                    true => Err(refused(words::of(&error, &text))),
                    false => look_at_all(&target, below),
                };
            }
            Ok(Err(error)) => return Err(refused(words::of(&error, &text))),
            Err(error) => return Err(refused(error.to_string())),
        }
    }
    let pattern = has_pattern.then(|| glob::Pattern::new(&target.key)).transpose();
    let pattern = pattern
        .map_err(|error| Error::Pattern { pattern: shown.clone(), reason: error.msg.to_owned() })?;
    let prefix = match has_pattern {
        true => {
            let before = target.key.find(['*', '?', '[']).unwrap_or(0);
            let end = target.key[..before].rfind('/').map_or(0, |at| at + 1);
            &target.key[..end]
        }
        false => target.key.as_str(),
    };
    let keys = listed(&target, prefix, pattern).map_err(refused)?;
    match (keys.is_empty(), has_pattern) {
        (true, true) => Err(Error::NoMatch(shown)),
        (true, false) => Err(Error::EmptyDirectory(shown)),
        (false, _) => look_at_all(&target, keys),
    }
}

/// The keys below a prefix, or those that match a pattern, in their order.
fn listed(
    target: &Target,
    prefix: &str,
    pattern: Option<glob::Pattern>,
) -> Result<Vec<String>, String> {
    let (list, below) = (Arc::clone(&target.store), store::key(prefix)?);
    let listing = start(async move {
        let mut keys = Vec::new();
        let mut objects = list.list((!below.as_ref().is_empty()).then_some(&below));
        while let Some(object) = objects.next().await {
            match object {
                Ok(object) => keys.push(object.location.to_string()),
                Err(error) => return Ok(Err(error)),
            }
            if keys.len() > OBJECTS_MAX {
                break;
            }
        }
        Ok(Ok(keys))
    });
    let keys = listing.and_then(Pending::wait).map_err(|error| error.to_string())?;
    let mut keys = keys.map_err(|error| words::of(&error, &target.base))?;
    if keys.len() > OBJECTS_MAX {
        return Err(format!("more than {OBJECTS_MAX} objects lie below it; name a part of them"));
    }
    let options = glob::MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: false,
    };
    keys.retain(|key| match &pattern {
        Some(pattern) => pattern.matches_with(key, options),
        None => {
            let below = key.strip_prefix(prefix).unwrap_or(key);
            find::is_table_below(below)
        }
    });
    keys.sort();
    Ok(keys)
}

/// Looks at objects, several at a time.
fn look_at_all(target: &Target, keys: Vec<String>) -> Result<Vec<Found>, Error> {
    let name = |key: &str| format!("{}{key}", target.base);
    let refused = |key: &str, reason: String| Error::Remote { path: name(key), reason };
    let mut under_way: VecDeque<(String, Key, Pending<object_store::Result<Look>>)> =
        VecDeque::new();
    let mut keys = keys.into_iter();
    let mut found = Vec::new();
    loop {
        while under_way.len() < LOOKS
            && let Some(key) = keys.next()
        {
            let path = store::key(&key).map_err(|reason| refused(&key, reason))?;
            let look = look(&target.store, path.clone());
            let look = look.map_err(|error| refused(&key, error.to_string()))?;
            under_way.push_back((key, path, look));
        }
        let Some((key, path, look)) = under_way.pop_front() else { return Ok(found) };
        let look = look.wait().map_err(|error| refused(&key, error.to_string()))?;
        let look = look.map_err(|error| refused(&key, words::of(&error, &target.base)))?;
        found.push(object(target, path, name(&key), look)?);
    }
}

/// Asks for the first bytes of an object, which tell its size too: whoever may read it need not be
/// allowed to ask for its properties.
fn look(store: &Arc<dyn ObjectStore>, key: Key) -> io::Result<Pending<object_store::Result<Look>>> {
    let store = Arc::clone(store);
    start(async move { Ok(look_at(store.as_ref(), &key).await) })
}

async fn look_at(store: &dyn ObjectStore, key: &Key) -> object_store::Result<Look> {
    let range = Some(GetRange::Bounded(0..HEAD_BYTES as u64));
    let mut tries = READ_TRIES;
    let looked = loop {
        let options = GetOptions::default().with_range(range.clone());
        match store.get_opts(key, options).await {
            Err(error) => break Err(error),
            Ok(answer) => {
                tries -= 1;
                let meta = answer.meta.clone();
                match answer.bytes().await {
                    Ok(head) => break Ok(Look { meta, head: head.to_vec(), has_ranges: true }),
                    Err(error) if tries == 0 => break Err(error),
                    // It broke off.
                    Err(_) => {}
                }
            }
        }
    };
    match looked {
        Ok(look) => Ok(look),
        Err(error) if words::is_without_ranges(&error) => {
            let answer = store.get_opts(key, GetOptions::default()).await?;
            let meta = answer.meta.clone();
            let (mut head, mut pieces) = (Vec::new(), answer.into_stream());
            while head.len() < HEAD_BYTES
                && let Some(piece) = pieces.next().await
            {
                head.extend_from_slice(&piece?);
            }
            head.truncate(HEAD_BYTES);
            Ok(Look { meta, head, has_ranges: false })
        }
        Err(error) if words::is_beyond_end(&error) => {
            let meta = store.head(key).await?;
            Ok(Look { meta, head: Vec::new(), has_ranges: true })
        }
        Err(error) => Err(error),
    }
}

fn object(target: &Target, key: Key, name: String, look: Look) -> Result<Found, Error> {
    let Look { meta, head, has_ranges } = look;
    if let Some(error) = mistaken::refusal(&name, &head) {
        return Err(error);
    }
    let path = PathBuf::from(&name);
    let by_name = find::format_by_name(&path);
    let compression = Compression::of(&head);
    let (unpacking, format) = match (compression, by_name, has_ranges) {
        (Some(kind), _, true) => (Unpacking::Compressed(kind), by_name),
        (None, Some(by_name), true) => (Unpacking::No, Some(by_name)),
        (None, None, true) => (Unpacking::No, Some(mistaken::format(&name, &head)?)),
        (_, _, false) => (Unpacking::Download, by_name),
    };
    let partitions = find::partitions(&name);
    let bytes = meta.size;
    let remote = Remote::new(name, Arc::clone(&target.store), key, &meta);
    Ok(Found { path, unpacking, format, bytes, partitions, remote: Some(remote) })
}
