//! Files read by many threads against the strict reader alone: whatever the file, wherever it is
//! cut, and in whatever order the cuts are scanned and settled, the rows are the same.

use std::{cell::RefCell, collections::VecDeque, fs, ops::Range};

use proptest::{
    collection::vec, prelude::*, sample::Index, strategy::BoxedStrategy, test_runner::TestRunner,
};

use super::{
    super::table::{self, Next, Settled, TableReader},
    CsvReader, Cut, Dialect, Error, Scanned, Splitter,
    cut::{Outcome, Sizes},
    split,
    tests::{Row, rows_of, rows_of_block},
    tests_generated::{file, mutate, mutation},
};
use crate::model::{Code, Rows};
use crate::source::{CheckedFile, Fingerprint};

/// All rows, however many.
const ALL: Range<u64> = 1..u64::MAX;

/// More than any record here has, and so little that its buffers cost no time.
const RECORD_BYTES_MAX: usize = 8_192;

/// More steps than any game here takes.
const STEPS_MAX: u32 = 200_000;

/// A file, how it is read, and by how many threads.
#[derive(Clone, Debug)]
struct Game {
    data: Vec<u8>,
    dialect: Dialect,
    sizes: Sizes,
    threads: usize,
    /// Decides whose turn it is.
    seed: u64,
    /// Whether the file is held against its fingerprint.
    checked: bool,
}

/// How often what happened.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    whole: u32,
    full: u32,
    broken: u32,
    void: u32,
    not_yet: u32,
    wait: u32,
    /// Blocks of the strict reader.
    strict: u32,
    /// Cuts after such a block.
    cut_again: u32,
}

impl Seen {
    /// The paths that were never taken.
    fn missed(&self) -> Vec<&'static str> {
        [
            (self.whole, "whole"),
            (self.full, "full"),
            (self.broken, "broken"),
            (self.void, "void"),
            (self.not_yet, "not yet"),
            (self.wait, "wait"),
            (self.strict, "strict"),
            (self.cut_again, "cut again"),
        ]
        .iter()
        .filter_map(|&(count, name)| (count == 0).then_some(name))
        .collect()
    }
}

/// What a thread has in hand.
enum Hand {
    Cut(Box<Cut>),
    Scanned(Box<Scanned>),
}

/// What the strict reader finds, record by record.
fn strict(data: &[u8], dialect: &Dialect) -> Result<Vec<Row>, Error> {
    let mut reader = CsvReader::open(data, 0, dialect.clone())?;
    reader.is_slow = true;
    Ok(rows_of(&mut reader))
}

fn opened(data: &[u8], checked: bool) -> (tempfile::NamedTempFile, CheckedFile) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), data).expect("written");
    let print = checked.then(|| Fingerprint::of(file.path(), |_| ()).expect("readable"));
    let checked = CheckedFile::open(file.path(), print).expect("readable");
    (file, checked)
}

/// Plays the threads one step at a time: the rows of the range, in the order in which they come
/// out, and how many rows were read at the end.
fn play(game: &Game, range: &Range<u64>, seen: &mut Seen) -> Result<(Vec<Row>, u64), Error> {
    let (_file, checked) = opened(&game.data, game.checked);
    let splitter = Splitter::open_sized(&checked, 0, &game.dialect, game.sizes)?;
    let mut reader = TableReader::of_csv(splitter, range.clone());
    let mut rng = fastrand::Rng::with_seed(game.seed);
    let mut hands: Vec<Hand> = Vec::new();
    let mut found = Vec::new();
    let (mut ended, mut was_strict) = (false, false);
    for _ in 0..STEPS_MAX {
        let at = rng.usize(..game.threads);
        let mut rows = None;
        if at < hands.len() {
            match hands.swap_remove(at) {
                Hand::Cut(cut) => hands.push(Hand::Scanned(Box::new(cut.scan()))),
                Hand::Scanned(scanned) => {
                    let (outcome, records) = (scanned.outcome, scanned.rows.records.len());
                    let settled = reader.settle(table::Scanned::Csv(scanned));
                    // Nothing of what holds records is wanted where it was given up.
                    let void = matches!(settled, Settled::Nothing) && records > 0;
                    match settled {
                        Settled::NotYet(table::Scanned::Ndjson(_)) => panic!("no CSV"),
                        Settled::NotYet(table::Scanned::Csv(scanned)) => {
                            seen.not_yet += 1;
                            hands.push(Hand::Scanned(scanned));
                            continue;
                        }
                        Settled::Nothing => {}
                        Settled::Rows(settled) => rows = Some(settled),
                    }
                    assert!(!ended || rows.is_none(), "rows after the end");
                    match outcome {
                        _ if void => seen.void += u32::from(*range == ALL),
                        Outcome::Whole => seen.whole += 1,
                        Outcome::Full { .. } => seen.full += 1,
                        Outcome::Broken => seen.broken += 1,
                    }
                }
            }
        } else if !ended {
            match reader.next_piece().expect("readable") {
                Next::Rows(block) => {
                    (rows, was_strict) = (Some(block), true);
                    seen.strict += 1;
                }
                Next::Cut(table::Cut::Ndjson(_)) => panic!("no CSV"),
                Next::Cut(table::Cut::Csv(cut)) => {
                    seen.cut_again += u32::from(was_strict);
                    was_strict = false;
                    hands.push(Hand::Cut(cut));
                }
                Next::Wait => {
                    assert!(!hands.is_empty(), "nobody has what all wait for");
                    seen.wait += 1;
                }
                Next::End => ended = true,
            }
        } else if hands.is_empty() {
            assert!(matches!(reader.next_piece(), Ok(Next::End)), "the end stays the end");
            return Ok((found, reader.rows_read()));
        }
        if let Some(rows) = rows {
            let Rows::Text(block) = rows else { panic!("no text") };
            assert_eq!(block.file, 0);
            found.extend(rows_of_block(&block));
            if rng.bool() {
                reader.recycle(block);
            }
        }
    }
    panic!("nothing goes on in {game:?}");
}

