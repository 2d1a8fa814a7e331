//! The API's numbers.

use std::time::Duration;

/// Largest body to send, in bytes of encoded JSON. Data API, S rule: 100 KB, read
/// strictly as 100,000 bytes; the server refuses only above 128 KB.
pub const BODY_BYTES_MAX: usize = 100_000;

/// Above this the server answers 413. Data API, S rule: 128 KB.
pub const BODY_BYTES_REFUSED: usize = 131_072;

/// Users a minute over all requests of an account. Data API, S rule for bulk import.
pub const USERS_PER_MINUTE: u64 = 1_000;

/// Events a minute over all requests of an account. Data API, S rule for bulk import.
pub const EVENTS_PER_MINUTE: u64 = 10_000;

/// The window that the rates are counted in. Data API, U.
pub const WINDOW: Duration = Duration::from_secs(60);

/// Smallest and largest `user_timezone_offset`, in seconds. Data API, U.
pub const TIMEZONE_OFFSET_SECONDS_MAX: i64 = 54_000;

/// The platforms that an event may name. Data API, U.
pub const EVENT_PLATFORMS: [&str; 5] = ["ANDROID", "iOS", "web", "TV", "unknown"];

/// Characters of a string value that the server keeps; a longer URL it drops whole.
/// The same for a string in a list. Data API, U.
pub const STRING_CHARACTERS_MAX: usize = 512;

/// Elements of a list that the server keeps. Data API, U.
pub const LIST_ELEMENTS_MAX: usize = 50;

/// Elements of a list of objects that the server keeps. Data API, U.
pub const OBJECT_LIST_ELEMENTS_MAX: usize = 100;

/// Largest object, in bytes of encoded JSON. Data API, U: 25 KB, read strictly.
pub const OBJECT_BYTES_MAX: usize = 25_000;

/// Most keys of one object. Data API, U.
pub const OBJECT_KEYS_MAX: usize = 100;

/// Levels of objects in one another; the attribute's own value is the first. Data API, U.
pub const OBJECT_LEVELS_MAX: usize = 2;

/// Characters that a key of an object may not hold. Data API, U.
pub const OBJECT_KEY_CHARACTERS_BARRED: [char; 4] = ['$', '.', '%', '#'];
