//! A file's rows in blocks, for any number of threads: [`Splitter`].
//!
//! The strict reader reads one block after the other, and what it finds is what holds. Where
//! quoting is sound there is no need for it: a [`Cutter`] guesses where records end, threads
//! scan the stretches, and [`Splitter::settle`] takes them in file order as long as every guess
//! was right. Where one was not, or a record is not sound, what lies behind it is given up and
//! read again, by the strict reader first.

use super::{
    CsvReader, Dialect, Error, Transcoder,
    cut::{Cut, Cutter, Outcome, Scanned, Sizes, Ticket},
    reader::ResumePlace,
    scan::Scan,
};
use crate::model::{LinePlace, TextEncoding, TextRows};
use crate::source::{CheckedFile, CheckedReader};

/// Blocks that the strict reader reads at most before cutting is tried again.
const STRICT_BLOCKS_MAX: u32 = 64;

/// So many cuts in a row show that the file is sound here.
const SOUND_CUTS_MIN: u32 = 8;

/// Files of fewer cuts are not worth cutting.
const CUTS_MIN: u64 = 2;

/// Blocks whose memory is kept for later ones, and the most that one of them keeps.
const SPARE_MAX: usize = 32;
const SPARE_BYTES_MAX: u64 = 4 << 20;

/// Gives out the rows of one CSV file.
pub struct Splitter {
    file: CheckedFile,
    index: u32,
    dialect: Dialect,
    header: Vec<String>,
    /// How cuts are scanned; `None` where the file can't be cut.
    scan: Option<Scan>,
    state: State,
    /// What is settled: everything before this place.
    settled: ResumePlace,
    /// The next cut to give out, and the next to settle.
    given: Ticket,
    taken: u64,
    cut_bytes: usize,
    sizes: Sizes,
    /// Blocks for the strict reader before cutting is tried again, and after the next time in vain.
    strict_left: u32,
    strict_next: u32,
    /// Cuts that were right since the last that was not.
    sound_cuts: u32,
    /// Memory to use again.
    spare: Vec<TextRows>,
}

enum State {
    Cutting(Box<Cutter>),
    /// There is nothing to cut; the reader goes on when all cuts are settled.
    Draining,
    Reading(Box<CsvReader<Transcoder<CheckedReader>>>),
    Ended,
}

/// What a [`Splitter`] has next.
pub enum Next {
    /// Rows.
    Rows(TextRows),
    /// A stretch to scan, and to settle then.
    Cut(Box<Cut>),
    /// Nothing, until a cut that was given out is settled.
    Wait,
    /// Nothing more.
    End,
}

/// What became of a scanned cut.
pub enum Settled {
    /// Its rows; there may be none.
    Rows(TextRows),
    /// Cuts before it are to be settled first.
    NotYet(Box<Scanned>),
    /// It was given up; what it holds is given out once more.
    Void,
}

impl Splitter {
    /// Reads a file from its start. `index` is its place among the inputs, for positions.
    ///
    /// # Errors
    /// The file can't be read, or has no sound header.
    pub fn open(file: &CheckedFile, index: u32, dialect: &Dialect) -> Result<Self, Error> {
        Self::open_sized(file, index, dialect, Sizes::USUAL)
    }

    /// [`Splitter::open`] with other sizes, which are those of the strict reader's blocks too.
    pub(super) fn open_sized(
        file: &CheckedFile,
        index: u32,
        dialect: &Dialect,
        sizes: Sizes,
    ) -> Result<Self, Error> {
        let text = Transcoder::new(file.reader(), dialect.encoding);
        let reader = CsvReader::open_sized(text, index, dialect.clone(), sizes.most)?;
        let is_long = file.len() >= CUTS_MIN * sizes.most as u64;
        let can_be_cut = dialect.encoding == TextEncoding::Utf8 && is_long;
        let scan = Scan::of(dialect, reader.header()).filter(|_| can_be_cut);
        Ok(Self {
            file: file.clone(),
            index,
            // That of a rejects file says more than the flags.
            dialect: reader.dialect().clone(),
            header: reader.header().to_vec(),
            scan,
            state: State::Reading(Box::new(reader)),
            settled: ResumePlace::default(),
            given: Ticket { number: 0, epoch: 0 },
            taken: 0,
            cut_bytes: sizes.most,
            sizes,
            strict_left: 0,
            strict_next: 1,
            sound_cuts: 0,
            spare: Vec::new(),
        })
    }

    /// Data rows settled so far, damaged stretches included.
    pub fn rows_read(&self) -> u64 {
        self.settled.rows
    }

    /// Gives out nothing more.
    pub fn end(&mut self) {
        self.give_up();
        self.state = State::Ended;
    }

