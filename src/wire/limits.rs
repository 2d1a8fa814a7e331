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

/// Fair use per single end user: minutes, and requests in them. Data API, U.
pub const FAIR_USE: [(u64, u64); 4] = [(1, 5_000), (5, 10_000), (60, 50_000), (1_440, 100_000)];

/// The platforms that an event may name. Data API, U.
pub const EVENT_PLATFORMS: [&str; 5] = ["ANDROID", "iOS", "web", "TV", "unknown"];

/// The platforms that a device may name. Data API, U.
pub const DEVICE_PLATFORMS: [&str; 4] = ["ANDROID", "iOS", "web", "TV"];

/// What `moe_push_opted` of a device may be. Data API, U.
pub const PUSH_OPTED: [&str; 2] = ["True", "False"];

/// Characters of an attribute's or event's name that the server keeps. Data API, U.
pub const NAME_CHARS_MAX: usize = 200;

/// Characters of a string value that the server keeps. Data API, U.
pub const STRING_CHARS_MAX: usize = 512;

/// Elements of a list that the server keeps. Data API, U.
pub const LIST_ELEMENTS_MAX: usize = 50;

/// Elements of a list of objects that the server keeps. Data API, U.
pub const OBJECT_LIST_ELEMENTS_MAX: usize = 100;

/// Distinct user attributes of a workspace. Data API, U.
pub const USER_ATTRIBUTES_MAX: usize = 256;

/// Distinct events of a workspace. Data API, U.
pub const EVENT_NAMES_MAX: usize = 512;

/// Attributes of one event that the server keeps. Data API, U.
pub const EVENT_ATTRIBUTES_MAX: usize = 100;

/// User attributes of a workspace that hold objects. Data API, U.
pub const USER_OBJECTS_MAX: usize = 10;

/// Event attributes of a workspace that hold objects. Data API, U.
pub const EVENT_OBJECTS_MAX: usize = 5;

/// Bytes of JSON of one object, read strictly as 25,000. Data API, U: 25 KB.
pub const OBJECT_BYTES_MAX: usize = 25_000;

/// Keys of one object. Data API, U.
pub const OBJECT_KEYS_MAX: usize = 100;

/// Levels of objects in an attribute, the outermost included. Data API, U.
pub const OBJECT_LEVELS_MAX: usize = 2;

/// Characters that an object's keys must not hold. Data API, U.
pub const OBJECT_KEY_CHARS_BARRED: [char; 4] = ['$', '.', '%', '#'];