/// Plays for all rows, and holds them against the strict reader's.
fn assert_same(game: &Game, expected: &Result<Vec<Row>, Error>, seen: &mut Seen) {
    match (play(game, &ALL, seen), expected) {
        (Ok((found, rows_read)), Ok(expected)) => {
            for (found, expected) in found.iter().zip(expected) {
                assert_eq!(found, expected, "{game:?}");
            }
            assert_eq!(found.len(), expected.len(), "{game:?}");
            assert_eq!(rows_read, expected.len() as u64);
        }
        (Err(found), Err(expected)) => assert_eq!(found.to_string(), expected.to_string()),
        (found, expected) => panic!("{:?} for {:?}", found.err(), expected.as_ref().err()),
    }
}

/// One file, which takes longer to make than to read, in several games.
fn assert_all_same(game: &Game, seen: &mut Seen) {
    let expected = strict(&game.data, &game.dialect);
    let Sizes { most, least } = game.sizes;
    for (number, most) in [most, most / 3 + 2, most * 2, 1 + most / 2].into_iter().enumerate() {
        let game = Game {
            sizes: Sizes { most, least: least.min(most) },
            threads: 1 + (game.threads + number) % 5,
            checked: game.checked ^ (number % 2 == 1),
            ..game.clone()
        };
        assert_same(&game, &expected, seen);
    }
}

/// Files with so many changed bytes, in every dialect that can be cut, and how to read them.
fn game(changes: Range<usize>) -> BoxedStrategy<Game> {
    let unsound = changes.end > 1;
    let start = (any::<bool>(), any::<bool>(), any::<bool>());
    // Marks of byte order where records begin, as in files that were put together.
    let marks = vec(any::<Index>(), 0..if unsound { 3 } else { 1 });
    let text = (file(1..40, 1..12usize, false, b','), start, marks, vec(mutation(), changes));
    let record_bytes_max = if unsound {
        prop_oneof![3 => Just(RECORD_BYTES_MAX), 1 => 40..200usize].boxed()
    } else {
        Just(RECORD_BYTES_MAX).boxed()
    };
    let lenient_quotes = if unsound { any::<bool>().boxed() } else { Just(false).boxed() };
    let quote = if unsound {
        prop_oneof![6 => Just(Some(b'"')), 1 => Just(None)].boxed()
    } else {
        Just(Some(b'"')).boxed()
    };
    let dialect = (lenient_quotes, quote, record_bytes_max);
    let most = prop_oneof![2 => 2..120usize, 3 => 60..600usize];
    let how = (most, any::<Index>(), 1..6usize, any::<u64>(), any::<bool>());
    (text, dialect, how)
        .prop_map(|((file, (mark, skip, header), marks, mutations), dialect, how)| {
            let (lenient_quotes, quote, record_bytes_max) = dialect;
            let (most, least, threads, seed, checked) = how;
            let mut data = file.data;
            let mut starts: Vec<usize> = marks.iter().map(|mark| mark.get(&file.spans).0).collect();
            starts.sort_unstable();
            for start in starts.into_iter().rev() {
                data.splice(start..start, *b"\xef\xbb\xbf");
            }
            for mutation in mutations {
                if data.len() > file.spans[0].0 {
                    mutate(&mut data, file.spans[0].0, mutation);
                }
            }
            if skip {
                data.splice(..0, *b"an \"export\n");
            }
            if mark {
                data.splice(..0, *b"\xef\xbb\xbf");
            }
            let dialect = Dialect {
                lenient_quotes,
                quote,
                record_bytes_max,
                header,
                skip_lines: u64::from(skip),
                ..Dialect::default()
            };
            let sizes = Sizes { most, least: 1 + least.index(most) };
            Game { data, dialect, sizes, threads, seed, checked }
        })
        .boxed()
}