    /// What comes next in the file.
    ///
    /// # Errors
    /// The bytes can't be read.
    pub fn next_piece(&mut self) -> Result<Next, Error> {
        loop {
            match &mut self.state {
                State::Ended => return Ok(Next::End),
                State::Draining => {
                    if self.taken < self.given.number {
                        return Ok(Next::Wait);
                    }
                    self.read_strictly();
                }
                State::Reading(reader) => {
                    if self.strict_left == 0
                        && self.scan.is_some()
                        && let Some(place) = reader.resume_place()
                    {
                        self.settled = place;
                        self.cut();
                        continue;
                    }
                    self.strict_left = self.strict_left.saturating_sub(1);
                    let block = reader.next_block()?;
                    self.settled.rows = reader.rows_read();
                    match block {
                        Some(rows) => return Ok(Next::Rows(rows)),
                        None => self.state = State::Ended,
                    }
                }
                State::Cutting(cutter) => {
                    let spare = self.spare.pop().unwrap_or_else(|| TextRows {
                        file: self.index,
                        columns: self.header.len(),
                        ..TextRows::default()
                    });
                    if let Ok(Some(cut)) = cutter.next_cut(spare, self.given) {
                        self.given.number += 1;
                        return Ok(Next::Cut(Box::new(cut)));
                    }
                    // The end of the file, a record that is longer than a cut, or bytes that can't
                    // be read: the reader comes upon these itself, behind all rows before them.
                    self.strict_left = if cutter.is_at_end() { u32::MAX } else { 1 };
                    self.state = State::Draining;
                }
            }
        }
    }

    /// Takes a scanned cut, if it is its turn: its rows are numbered, and what follows it is given
    /// up where it is not as the cutter thought.
    pub fn settle(&mut self, scanned: Box<Scanned>) -> Settled {
        // One of an earlier file, which has ended without it. Its ticket says nothing here.
        if scanned.rows.file != self.index {
            return Settled::Void;
        }
        if scanned.ticket.epoch != self.given.epoch {
            self.recycle(scanned.rows);
            return Settled::Void;
        }
        if scanned.ticket.number != self.taken {
            return Settled::NotYet(scanned);
        }
        let Scanned { mut rows, next, lines, outcome, .. } = *scanned;
        self.taken += 1;
        let before = self.settled;
        rows.start = Some(LinePlace { offset: before.offset, line: before.line });
        for record in &mut rows.records {
            record.row += before.rows;
            record.line += before.line;
        }
        self.settled = ResumePlace {
            offset: next,
            rows: before.rows + rows.records.len() as u64,
            line: before.line + lines,
        };
        match outcome {
            Outcome::Whole => {
                self.sound_cuts += 1;
                if self.sound_cuts >= SOUND_CUTS_MIN {
                    self.strict_next = 1;
                }
            }
            Outcome::Full { cut_bytes } => {
                self.give_up();
                self.cut_bytes = cut_bytes;
                self.cut();
            }
            Outcome::Broken => {
                self.give_up();
                self.strict_left = self.strict_next;
                self.strict_next = (self.strict_next * 2).min(STRICT_BLOCKS_MAX);
                self.sound_cuts = 0;
                self.read_strictly();
            }
        }
        Settled::Rows(rows)
    }

    /// Takes back the memory of rows that are done with; those of another file are not of its form.
    pub fn recycle(&mut self, mut rows: TextRows) {
        if rows.file == self.index
            && self.spare.len() < SPARE_MAX
            && rows.memory_bytes() <= SPARE_BYTES_MAX
        {
            rows.unescaped.clear();
            rows.fields.clear();
            rows.records.clear();
            rows.damage.clear();
            self.spare.push(rows);
        }
    }

    /// Gives up all cuts that are not settled.
    fn give_up(&mut self) {
        self.given = Ticket { number: self.taken, epoch: self.given.epoch + 1 };
    }

    /// Cuts what follows what is settled, where the file can be cut.
    fn cut(&mut self) {
        self.state = match self.scan {
            Some(scan) => {
                let input = self.file.reader_at(self.settled.offset);
                State::Cutting(Box::new(Cutter::new(input, scan, self.cut_bytes, self.sizes)))
            }
            None => State::Draining,
        };
    }

    /// Goes on with the strict reader behind what is settled.
    fn read_strictly(&mut self) {
        let text = Transcoder::new(self.file.reader_at(self.settled.offset), self.dialect.encoding);
        let (index, block_bytes) = (self.index, self.sizes.most);
        let reader =
            CsvReader::resume(text, index, &self.dialect, &self.header, self.settled, block_bytes);
        self.state = State::Reading(Box::new(reader));
    }
}
