//! From what the user named to opened tables, and a plan that fits all of them.

use std::collections::HashMap;

use super::{
    Error, Job, MappingFile, Surroundings, excerpts, preamble,
    spool::{Prints, Ready},
};
use crate::decode::{self, Table, csv, parquet::METADATA_BYTES_MAX};
use crate::model::{Rows, TextEncoding, printable};
use crate::progress::Phase;
use crate::shape::arrow_cells::declared;
use crate::shape::plan::{Binding, OWN_COLUMN_PREFIX, Plan, SourceColumn, declared_by_both};
use crate::source::{Fingerprint, Format, Input, Place};

/// The inputs of an import.
#[derive(Debug)]
pub struct Inputs {
    /// In the order of the import.
    pub files: Vec<InputFile>,
}

impl Inputs {
    /// Bytes of all of them.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.input.bytes).sum()
    }
}

/// One input.
#[derive(Debug)]
pub struct InputFile {
    /// The file.
    pub input: Input,
    /// Its rows.
    pub table: Table,
    /// How the plan's columns are found in it.
    pub binding: Binding,
    /// Indices of the columns that the plan uses.
    pub wanted: Vec<usize>,
    /// What it held at the start, compressed where it is; only taken where it will be read again to
    /// send.
    pub fingerprint: Option<Fingerprint>,
}

impl InputFile {
    /// The least bytes that a row takes in the file, where that can be told.
    pub fn row_bytes_min(&self) -> Option<u64> {
        match &self.table {
            // A delimiter or a line end behind each field.
            Table::Csv { header, dialect, .. } if dialect.encoding == TextEncoding::Utf8 => {
                Some(header.len() as u64)
            }
            _ => None,
        }
    }

    /// Bytes of the file that a block stands for, about.
    pub fn source_bytes(&self, rows: &Rows) -> u64 {
        match (rows, &self.table) {
            // Most characters have two bytes there and one in the UTF-8 that was made of them.
            (Rows::Text(text), table) if table.encoding().is_utf_16() => {
                2 * text.bytes.len() as u64
            }
            (Rows::Text(text), _) => text.bytes.len() as u64,
            (Rows::Json(json), _) => json.bytes.len() as u64,
            (Rows::Arrow(arrow), Table::Parquet(table)) => {
                arrow.batch.num_rows() as u64 * self.input.bytes / table.rows().max(1)
            }
            (Rows::Arrow(arrow), Table::Arrow(table)) => {
                arrow.batch.num_rows() as u64 * self.input.bytes / table.rows().max(1)
            }
            (Rows::Arrow(_), Table::Csv { .. } | Table::Ndjson(_)) => 0,
        }
    }

    /// Tells an object elsewhere what will be read of it, so that it can be asked for in larger parts.
    fn expect(&self) {
        if let (Place::Remote(remote), Table::Parquet(table)) = (&self.input.file, &self.table) {
            let chunks = table.chunks(&self.wanted);
            let at_a_time = chunks.len() / table.row_groups().max(1);
            remote.expect(chunks, at_a_time);
        }
    }

    /// An error that names the file.
    pub fn unreadable(&self, error: decode::Error) -> Error {
        unreadable(&self.input, &error)
    }
}

/// Opens every input and makes the plan, types still to be inferred where there is no
/// mapping. With `fingerprint`, each file is read once as a whole first.
///
/// # Errors
/// The first input that cannot be used, a mapping that cannot, or one that does not fit.
pub fn open(
    job: &Job,
    found: Vec<Ready>,
    fingerprint: bool,
    around: &Surroundings,
) -> Result<(Inputs, Plan), Error> {
    let (mut inputs, columns) = open_tables(job, found, fingerprint, around)?;
    let planned = match &job.mapping {
        Some(file) => file.mapping.columns.clone(),
        None => Plan::by_name(job.kind, columns.iter().map(Vec::as_slice)),
    };
    let mut plan = Plan::new(job.kind, planned, job.rules.clone());
    plan.note_lists(columns.iter().flatten());
    inputs.bind(&plan, job.mapping.is_some(), job.mapping.as_ref())?;
    Ok((inputs, plan))
}