/// The same cases on every machine; PROPTEST_CASES and another seed explore further.
fn explore<T: std::fmt::Debug>(strategy: &BoxedStrategy<T>, test: impl Fn(T, &mut Seen)) -> Seen {
    let seen = RefCell::new(Seen::default());
    let config = ProptestConfig {
        cases: std::env::var_os("PROPTEST_CASES").map_or(100, |_| ProptestConfig::default().cases),
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let result = TestRunner::new(config).run(strategy, |value| {
        test(value, &mut seen.borrow_mut());
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    seen.into_inner()
}

#[test]
fn sound_files_are_cut_without_a_break() {
    let seen = explore(&game(0..1), |game, seen| assert_all_same(&game, seen));
    assert_eq!(seen.missed(), ["broken"], "{seen:?}");
}

#[test]
fn damaged_files_give_what_the_strict_reader_finds() {
    let seen = explore(&game(0..8), |game, seen| assert_all_same(&game, seen));
    assert_eq!(seen.missed(), [""; 0], "{seen:?}");
}

#[test]
fn a_range_of_rows_is_the_same_range() {
    let strategy = (game(0..5), any::<Index>(), any::<Index>()).boxed();
    explore(&strategy, |(game, start, end), seen| {
        let Ok(expected) = strict(&game.data, &game.dialect) else { return };
        let rows = expected.len() as u64;
        let start = start.index(expected.len() + 2) as u64;
        let range = start..start + end.index(expected.len() + 2) as u64;
        let (found, rows_read) = play(&game, &range, seen).expect("it opens");
        let wanted = expected.into_iter().filter(|row| range.contains(&row.number()));
        assert_eq!(found, wanted.collect::<Vec<_>>());
        if range.end > rows + 1 {
            assert_eq!(rows_read, rows);
        } else {
            assert!(rows_read + 1 >= range.end.min(rows + 1), "{rows_read} of {range:?}");
        }
    });
}

/// Every size of cuts, on a file that has something of everything.
#[test]
fn no_size_of_cuts_shows() {
    let sound =
        "1,plain,x\n2,\"two\nlines\",\"y\"\"z\"\r\n\n3,é,\"\"\r\n\r\n4,\"a,\"\"\"\"\nb\",\n";
    let data = [
        "\u{feff}id,a,b\r\n",
        &sound.repeat(3),
        "5,a\"b,c\n",
        sound,
        "6,one\n7,a,b,c\n",
        sound,
        // The opening quote of a cell of three lines is lost.
        "8,three\nlines\nof text\",x\n",
        sound,
        "9,\"q\"r,s\n",
        sound,
        "10,nul\0,x\n11,\"1,2,3\n4,5,6\n\",\"7,8,9\n\"\n",
        "12,\"never closed,x\n",
        &sound.repeat(2),
        "13,a long record that is longer than what is allowed for one of them,x\n",
        sound,
        "14,the end,",
    ]
    .concat();
    let dialects = [false, true].map(|lenient_quotes| Dialect {
        lenient_quotes,
        record_bytes_max: 60,
        ..Dialect::default()
    });
    let expected = dialects.each_ref().map(|dialect| strict(data.as_bytes(), dialect));
    let rows = expected[0].as_ref().expect("a header");
    let damage: Vec<Code> = rows
        .iter()
        .filter_map(|row| match row {
            Row::Damaged(damage) => Some(damage.code),
            Row::Sound { .. } => None,
        })
        .collect();
    for code in [
        Code::QuoteInField,
        Code::TextAfterQuote,
        Code::FieldCount,
        Code::NulByte,
        Code::RecordTooLong,
    ] {
        assert!(damage.contains(&code), "{code:?} is not among {damage:?}");
    }
    let mut seen = Seen::default();
    for most in 2..=data.len() / 2 {
        for least in [1, most.div_ceil(3)] {
            let lenient = usize::from(most % 4 == 0);
            let game = Game {
                data: data.clone().into_bytes(),
                dialect: dialects[lenient].clone(),
                sizes: Sizes { most, least },
                threads: 1 + most % 5,
                seed: most as u64,
                checked: false,
            };
            assert_same(&game, &expected[lenient], &mut seen);
        }
    }
    assert_eq!(seen.missed(), [""; 0], "{seen:?}");
}

/// A thread may come with a cut when the others have gone on to the next file.
#[test]
fn a_cut_of_another_file_is_none_of_this_one() {
    let sizes = Sizes { most: 256, least: 256 };
    let dialect = Dialect::default();
    let of = |index: u32, columns: usize| {
        let row = |number: usize| vec![format!("cell {number} of file {index}"); columns].join(",");
        let header: Vec<String> = (0..columns).map(|column| format!("h{column}")).collect();
        let lines: Vec<String> = (0..200).map(row).collect();
        let data = format!("{}\n{}\n", header.join(","), lines.join("\n"));
        let (file, checked) = opened(data.as_bytes(), false);
        let splitter = Splitter::open_sized(&checked, index, &dialect, sizes).expect("a header");
        (file, splitter)
    };
    let cut = |splitter: &mut Splitter| match splitter.next_piece() {
        Ok(split::Next::Cut(cut)) => Box::new(cut.scan()),
        _ => panic!("no cut"),
    };
    let ((_one, mut first), (_two, mut second)) = (of(0, 2), of(1, 1));
    // The ticket is that of a cut of this one, which is given out as well.
    let late = [cut(&mut first), cut(&mut first)];
    for late in late {
        assert!(matches!(second.settle(late), split::Settled::Void));
    }
    second.recycle(cut(&mut first).rows);
    for _ in 0..3 {
        let scanned = cut(&mut second);
        let split::Settled::Rows(rows) = second.settle(scanned) else { panic!("not its turn") };
        assert_eq!((rows.file, rows.columns), (1, 1), "in the memory of another file");
        assert!(!rows.records.is_empty());
        assert!(rows.cell(0, 0).ends_with(b"of file 1"));
        second.recycle(rows);
    }
}

#[test]
fn bytes_that_cannot_be_read_come_after_all_rows_before_them() {
    // What a hash of the fingerprint covers.
    const BLOCK_BYTES: usize = 1 << 20;
    let mut data = b"id,b\n".to_vec();
    while data.len() < BLOCK_BYTES * 3 / 2 {
        data.extend_from_slice(format!("{:07},some text\n", data.len()).as_bytes());
    }
    let (file, checked) = opened(&data, true);
    // A byte of the second block that has a hash of its own.
    data[BLOCK_BYTES + 1_000] ^= 1;
    fs::write(file.path(), &data).expect("written");
    let read = |threads: usize| {
        let splitter = Splitter::open(&checked, 0, &Dialect::default()).expect("a header");
        let mut reader = TableReader::of_csv(splitter, ALL);
        let (mut hands, mut blocks) = (VecDeque::new(), Vec::new());
        let error = loop {
            if hands.len() < threads {
                match reader.next_piece() {
                    Ok(Next::Rows(block)) => {
                        blocks.push(block);
                        continue;
                    }
                    Ok(Next::Cut(cut)) => {
                        hands.push_back(cut);
                        continue;
                    }
                    Ok(Next::Wait) => {}
                    Ok(Next::End) => panic!("no error"),
                    Err(error) => break error.to_string(),
                }
            }
            let cut: table::Cut = hands.pop_front().expect("what is waited for");
            match reader.settle(cut.scan()) {
                Settled::Rows(block) => blocks.push(block),
                // Small records make the first cut too large, and void what follows it.
                Settled::Nothing => {}
                Settled::NotYet(_) => panic!("they are settled in their order"),
            }
        };
        assert!(hands.is_empty(), "cuts before the error are lost");
        let rows = |block: &Rows| match block {
            Rows::Text(block) => rows_of_block(block),
            Rows::Json(_) | Rows::Arrow(_) => panic!("no text"),
        };
        (blocks.iter().flat_map(rows).collect::<Vec<Row>>(), error)
    };
    let (rows, error) = read(1);
    assert!(error.contains("changed while the import was running"), "{error}");
    // All but those of the block in which the error lies.
    let row_bytes = "0000000,some text\n".len();
    assert!(rows.len() > (BLOCK_BYTES - 2 * Sizes::USUAL.most) / row_bytes, "{}", rows.len());
    for threads in [2, 3, 8] {
        assert_eq!(read(threads), (rows.clone(), error.clone()), "{threads} threads");
    }
}