/// Opens every input with all of its columns, whatever they are. Returns them as a plan of
/// attributes whose types are open, and each as the inputs have it: what one of them refuses, or
/// has nested, is so in all; a type that they declare is so where they agree.
///
/// # Errors
/// The first input that cannot be used.
pub fn open_all(
    job: &Job,
    found: Vec<Ready>,
    around: &Surroundings,
) -> Result<(Inputs, Plan, Vec<SourceColumn>), Error> {
    let (mut inputs, columns) = open_tables(job, found, false, around)?;
    let mut sources: Vec<SourceColumn> = Vec::new();
    let mut places = HashMap::new();
    for column in columns.iter().flatten() {
        if column.name.starts_with(OWN_COLUMN_PREFIX) {
            continue;
        }
        let at = *places.entry(column.name.as_str()).or_insert_with(|| {
            sources.push(column.clone());
            sources.len() - 1
        });
        let known = &mut sources[at];
        known.refusal = known.refusal.take().or_else(|| column.refusal.clone());
        known.float |= column.float;
        known.nested |= column.nested;
        known.plain_lists &= column.plain_lists;
        known.declared = declared_by_both(known.declared, column.declared);
    }
    // Whatever the columns are called, they can be proposed.
    let expected = expected_names(None);
    let is_odd = |file: &&InputFile| {
        let mut columns = file.table.columns().into_iter();
        columns.all(|column| !expected.contains(&column.name))
    };
    for file in inputs.files.iter().filter(is_odd) {
        if let Some(hint) = preamble::hint(&file.table) {
            around.progress.say(&format!("{}: {hint}", file.input.name()));
        }
    }
    let plan = Plan::open(job.kind, &sources, job.rules.clone());
    for (file, columns) in inputs.files.iter_mut().zip(&columns) {
        file.binding = plan.bind_readable(columns);
        file.wanted = wanted(&file.binding);
        file.expect();
    }
    Ok((inputs, plan, sources))
}

impl Inputs {
    /// Fits a plan to every input. `mapping` is the file that it is from, to point into.
    ///
    /// # Errors
    /// It does not fit one.
    pub fn bind(
        &mut self,
        plan: &Plan,
        mapped: bool,
        mapping: Option<&MappingFile>,
    ) -> Result<(), Error> {
        for file in &mut self.files {
            let columns = source_columns(&file.table);
            let partitions = &file.input.partitions;
            let bound = plan.bind_at(&file.input.name(), &columns, partitions, mapped);
            let binding = bound.map_err(|error| {
                let hint = preamble::hint(&file.table);
                Error::Usage(with_hint(&error, hint)).at(excerpts::of_misfit(file, mapping, &error))
            })?;
            file.wanted = wanted(&binding);
            file.binding = binding;
            file.expect();
        }
        Ok(())
    }
}

fn wanted(binding: &Binding) -> Vec<usize> {
    let mut wanted: Vec<usize> = binding.sources.iter().copied().flatten().collect();
    wanted.sort_unstable();
    wanted
}

fn source_columns(table: &Table) -> Vec<SourceColumn> {
    let source = |column: decode::Column| SourceColumn {
        name: column.name,
        refusal: column.refusal,
        float: column.float,
        nested: column.nested,
        plain_lists: column.plain_lists,
        declared: column.data_type.as_ref().and_then(declared),
    };
    table.columns().into_iter().map(source).collect()
}

/// Opens every input, not bound to a plan yet, with the columns of each.
fn open_tables(
    job: &Job,
    found: Vec<Ready>,
    fingerprint: bool,
    around: &Surroundings,
) -> Result<(Inputs, Vec<Vec<SourceColumn>>), Error> {
    let total: u64 = found.iter().map(|ready| ready.input.bytes).sum();
    tracing::info!(files = found.len(), bytes = total, kind = job.kind.as_str(), "inputs found");
    let unread = found.iter().filter(|ready| ready.prints.is_none());
    // Of what lies elsewhere its server is believed.
    let unread = unread.filter(|ready| matches!(ready.input.file, Place::File(_)));
    let unread: u64 = unread.map(|ready| ready.input.bytes).sum();
    if fingerprint && (unread > 0 || total == 0) {
        around.progress.begin(Phase::Fingerprint, unread);
    }
    let names = expected_names(job.mapping.as_ref());
    let mut files = Vec::with_capacity(found.len());
    let mut kept_bytes = 0;
    for (index, Ready { input, prints }) in found.into_iter().enumerate() {
        let prints = match prints {
            None if fingerprint => {
                let print = input.file.fingerprint(|bytes| around.progress.advance(bytes));
                let print = print.map_err(|error| unreadable(&input, &error))?;
                Some(Prints { found: print.clone(), file: print })
            }
            prints => prints,
        };
        let (print, of_file) = prints.map(|prints| (prints.found, prints.file)).unzip();
        if around.stop.is_asked() {
            return Err(Error::Interrupted);
        }
        let table = open_table(&input, index as u32, job, &names, of_file)?;
        kept_bytes += table.memory_bytes();
        if kept_bytes > METADATA_BYTES_MAX {
            let reason = format!(
                "the footers of the Parquet files up to this one take {kept_bytes} bytes of memory, \
                 the most is {METADATA_BYTES_MAX}; import fewer files at a time"
            );
            return Err(Error::Unreadable { path: input.name(), reason });
        }
        let binding =
            Binding { sources: Vec::new(), unused: Vec::new(), guarded: false, given: Vec::new() };
        files.push(InputFile { input, table, binding, wanted: Vec::new(), fingerprint: print });
    }
    let tables: Vec<_> = files.iter().map(|file| (file.input.name(), &file.table)).collect();
    say_dialects(job, &tables, around);
    say_partitions(job, &files, around);
    let columns = files.iter().map(|file| source_columns(&file.table)).collect();
    Ok((Inputs { files }, columns))
}

fn open_table(
    input: &Input,
    index: u32,
    job: &Job,
    names: &[String],
    fingerprint: Option<Fingerprint>,
) -> Result<Table, Error> {
    let given = csv::Given {
        dialect: &job.dialect,
        encoding: job.encoding,
        delimiter_given: job.delimiter_given,
        quote_given: job.quote_given,
        delimiter_by_name: match input.format {
            Format::Csv { delimiter } => delimiter,
            Format::Ndjson | Format::Parquet | Format::Arrow => job.dialect.delimiter,
        },
        names,
    };
    // Lines have whatever keys are asked for; those that the file's place gives are not.
    let is_own = |name: &&String| input.partitions.iter().all(|(key, _)| key != *name);
    let own: Vec<String> = names.iter().filter(is_own).cloned().collect();
    let mapped = job.mapping.is_some().then_some(own.as_slice());
    Table::open(input.file.clone(), index, input.format, &given, mapped, fingerprint).map_err(
        |error| {
            let excerpts = excerpts::of_unreadable(&input.name(), &error, job.rules.show_values);
            match error {
                decode::Error::Csv(csv::Error::TwoDelimiters { .. }) => {
                    Error::Usage(format!("{}: {error}", input.name()))
                }
                decode::Error::Csv(csv) => {
                    let reason = with_hint(&csv, preamble::hint_of_unreadable(&csv));
                    unreadable(input, &reason).at(excerpts)
                }
                _ => unreadable(input, &error).at(excerpts),
            }
        },
    )
}

fn with_hint(error: &dyn std::fmt::Display, hint: Option<String>) -> String {
    match hint {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}

/// Says how files are written where that was found and is not the usual.
fn say_dialects(job: &Job, tables: &[(String, &Table)], around: &Surroundings) {
    let mut groups: Vec<(String, &str, usize)> = Vec::new();
    for (name, table) in tables {
        let Table::Csv { dialect, .. } = table else { continue };
        let found = (!job.delimiter_given && dialect.delimiter != job.dialect.delimiter)
            || (!job.quote_given && dialect.quote != job.dialect.quote)
            || (job.encoding.is_none() && dialect.encoding != job.dialect.encoding);
        if !found {
            continue;
        }
        let quote = dialect.quote.map_or("none".to_owned(), |quote| char::from(quote).to_string());
        let text = format!(
            "delimiter `{}`, quote `{quote}`, {}",
            csv::delimiter_name(dialect.delimiter),
            dialect.encoding.name()
        );
        match groups.iter_mut().find(|(known, ..)| *known == text) {
            Some((_, _, more)) => *more += 1,
            None => groups.push((text, name, 0)),
        }
    }
    for (text, first, more) in groups {
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        around.progress.say(&format!("{first}{more}: {text}"));
    }
}

/// Says that the inputs' places name columns, where no mapping asks for them.
fn say_partitions(job: &Job, files: &[InputFile], around: &Surroundings) {
    let mut keys: Vec<&str> = Vec::new();
    for (key, _) in files.iter().flat_map(|file| &file.input.partitions) {
        if !keys.contains(&key.as_str()) {
            keys.push(key);
        }
    }
    if job.mapping.is_none() && !keys.is_empty() {
        around.progress.say(&format!(
            "the paths name {}; that is sent where a mapping has a column of the name",
            keys.iter().map(|key| printable(key)).collect::<Vec<_>>().join(", ")
        ));
    }
}

/// Column names that the header of a CSV file should have: they tell the delimiter.
fn expected_names(mapping: Option<&MappingFile>) -> Vec<String> {
    match mapping {
        Some(file) => file
            .mapping
            .columns
            .iter()
            .filter(|column| column.constant.is_none())
            .map(|column| column.source.clone())
            .collect(),
        None => ["customer_id", "device_id"].map(str::to_owned).to_vec(),
    }
}

fn unreadable(input: &Input, error: &dyn std::fmt::Display) -> Error {
    Error::Unreadable { path: input.name(), reason: error.to_string() }
}
